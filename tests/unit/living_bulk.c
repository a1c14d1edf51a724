/* Edits of many operations in a living world, step by step as the daemon makes them. */
#include "tests/unit/living_parts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "orchestrator/engine/bulk_split.h"
#include "orchestrator/engine/model.h"
#include "orchestrator/store/part_pack.h"

struct event living_bulk_begin(const struct edit *edit)
{
    struct event event = { .kind = EVENT_BULK_BEGIN };
    event.bulk_begin.constellation_id = edit->constellation_id;
    event.bulk_begin.operations = (uint32_t)edit->operations_count;
    event.bulk_begin.actor = edit->author;
    return event;
}

/* As the daemon's thread does it. */
struct event living_bulk_check(struct living *living, const struct edit *edit, int64_t bulk_id,
                               size_t rows_max)
{
    struct engine_config config = living->engine->config; /* with what a test has set */
    config.next_task_id = config.next_edge_id = config.next_hold_id = living->last_id + 1;
    config.edit_rows_max = UINT32_MAX;
    config.edit_looks_max = SIZE_MAX;
    config.ignored_hold_id = bulk_id;
    struct engine *scratch = living_book_load(living, &config, true);
    uint64_t *orders = mem_array(edit->operations_count + 1, sizeof *orders);
    struct edit tried = *edit;
    tried.dry_run = true;
    tried.orders = orders;
    effects_clear(&living->checked);
    struct event event = { .kind = EVENT_EDIT, .now = living->now, .edit = { .edit = &tried } };
    engine_step(scratch, &event, &living->checked);
    const struct effect *reply = &living->checked.list[living->checked.count - 1];
    assert_int_equal(reply->kind, EFFECT_REPLY);
    living->edit = *reply->reply.edit;
    living->has_edit = true;
    living->err = reply->reply.err;
    event = (struct event){ .kind = EVENT_BULK_DROP };
    event.bulk_drop.constellation_id = 1;
    event.bulk_drop.bulk_id = bulk_id;
    event.bulk_drop.why = STR("it was refused");
    if (living->err == ERR_NONE && !edit->dry_run) {
        struct arena arena = { 0 };
        struct bulk_split split;
        bulk_split(scratch, edit, orders, rows_max, &arena, &split);
        living_book_drop_parts(living);
        living->parts = mem_array(split.count, sizeof *living->parts);
        living->parts_count = split.count;
        for (size_t i = 0; i < split.count; i++) {
            part_pack(&split.parts[i], bulk_id, &living->parts[i]);
        }
        event = (struct event){ .kind = EVENT_BULK_ADMIT };
        event.bulk_admit.constellation_id = 1;
        event.bulk_admit.bulk_id = bulk_id;
        event.bulk_admit.parts = (uint32_t)split.count;
        event.bulk_admit.tasks_added = (uint32_t)edit->tasks_added;
        event.bulk_admit.classes = split.classes;
        event.bulk_admit.policies = split.policies;
        event.bulk_admit.operations = (uint32_t)edit->operations_count;
        event.bulk_admit.revision = living->constellation.revision;
        event.bulk_admit.finished_wall_ms = living->constellation.finished_wall_ms;
        event.bulk_admit.edit = edit;
        event.bulk_admit.actor = edit->author;
        arena_done(&arena);
    }
    mem_free(orders);
    engine_free(scratch);
    return event;
}

bool living_is_too_large(const struct living *living)
{
    for (size_t i = 0; i < living->edit.problems_count; i++) {
        if (living->edit.problems[i].code == EDIT_CODE_TOO_LARGE) {
            return true;
        }
    }
    return false;
}

enum err living_bulk(struct living *living, const struct edit *edit, size_t rows_max)
{
    struct event event = living_bulk_begin(edit);
    living_turn(living, &event, 1);
    if (living->err != ERR_NONE) {
        living->edit = (struct edit_result){ .revision = living->constellation.revision };
        return living->err;
    }
    event = living_bulk_check(living, edit, living->hold_id, rows_max);
    const enum err err = living->err;
    const struct edit_result result = living->edit;
    if (err == ERR_NONE) {
        living_revive(living);
    }
    living_turn(living, &event, 1);
    living_settle(living);
    living->edit = result;
    living->has_edit = true;
    living->err = err;
    return err;
}
