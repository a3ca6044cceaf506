#include "coord/message.h"

#include <stdbool.h>
#include <string.h>
#include "coord/names.h"

/* Messages are read here as protobuf encodes them: a tag (the field's number and how its value is written),
   then the value. They were decoded before, so that their lengths are right; what is not is refused all the
   same. */
enum { VARINT = 0, FIXED64 = 1, LENGTH = 2, FIXED32 = 5 };

typedef struct reader {
    const uint8_t *at, *end;
} reader;

static bool take_varint(reader *r, uint64_t *out) {
    *out = 0;
    for (int shift = 0; r->at < r->end && shift < 64; shift += 7) {
        const uint8_t byte = *r->at++;
        *out |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) return true;
    }
    return false;
}

static bool skip(reader *r, uint64_t bytes) {
    if (bytes > (uint64_t)(r->end - r->at)) return false;
    r->at += bytes;
    return true;
}

static ann_status malformed(void) { return ann_error(ANN_ERR_ARG, "the message is malformed"); }

static ann_status check_strings(const ProtobufCMessageDescriptor *kind, reader r);

static ann_status check_part(const ProtobufCFieldDescriptor *field, reader part) {
    if (!field) return ANN_OK; /* of a later version */
    if (field->type == PROTOBUF_C_TYPE_MESSAGE) return check_strings(field->descriptor, part);
    if (field->type != PROTOBUF_C_TYPE_STRING) return ANN_OK;
    if (!memchr(part.at, '\0', (size_t)(part.end - part.at))) return ANN_OK;
    return ann_error(ANN_ERR_ARG, "%s has a NUL in it", field->name);
}

static ann_status check_strings(const ProtobufCMessageDescriptor *kind, reader r) {
    while (r.at < r.end) {
        uint64_t tag, value = 0;
        if (!take_varint(&r, &tag)) return malformed();
        const unsigned how = tag & 7;
        if ((how == VARINT || how == LENGTH) && !take_varint(&r, &value)) return malformed();
        const uint8_t *begin = r.at;
        if (!skip(&r, how == LENGTH ? value : how == FIXED64 ? 8 : how == FIXED32 ? 4 : 0))
            return malformed();
        if (how == LENGTH)
            ANN_TRY(check_part(protobuf_c_message_descriptor_get_field(kind, (unsigned)(tag >> 3)),
                               (reader){begin, r.at}));
    }
    return ANN_OK;
}

ann_status anni_message_read(ProtobufCMessage **out, const ProtobufCMessageDescriptor *kind,
                             ProtobufCAllocator *allocator, size_t size, const uint8_t *bytes) {
    *out = protobuf_c_message_unpack(kind, allocator, size, bytes);
    if (!*out) return malformed();
    ann_status status = check_strings(kind, (reader){bytes, bytes + size});
    if (status == ANN_OK) status = anni_message_check(*out);
    if (status == ANN_OK) return ANN_OK;
    protobuf_c_message_free_unpacked(*out, allocator);
    *out = NULL;
    return status;
}
