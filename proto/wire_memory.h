/* Memory of the codec: for decoding a protobuf-c allocator over the caller's arena with a cap on what
   one envelope may expand to, for encoding a little scratch that rarely needs the heap. Also the step
   between struct str and protobuf-c's bytes. */
#ifndef PROTO_WIRE_MEMORY_H
#define PROTO_WIRE_MEMORY_H

#include <protobuf-c/protobuf-c.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/arena.h"
#include "common/base/err.h"
#include "common/base/str.h"
#include "proto/wire.h"

struct wire_decoder {
    ProtobufCAllocator allocator;
    struct arena *arena;
    size_t bytes_left;
    bool is_full; /* an allocation was refused */
};

/* The decoder is not to be moved afterwards: the allocator points at it. */
void wire_decoder_init(struct wire_decoder *decoder, struct arena *arena);
/* Zeroed; NULL when the cap or the arena's limit would be passed. */
void *wire_decoder_array(struct wire_decoder *decoder, size_t count, size_t bytes);
/* protobuf-c's message, in the arena; NULL: *ret_err and the reason say why. `what` names it. */
ProtobufCMessage *wire_decoder_unpack(struct wire_decoder *decoder,
                                      const ProtobufCMessageDescriptor *descriptor,
                                      const char *what, struct str bytes, enum err *ret_err,
                                      struct reason *reason);
/* ERR_LIMIT in words if an allocation was refused so far. */
enum err wire_decoder_result(const struct wire_decoder *decoder, const char *what,
                             struct reason *reason);
/* An array of str over protobuf-c's: the bytes are not copied again. */
const struct str *wire_decoder_strs(struct wire_decoder *decoder, const ProtobufCBinaryData *data,
                                    size_t count);

/* Not zeroed at first: scratch_init. */
struct wire_scratch {
    size_t used;
    struct arena spill;
    alignas(max_align_t) unsigned char bytes[4096];
};

void wire_scratch_init(struct wire_scratch *scratch);
void wire_scratch_done(struct wire_scratch *scratch);
/* Zeroed and never NULL: the counts have been checked. */
void *wire_scratch_array(struct wire_scratch *scratch, size_t count, size_t bytes);
/* An array for pointers to structs, which is how protobuf-c takes a list of messages. */
void *wire_scratch_pointers(struct wire_scratch *scratch, size_t count);
ProtobufCBinaryData *wire_scratch_strs(struct wire_scratch *scratch, const struct str *strs,
                                       size_t count);

static inline struct str wire_str(ProtobufCBinaryData data)
{
    return (struct str){ (const char *)data.data, data.len };
}

/* protobuf-c has no const, but does not write to what it packs. */
static inline ProtobufCBinaryData wire_bytes(struct str text)
{
    return (ProtobufCBinaryData){ text.length, (uint8_t *)(uintptr_t)text.data };
}

#endif
