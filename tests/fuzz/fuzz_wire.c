/* Fuzz target: bytes as a frame, and as a task's body. Whatever decodes must encode again, and decode
   to the same. */
#include <stddef.h>
#include <stdint.h>

#include "common/base/check.h"
#include "proto/wire.h"
#include "tests/unit/msg_equal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size); /* NOLINT: libFuzzer's name */

static void body_fuzz(struct str bytes, struct arena *arena)
{
    struct msg_body first;
    struct msg_body second;
    struct reason reason;
    if (wire_decode_body(bytes, arena, &first, &reason) != ERR_NONE) {
        return;
    }
    struct buf again = { 0 };
    CHECK(wire_encode_body(&first, &again, &reason) == ERR_NONE);
    CHECK(wire_decode_body((struct str){ (const char *)again.data, again.length }, arena, &second,
                           &reason) == ERR_NONE);
    CHECK(msg_body_equal(&first, &second));
    buf_done(&again);
}

static void msg_fuzz(const struct msg *first, struct arena *arena)
{
    struct buf again = { 0 };
    struct reason reason;
    struct msg second;
    size_t at = 0;
    CHECK(wire_encode(first, &again, &reason) == ERR_NONE);
    CHECK(wire_decode((struct str){ (const char *)again.data, again.length }, &at, arena, &second,
                      &reason) == ERR_NONE);
    CHECK(at == again.length);
    CHECK(msg_equal(first, &second));
    buf_done(&again);
    if (first->kind == MSG_ASSIGN) {
        for (size_t i = 0; i < first->assign.tasks_count; i++) {
            body_fuzz(first->assign.tasks[i].body, arena);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = { 0 };
    struct str frame = { (const char *)data, size };
    struct msg msg;
    struct reason reason;
    size_t at = 0;
    while (at < size && wire_decode(frame, &at, &arena, &msg, &reason) == ERR_NONE) {
        if (msg.kind != MSG_NONE) {
            msg_fuzz(&msg, &arena);
        }
        arena_clear(&arena);
    }
    body_fuzz(frame, &arena);
    arena_done(&arena);
    return 0;
}
