/* Any bytes as a batch of edit operations. It is refused with faults that can be shown, or it is taken:
   then the text that a revision would keep reads back as the same operations, and each task's keys can
   be merged, taken apart again and read. */
#include <string.h>

#include "common/base/check.h"
#include "orchestrator/spec/edit_batch.h"
#include "orchestrator/spec/edit_json.h"
#include "orchestrator/spec/spec_task.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool has_task(void *context, struct str key)
{
    (void)context;
    return key.length % 2 == 1;
}

static void check_faults(const struct edit_faults *faults)
{
    CHECK(faults->count > 0 && faults->count <= EDIT_PROBLEMS_MAX);
    for (size_t i = 0; i < faults->count; i++) {
        const struct edit_fault *fault = &faults->list[i];
        CHECK(fault->code != NULL && fault->detail.length > 0);
        CHECK(str_is_utf8(fault->detail) && str_is_utf8(fault->path));
    }
}

/* What an update does to a task, and what takes it back. */
static void check_merge(struct str set, struct arena *arena)
{
    struct str before = STR("{\"run\":[\"true\"],\"env\":{\"A\":\"1\"},\"priority\":5}");
    struct buf merged = { 0 };
    struct buf inverse = { 0 };
    struct buf again = { 0 };
    edit_json_merge(before, set, arena, &merged);
    struct str after = arena_str(arena, (struct str){ (const char *)merged.data, merged.length });
    edit_json_difference(after, before, arena, &inverse);
    struct str back = { (const char *)inverse.data, inverse.length };
    edit_json_merge(after, arena_str(arena, back), arena, &again);
    buf_clear(&inverse);
    struct str restored = { (const char *)again.data, again.length };
    edit_json_difference(arena_str(arena, restored), before, arena, &inverse);
    CHECK(strcmp(buf_text(&inverse), "{}") == 0);
    struct spec_scope scope = { .has_task = has_task };
    struct spec_one one;
    struct spec_problems problems;
    if (spec_read_one(STR("task"), after, &scope, arena, &one, &problems) != ERR_NONE) {
        CHECK(problems.count > 0);
    }
    buf_done(&merged);
    buf_done(&inverse);
    buf_done(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = { (const char *)data, size };
    struct arena arena = { 0 };
    struct edit_faults faults = { .arena = &arena };
    struct batch batch;
    if (batch_read(text, SPEC_FORMAT_GUESS, &arena, &batch, &faults) != ERR_NONE) {
        check_faults(&faults);
        arena_done(&arena);
        return 0;
    }
    CHECK(faults.count == 0 && batch.operations_count > 0);
    struct buf whole = { 0 };
    buf_append_text(&whole, "{\"operations\":");
    buf_append(&whole, batch.text.data, batch.text.length);
    buf_append_text(&whole, "}");
    struct batch again;
    enum err err = batch_read((struct str){ (const char *)whole.data, whole.length },
                              SPEC_FORMAT_JSON, &arena, &again, &faults);
    CHECK(err == ERR_NONE && again.operations_count == batch.operations_count);
    CHECK(str_equal(again.text, batch.text));
    for (size_t i = 0; i < batch.operations_count && i < 8; i++) {
        const struct batch_operation *operation = &batch.operations[i];
        CHECK(operation->kind == again.operations[i].kind);
        CHECK(str_equal(operation->task, again.operations[i].task));
        if (operation->text.length > 0) {
            check_merge(operation->text, &arena);
        }
    }
    buf_done(&whole);
    arena_done(&arena);
    return 0;
}
