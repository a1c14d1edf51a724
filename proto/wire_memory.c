/* Memory of the codec: the capped allocator for decoding, the scratch for encoding. */
#include "proto/wire_memory.h"

#include <string.h>

#include "common/base/check.h"

static void *decoder_alloc(void *context, size_t bytes)
{
    struct wire_decoder *decoder = context;
    /* What the arena really hands out: small blocks are what a hostile envelope asks for. */
    const size_t align = alignof(max_align_t);
    size_t cost = bytes > SIZE_MAX / 2 ? SIZE_MAX : (bytes + align - 1) / align * align;
    void *memory = cost > decoder->bytes_left ? NULL : arena_alloc(decoder->arena, bytes);
    if (memory == NULL) {
        decoder->is_full = true;
        return NULL;
    }
    decoder->bytes_left -= cost;
    return memory;
}

static void decoder_free(void *context, void *memory)
{
    (void)context; /* the arena gives back all at once */
    (void)memory;
}

void wire_decoder_init(struct wire_decoder *decoder, struct arena *arena)
{
    *decoder = (struct wire_decoder){
        .allocator = { decoder_alloc, decoder_free, decoder },
        .arena = arena,
        .bytes_left = WIRE_EXPANSION_BYTES_MAX,
    };
}

void *wire_decoder_array(struct wire_decoder *decoder, size_t count, size_t bytes)
{
    /* Every count is that of an array which protobuf-c has already put into the arena. */
    CHECK(bytes == 0 || count <= SIZE_MAX / bytes);
    return decoder_alloc(decoder, count * bytes);
}

enum err wire_decoder_result(const struct wire_decoder *decoder, const char *what,
                             struct reason *reason)
{
    if (decoder->is_full) {
        return reason_set(reason, ERR_LIMIT, "%s expands to more than the memory it may take",
                          what);
    }
    return ERR_NONE;
}

ProtobufCMessage *wire_decoder_unpack(struct wire_decoder *decoder,
                                      const ProtobufCMessageDescriptor *descriptor,
                                      const char *what, struct str bytes, enum err *ret_err,
                                      struct reason *reason)
{
    ProtobufCMessage *message = protobuf_c_message_unpack(
        descriptor, &decoder->allocator, bytes.length, (const uint8_t *)bytes.data);
    enum err err = wire_decoder_result(decoder, what, reason);
    if (err == ERR_NONE && message == NULL) {
        err = reason_set(reason, ERR_BAD_FRAME, "%s is not well-formed protobuf", what);
    }
    *ret_err = err;
    return err == ERR_NONE ? message : NULL;
}

const struct str *wire_decoder_strs(struct wire_decoder *decoder, const ProtobufCBinaryData *data,
                                    size_t count)
{
    struct str *strs = wire_decoder_array(decoder, count, sizeof *strs);
    for (size_t i = 0; strs != NULL && i < count; i++) {
        strs[i] = wire_str(data[i]);
    }
    return strs;
}

void wire_scratch_init(struct wire_scratch *scratch)
{
    scratch->used = 0;
    scratch->spill = (struct arena){ 0 };
}

void wire_scratch_done(struct wire_scratch *scratch)
{
    arena_done(&scratch->spill);
}

void *wire_scratch_array(struct wire_scratch *scratch, size_t count, size_t bytes)
{
    const size_t align = alignof(max_align_t);
    CHECK(bytes == 0 || count <= SIZE_MAX / 2 / bytes);
    size_t size = (count * bytes + align - 1) / align * align;
    if (size > sizeof scratch->bytes - scratch->used) {
        void *memory = arena_alloc(&scratch->spill, size);
        CHECK(memory != NULL);
        return memory;
    }
    void *memory = scratch->bytes + scratch->used;
    scratch->used += size;
    memset(memory, 0, size);
    return memory;
}

void *wire_scratch_pointers(struct wire_scratch *scratch, size_t count)
{
    return wire_scratch_array(scratch, count, sizeof(void *));
}

ProtobufCBinaryData *wire_scratch_strs(struct wire_scratch *scratch, const struct str *strs,
                                       size_t count)
{
    ProtobufCBinaryData *data = wire_scratch_array(scratch, count, sizeof *data);
    for (size_t i = 0; i < count; i++) {
        data[i] = wire_bytes(strs[i]);
    }
    return data;
}
