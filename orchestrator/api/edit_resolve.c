/* See edit_resolve.h. */
#include "orchestrator/api/edit_resolve.h"

#include <stdio.h>
#include <string.h>

#include "orchestrator/api/edit_build.h"
#include "orchestrator/engine/attention.h"

/* What is added, removed or set comes into effect first, so that a batch may be written in any order. */
static void make_drafts(struct edit_drafts *drafts, const struct batch *batch)
{
    for (size_t i = 0; i < batch->operations_count && drafts->err == ERR_NONE; i++) {
        const struct batch_operation *operation = &batch->operations[i];
        if (operation->kind == BATCH_ADD_TASK) {
            edit_draft_add(drafts, operation);
        } else if (operation->kind == BATCH_REMOVE_TASK) {
            edit_draft_remove(drafts, operation);
        } else if (operation->kind == BATCH_SET) {
            edit_draft_set(drafts, operation);
        }
    }
}

/* The texts of what is added come before what the batch changes of them. */
static void read_added(struct edit_drafts *drafts, const struct batch *batch)
{
    for (size_t i = 0; i < batch->operations_count && drafts->err == ERR_NONE; i++) {
        if (batch->operations[i].kind == BATCH_ADD_TASK) {
            edit_draft_update(drafts, &batch->operations[i]);
        }
    }
}

static void change_drafts(struct edit_drafts *drafts, const struct batch *batch)
{
    for (size_t i = 0; i < batch->operations_count && drafts->err == ERR_NONE; i++) {
        const struct batch_operation *operation = &batch->operations[i];
        switch (operation->kind) {
        case BATCH_UPDATE_TASK:
            edit_draft_update(drafts, operation);
            break;
        case BATCH_ADD_DEPENDENCY:
            edit_draft_depend(drafts, operation);
            break;
        case BATCH_UPDATE_DEPENDENCY:
            edit_draft_change_dependency(drafts, operation);
            break;
        case BATCH_REMOVE_DEPENDENCY:
            edit_draft_undepend(drafts, operation);
            break;
        case BATCH_ADD_TASK:
        case BATCH_REMOVE_TASK:
        case BATCH_SET:
        case BATCH_KINDS:
            break;
        }
    }
}

static struct edit_fault *refuse_expect(struct edit_drafts *drafts,
                                        const struct batch_expect *expect, const char *code,
                                        const char *words)
{
    char path[64];
    int length = snprintf(path, sizeof(path), "/expect/%u/task", (unsigned)expect->index);
    const struct edit_fault fault = {
        .part = EDIT_PART_EXPECT,
        .index = expect->index,
        .code = code,
        .path = arena_str(drafts->arena, (struct str){ path, (size_t)length }),
    };
    return edit_fault_add(drafts->faults, &fault, "%.*s: %s", STR_ARG(expect->task), words);
}

static void resolve_expects(struct edit_drafts *drafts, const struct batch *batch,
                            struct edit *edit)
{
    struct edit_expect *expects =
        arena_array(drafts->arena, batch->expects_count, sizeof(*expects));
    size_t count = 0;
    for (size_t i = 0; i < batch->expects_count && drafts->err == ERR_NONE; i++) {
        const struct batch_expect *expect = &batch->expects[i];
        int64_t id = 0;
        if (!edit_drafts_spend(drafts, 1)) {
            break;
        }
        enum err err = edit_lookup_id(drafts->store, drafts->constellation_id, expect->task, &id,
                                      drafts->reason);
        if (err == ERR_NOT_FOUND) {
            struct edit_fault *added =
                refuse_expect(drafts, expect, "unknown_task", "there is no such task");
            if (added != NULL) {
                edit_hint(drafts, added, expect->task);
            }
        } else if (err != ERR_NONE) {
            drafts->err = err;
        } else if (expect->is_ready &&
                   strcmp(engine_task_state(drafts->engine, drafts->constellation_id, id),
                          "ready") != 0) {
            refuse_expect(drafts, expect, "expect_failed", "it is not ready");
        } else {
            expects[count++] = (struct edit_expect){ .task_id = id,
                                                     .state = (uint8_t)expect->state,
                                                     .attempts = expect->attempts,
                                                     .no_attempt = expect->no_attempt,
                                                     .index = expect->index };
        }
    }
    edit->expects = expects;
    edit->expects_count = count;
}

/* Whether the task will be there as it is: another text has been checked as it was read. */
static bool stays_as_it_is(struct edit_drafts *drafts, struct str key)
{
    const struct edit_draft *draft = strmap_get(&drafts->by_key, key);
    return draft == NULL || (!draft->is_removed && !draft->has_one);
}

/* A limit that is lowered must still be enough for each task: else that could never run. One that goes
   must not be named by any. */
static void check_lowered(struct edit_drafts *drafts)
{
    const struct edit_top *top = &drafts->top;
    for (uint32_t i = 0; i < top->limits_count; i++) {
        const struct plan_limit *next = &drafts->next.limits[i];
        bool goes = next->name.length == 0;
        size_t at = 0;
        int64_t id = 0;
        while (next->capacity < top->limits[i].capacity && drafts->err == ERR_NONE &&
               !drafts->faults->more &&
               engine_next_above_limit(drafts->engine, drafts->constellation_id, i, next->capacity,
                                       &at, &id)) {
            struct str key;
            drafts->err = edit_lookup_key(drafts->store, id, drafts->arena, &key, drafts->reason);
            if (drafts->err != ERR_NONE || !stays_as_it_is(drafts, key)) {
                continue;
            }
            const struct edit_fault fault = {
                .part = EDIT_PART_OPERATION,
                .index = drafts->set_index,
                .code = goes ? "unknown_limit" : "out_of_range",
                .path = edit_place(drafts, drafts->set_index, "limits"),
            };
            if (goes) {
                edit_fault_add(drafts->faults, &fault, "%.*s: takes of \"%.*s\", which would go",
                               STR_ARG(key), STR_ARG(top->limits[i].name));
            } else {
                edit_fault_add(drafts->faults, &fault, "%.*s: takes more than %u of \"%.*s\"",
                               STR_ARG(key), (unsigned)next->capacity, STR_ARG(next->name));
            }
        }
    }
}

static struct str to_arena(struct arena *arena, struct buf *buf)
{
    struct str text = arena_str(arena, (struct str){ (const char *)buf->data, buf->length });
    buf_done(buf);
    return text;
}

static void finish(struct edit_drafts *drafts, const struct batch *batch,
                   struct edit_resolved *resolved)
{
    struct buf operations = { 0 };
    edit_build(drafts, &operations, &resolved->edit.tasks_added);
    struct edit_operation *list = arena_alloc(drafts->arena, operations.length);
    if (operations.length > 0) {
        memcpy(list, operations.data, operations.length);
    }
    resolved->edit.operations = list;
    resolved->edit.operations_count = operations.length / sizeof(*list);
    buf_done(&operations);
    struct str *added = arena_array(drafts->arena, resolved->edit.tasks_added, sizeof(struct str));
    for (size_t i = 0; i < drafts->count; i++) {
        const struct edit_draft *draft = drafts->list[i];
        if (draft->is_added && !draft->is_removed) {
            added[draft->number] = draft->key;
        }
    }
    resolved->added = added;
    resolved->added_count = resolved->edit.tasks_added;
    resolved->has_description = !str_equal(drafts->top.description, drafts->next.description);
    resolved->description = drafts->next.description;
    resolve_expects(drafts, batch, &resolved->edit);
    resolved->edit.text = batch->text;
    if (drafts->faults->count == 0 && drafts->err == ERR_NONE) {
        struct buf inverse = { 0 };
        edit_invert(drafts, &inverse);
        resolved->edit.inverse = to_arena(drafts->arena, &inverse);
    }
}

/* The description, which only the store has, is for who sets something of the constellation. */
static enum err look_up_top(struct edit_drafts *drafts, const struct batch *batch)
{
    for (size_t i = 0; i < batch->operations_count; i++) {
        if (batch->operations[i].kind == BATCH_SET) {
            return edit_lookup_top(drafts->store, drafts->constellation_id, drafts->arena,
                                   &drafts->top, drafts->reason);
        }
    }
    const struct constellation_record *record =
        engine_constellation(drafts->engine, drafts->constellation_id);
    drafts->top = (struct edit_top){
        .fail_fast = record->fail_fast,
        .deadline_ms = record->deadline_length_ms,
        .revision = record->revision,
    };
    return !engine_has_limits(drafts->engine, drafts->constellation_id)
               ? ERR_NONE
               : edit_lookup_limits(drafts->store, drafts->constellation_id, drafts->arena,
                                    &drafts->top, drafts->reason);
}

enum err edit_resolve(struct store *store, const struct engine *engine, int64_t constellation_id,
                      const struct batch *batch, struct edit_budget *budget, struct arena *arena,
                      struct edit_faults *faults, struct edit_resolved *ret_resolved,
                      struct reason *reason)
{
    struct edit_drafts drafts = {
        .store = store,
        .engine = engine,
        .constellation_id = constellation_id,
        .budget = budget,
        .arena = arena,
        .faults = faults,
        .reason = reason,
    };
    drafts.err = look_up_top(&drafts, batch);
    if (drafts.err != ERR_NONE) {
        return drafts.err;
    }
    drafts.next = drafts.top;
    drafts.next.limits = arena_array(arena, PLAN_LIMITS_MAX, sizeof(struct plan_limit));
    for (size_t i = 0; i < drafts.top.limits_count; i++) {
        drafts.next.limits[i] = drafts.top.limits[i];
    }
    struct edit_resolved resolved = { .edit = { .constellation_id = constellation_id } };
    make_drafts(&drafts, batch);
    read_added(&drafts, batch);
    change_drafts(&drafts, batch);
    check_lowered(&drafts);
    if (drafts.err == ERR_NONE) {
        finish(&drafts, batch, &resolved);
    }
    resolved.edit.dry_run = faults->count > 0;
    enum err err = drafts.err;
    edit_drafts_done(&drafts);
    if (err == ERR_NONE) {
        *ret_resolved = resolved;
    }
    return err;
}
