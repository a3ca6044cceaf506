/* JSON of the coordinator's messages, by their descriptors. */
#include <inttypes.h>
#include <math.h>
#include "base/text.h"
#include "ctl.h"

/* The element at `at` of a field. */
static void print_value(FILE *to, const ProtobufCFieldDescriptor *field, const void *at) {
    switch (field->type) {
    case PROTOBUF_C_TYPE_INT32: fprintf(to, "%" PRId32, *(const int32_t *)at); break;
    case PROTOBUF_C_TYPE_INT64: fprintf(to, "%" PRId64, *(const int64_t *)at); break;
    case PROTOBUF_C_TYPE_UINT64: fprintf(to, "%" PRIu64, *(const uint64_t *)at); break;
    case PROTOBUF_C_TYPE_BOOL: fputs(*(const protobuf_c_boolean *)at ? "true" : "false", to); break;
    case PROTOBUF_C_TYPE_ENUM: {
        const ProtobufCEnumValue *value =
            protobuf_c_enum_descriptor_get_value(field->descriptor, *(const int *)at);
        ann_print_json(to, value ? value->name : "");
        break;
    }
    case PROTOBUF_C_TYPE_STRING: ann_print_json(to, *(const char *const *)at); break;
    case PROTOBUF_C_TYPE_MESSAGE: ctl_print_json(to, *(const ProtobufCMessage *const *)at); break;
    case PROTOBUF_C_TYPE_DOUBLE:
        if (isfinite(*(const double *)at)) fprintf(to, "%.17g", *(const double *)at);
        else fputs("null", to);
        break;
    default: fputs("null", to); /* of no other type is any field of annulus.proto */
    }
}

static size_t size_of(const ProtobufCFieldDescriptor *field) {
    switch (field->type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_ENUM: return 4;
    case PROTOBUF_C_TYPE_BOOL: return sizeof(protobuf_c_boolean);
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE: return sizeof(void *);
    default: return 8;
    }
}

static void print_field(FILE *to, const ProtobufCFieldDescriptor *field, const char *message) {
    const char *at = message + field->offset;
    ann_print_json(to, field->name);
    fputs(": ", to);
    if (field->label != PROTOBUF_C_LABEL_REPEATED) {
        print_value(to, field, at);
        return;
    }
    const size_t count = *(const size_t *)(const void *)(message + field->quantifier_offset);
    const char *items = *(const char *const *)(const void *)at;
    fputc('[', to);
    for (size_t i = 0; i < count; i++) {
        if (i > 0) fputs(", ", to);
        print_value(to, field, items + i * size_of(field));
    }
    fputc(']', to);
}

/* A message that is not there, or a branch of a oneof that was not taken. */
static bool absent(const ProtobufCFieldDescriptor *field, const char *message) {
    if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
        return *(const uint32_t *)(const void *)(message + field->quantifier_offset) != field->id;
    return field->type == PROTOBUF_C_TYPE_MESSAGE && field->label != PROTOBUF_C_LABEL_REPEATED &&
           !*(const void *const *)(const void *)(message + field->offset);
}

void ctl_print_json(FILE *to, const ProtobufCMessage *message) {
    const char *between = "";
    fputc('{', to);
    for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
        if (absent(field, (const char *)message)) continue;
        fputs(between, to);
        print_field(to, field, (const char *)message);
        between = ", ";
    }
    fputc('}', to);
}
