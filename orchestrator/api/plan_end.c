/* When a plan ends, if nothing but devices and time is in its way; or why nobody can tell. */
#include "orchestrator/api/plan_measure.h"

#include "orchestrator/engine/attention.h"

enum {
    END_LOOKS_MAX = 10000, /* at tasks that holds name; one that names more counts as it is */
    END_READY_MAX = 1000,  /* kinds of ready tasks; devices are not looked for for more */
};

/* Whether something that has not ended waits for it. */
static bool is_in_the_way(const struct plan_place *place, int64_t constellation_id,
                          const struct hold_view *hold, size_t *looks)
{
    if (hold->record->scope == HOLD_ALL || hold->record->origin == HOLD_FAILURE) {
        return true;
    }
    for (size_t i = 0; i < hold->task_ids_count; i++) {
        const struct task_record *task =
            *looks == END_LOOKS_MAX
                ? NULL
                : engine_task(place->engine, constellation_id, hold->task_ids[i]);
        if (*looks == END_LOOKS_MAX ||
            (task != NULL && !task_state_is_final((enum task_state)task->state))) {
            return true;
        }
        ++*looks;
    }
    return false;
}

static bool find_hold(const struct plan_place *place, int64_t constellation_id,
                      struct hold_view *hold)
{
    size_t looks = 0;
    *hold = (struct hold_view){ .record = NULL };
    while (engine_next_hold(place->engine, constellation_id, hold)) {
        if (is_in_the_way(place, constellation_id, hold, &looks)) {
            return true;
        }
    }
    return false;
}

/* Ready tasks that no device which fits is there for: nobody knows when one comes. */
static uint64_t count_without_device(const struct plan_place *place, int64_t constellation_id)
{
    struct ready_view ready = { .constellation_id = constellation_id };
    uint64_t count = 0;
    for (int i = 0; i < END_READY_MAX && engine_next_ready(place->engine, &ready); i++) {
        count += ready.wait == WAIT_NOTHING ? 0 : ready.count;
    }
    return count;
}

/* False: it can be told. */
static bool say_why_not(const struct plan_place *place, const struct plan_measure *measure,
                        struct buf *words)
{
    const struct engine *engine = place->engine;
    int64_t id = measure->constellation_id;
    const struct constellation_record *record = engine_constellation(engine, id);
    struct engine_counts counts = { 0 };
    struct hold_view hold;
    uint64_t alone = 0;
    engine_constellation_counts(engine, id, &counts);
    if (constellation_state_is_final(record->state)) {
        buf_append_text(words, "it has ended");
    } else if (engine_is_paused(engine, id)) {
        buf_append_text(words, "it is paused");
    } else if (find_hold(place, id, &hold)) {
        buf_printf(words, "%s hold %lld",
                   hold.record->origin == HOLD_APPROVAL ? "it waits for an approval:"
                                                        : "it is held:",
                   (long long)hold.record->id);
    } else if (counts.unknown > 0) {
        buf_printf(words, "%u of its tasks %s unknown until somebody resolves %s",
                   (unsigned)counts.unknown, counts.unknown == 1 ? "is" : "are",
                   counts.unknown == 1 ? "it" : "them");
    } else if (engine_stats(engine).slots == 0) {
        buf_append_text(words, "no device is there to run it");
    } else if ((alone = count_without_device(place, id)) > 0) {
        buf_printf(words, "no device that fits is there for %llu ready task%s",
                   (unsigned long long)alone, alone == 1 ? "" : "s");
    } else if (measure->all_count == 0) {
        buf_append_text(words, "nothing of it has ended yet");
    }
    return words->length > 0;
}

/* As soon as the critical path allows, or as the slots that there are do. */
void plan_write_end(const struct plan_place *place, const struct plan_measure *measure,
                    struct json_out *out)
{
    struct buf why = { NULL, 0, 0 };
    if (say_why_not(place, measure, &why)) {
        json_out_null(out, "expected_end");
        json_out_str(out, "expected_end_why", (struct str){ (const char *)why.data, why.length });
    } else {
        const struct metrics *rest = metrics_result(&measure->rest);
        int64_t by_slots_ms = rest->work_ms / (int64_t)engine_stats(place->engine).slots;
        int64_t left_ms = rest->critical_ms > by_slots_ms ? rest->critical_ms : by_slots_ms;
        json_out_time(out, "expected_end", measure->now_wall_ms + left_ms);
        json_out_null(out, "expected_end_why");
    }
    buf_done(&why);
}
