#include "coord/names.h"

#include <string.h>
#include "base/text.h"

static bool plain(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

ann_status anni_name_check(const char *what, const char *name, bool slash) {
    const size_t length = strlen(name);
    bool good = length >= 1 && length <= ANNI_NAME_BYTES && plain(name[0]);
    for (size_t i = 0; good && i < length; i++)
        good = plain(name[i]) || strchr("-_.", name[i]) || (slash && name[i] == '/');
    if (good) return ANN_OK;
    return ann_error(ANN_ERR_ARG,
                     "the name of a %s is wrong, accepted are 1 to %d letters, digits, '-', '_', '.'%s, a "
                     "letter or digit first",
                     what, ANNI_NAME_BYTES, slash ? ", '/'" : "");
}

ann_status anni_name_check_optional(const char *what, const char *name, bool slash) {
    return name[0] ? anni_name_check(what, name, slash) : ANN_OK;
}

static ann_status check_string(const char *field, const char *text) {
    const unsigned char *s = (const unsigned char *)text;
    size_t at = 0;
    while (s[at]) {
        const int n = ann_utf8_bytes(s + at);
        if (n == 0) return ann_error(ANN_ERR_ARG, "%s is not UTF-8", field);
        at += (size_t)n;
    }
    if (at > ANNI_TEXT_BYTES && strcmp(field, "run_file") != 0)
        return ann_error(ANN_ERR_ARG, "%s has %zu bytes, accepted are %d", field, at, ANNI_TEXT_BYTES);
    return ANN_OK;
}

static ann_status check_field(const ProtobufCFieldDescriptor *field, const void *value) {
    if (field->type == PROTOBUF_C_TYPE_STRING) return check_string(field->name, *(char *const *)value);
    const ProtobufCMessage *message = *(ProtobufCMessage *const *)value;
    return message ? anni_message_check(message) : ANN_OK;
}

ann_status anni_message_check(const ProtobufCMessage *message) {
    for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
        if (field->type != PROTOBUF_C_TYPE_STRING && field->type != PROTOBUF_C_TYPE_MESSAGE) continue;
        const char *at = (const char *)message + field->offset,
                   *quantifier = (const char *)message + field->quantifier_offset;
        if (field->label == PROTOBUF_C_LABEL_REPEATED) {
            const size_t count = *(const size_t *)quantifier;
            void *const *items = *(void *const *const *)at;
            for (size_t k = 0; k < count; k++) ANN_TRY(check_field(field, &items[k]));
        } else if (!(field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) ||
                   *(const uint32_t *)quantifier == field->id) {
            ANN_TRY(check_field(field, at));
        }
    }
    return ANN_OK;
}

bool anni_is_loopback(const char *host) {
    if (strcmp(host, "localhost") == 0 || strcmp(host, "::1") == 0 || strcmp(host, "[::1]") == 0) return true;
    /* 127.x.y.z and nothing else: a name may begin so, too. */
    return strncmp(host, "127.", 4) == 0 && strspn(host, "0123456789.") == strlen(host);
}
