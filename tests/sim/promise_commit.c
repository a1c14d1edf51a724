/* The checker: every row that is committed, segment by segment, against what was known before. */
#include <inttypes.h>
#include <stdio.h>

#include "common/base/mem.h"
#include "tests/sim/promise_plan.h"
#include "tests/sim/world.h"

/* --- New rows --- */

static void add_constellation(struct books *books, const struct effect *effect)
{
    struct book_constellation *constellation = mem_alloc(sizeof *constellation);
    constellation->id = effect->constellation.record->id;
    /* The plan is the first member of the simulator's. */
    constellation->plan = (const struct sim_plan *)(const void *)effect->constellation.plan;
    constellation->record = *effect->constellation.record;
    constellation->record.state = CONSTELLATION_LOADING;
    constellation->limit = constellation->plan->limit;
    constellation->next = books->first;
    books->first = constellation;
    map_put(&books->constellations, (uint64_t)constellation->id, constellation);
}

static void save_device(struct books *books, const struct device_record *record)
{
    struct book_device *device = map_get(&books->devices, (uint64_t)record->id);
    if (device == NULL) {
        device = mem_alloc(sizeof *device);
        device->id = record->id;
        snprintf(device->name, sizeof device->name, "%.*s", STR_ARG(record->name));
        map_put(&books->devices, (uint64_t)record->id, device);
    }
    snprintf(device->journal_id, sizeof device->journal_id, "%.*s", STR_ARG(record->journal_id));
    device->session = record->session;
}

static void save_constellation(struct world *world, const struct segment *segment,
                               const struct constellation_record *record)
{
    struct book_constellation *constellation = books_constellation(world->books, record->id);
    CHECK(constellation != NULL);
    if (constellation_state_is_final(constellation->record.state) &&
        constellation->record.state != record->state) {
        if (segment->wish == NULL || !segment_is_done(segment)) {
            promise_broken(world, "P6", "constellation %" PRId64 " had ended", record->id);
        }
        constellation->cancel_asked = false;
        bool is_edit = segment->wish != NULL && segment->wish->event.kind == EVENT_EDIT;
        count_path(world, segment->step == BULK_STEP_ADMIT ? COUNT_BULK_REOPENS
                          : is_edit                        ? COUNT_EDIT_REOPENS
                                                           : COUNT_REOPENED);
    }
    bool is_edited = segment->wish != NULL && segment->wish->event.kind == EVENT_EDIT &&
                     segment->wish->constellation_id == record->id && segment_is_done(segment);
    uint32_t revision = is_edited && segment_has(segment, EFFECT_ADD_REVISION)
                            ? segment->wish->revision
                            : constellation->record.revision;
    if (record->revision != revision) {
        promise_broken(world, "P3", "constellation %" PRId64 " is at revision %u after %u",
                       record->id, record->revision, constellation->record.revision);
    }
    if (is_edited && (record->tasks != constellation->tasks_count ||
                      record->edges != books_stored_edges(constellation))) {
        promise_broken(world, "P3",
                       "constellation %" PRId64 " says it has %u tasks and %u dependencies, not "
                       "%u and %u",
                       record->id, record->tasks, record->edges, constellation->tasks_count,
                       books_stored_edges(constellation));
    }
    constellation->record = *record;
}

/* --- The whole --- */

static void count_history(struct world *world, const struct history *history)
{
    const struct book_attempt *attempt = books_attempt(world->books, history->fence);
    switch ((int)history->kind) {
    case HISTORY_TASK_LOST:
        world->counts->paths[COUNT_LOST_SILENT] +=
            str_is(history->text, "the device was cut off for too long");
        world->counts->paths[COUNT_LOST_NEVER_ARRIVED] +=
            str_is(history->text, "it never reached the agent");
        world->counts->paths[COUNT_LOST_DEAD] +=
            str_is(history->text, "the agent was restarted while it ran") ||
            str_is(history->text, "the machine was restarted");
        world->counts->paths[COUNT_POISON] += str_starts_with(history->text, STR("poison"));
        break;
    case HISTORY_TASK_ADOPTED:
        count_path(world, COUNT_ADOPTED);
        world->counts->paths[COUNT_ADOPTED_AFTER_RESTART] +=
            attempt != NULL && attempt->assigned_ms < world->daemon.started_ms;
        break;
    case HISTORY_ATTEMPT_STALE:
        count_path(world, COUNT_STALE);
        break;
    case HISTORY_TASK_ENDED:
        if (history->outcome == OUTCOME_DISCONNECTED) {
            bool was_shut_down = str_is(history->text, "the agent was shut down");
            count_path(world, was_shut_down ? COUNT_INTERRUPTED : COUNT_STOPPED_BY_LEASE);
        }
        break;
    case HISTORY_RESTORE_BLOCKED:
        promise_broken(world, "P5", "the database is taken for an old copy");
        break;
    default:
        break;
    }
}

/* What a wish has brought about, apart from rows that are looked at for themselves. */
static void take_wish(struct world *world, const struct segment *segment)
{
    struct wish *wish = segment->wish;
    bool is_done = segment_is_done(segment);
    if (wish->is_stored && wish->event.kind == EVENT_EDIT && is_done) {
        char text[400];
        wish_print(wish, text, sizeof text);
        promise_broken(world, "P3", "the same edit is applied twice: revision %u, %s",
                       wish->revision, text);
    }
    world->counts->paths[COUNT_EDIT_REPEATED] +=
        wish->is_stored && wish->event.kind == EVENT_EDIT && !is_done;
    if (wish->event.kind == EVENT_EDIT && is_done) {
        promise_edit_applied(world, segment);
    } else if (wish->event.kind == EVENT_EDIT) {
        promise_edit_refused(world, segment);
    } else if (wish->event.kind == EVENT_RESOLVE && is_done) {
        struct book_task *task = books_task(world->books, wish->event.resolve.task_id);
        task->is_resolved = true;
        count_path(world, COUNT_RESOLVED);
    } else if (wish->event.kind == EVENT_REOPEN && is_done) {
        count_path(world, wish->event.reopen.rerun ? COUNT_RERUN : COUNT_RETRY);
    } else if (wish->event.kind == EVENT_DRAIN && is_done) {
        count_path(world, COUNT_DRAINED);
    }
    wish->is_stored = wish->is_stored || is_done;
}

static void take_rows(struct world *world, const struct segment *segment)
{
    for (size_t i = 0; i < segment->count; i++) {
        const struct effect *effect = &segment->list[i];
        if (effect->kind == EFFECT_SAVE_DEVICE) {
            save_device(world->books, effect->device);
        } else if (effect->kind == EFFECT_ADD_CONSTELLATION ||
                   effect->kind == EFFECT_SAVE_CONSTELLATION) {
            save_constellation(world, segment, effect->constellation.record);
        }
    }
    promise_attempts(world, segment);
    for (size_t i = 0; i < segment->count && !world->broken; i++) {
        const struct effect *effect = &segment->list[i];
        if (effect->kind == EFFECT_ADD_TASK || effect->kind == EFFECT_SAVE_TASK) {
            promise_task_saved(world, segment, effect->task.record);
        }
    }
}

static void check_rows(struct world *world, const struct segment *segment)
{
    for (size_t i = 0; i < segment->count && !world->broken; i++) {
        const struct effect *effect = &segment->list[i];
        if (effect->kind == EFFECT_ADD_ATTEMPT) {
            promise_may_start(world, books_task(world->books, effect->attempt->task_id),
                              effect->attempt->fence);
            promise_nothing_lost(world, books_task(world->books, effect->attempt->task_id),
                                 effect->attempt->previous);
        } else if (effect->kind == EFFECT_ADD_TASK || effect->kind == EFFECT_SAVE_TASK) {
            struct book_task *task = books_task(world->books, effect->task.record->id);
            if (task != NULL && task->is_changed) {
                task->is_changed = false;
                promise_task_moved(world, segment, task);
            }
        } else if (effect->kind == EFFECT_HISTORY) {
            count_history(world, &effect->history);
        }
    }
    for (size_t i = 0; i < segment->count && !world->broken; i++) {
        const struct effect *effect = &segment->list[i];
        if (effect->kind == EFFECT_ADD_CONSTELLATION || effect->kind == EFFECT_SAVE_CONSTELLATION) {
            struct book_constellation *constellation =
                books_constellation(world->books, effect->constellation.record->id);
            promise_stopping(world, constellation);
            constellation->before = constellation->record;
            if (constellation_state_is_final(constellation->record.state)) {
                promise_verdict(world, constellation);
            }
        }
    }
}

/* An edit, or a part of one; before it is admitted nothing is. */
static bool may_change_plan(const struct segment *segment)
{
    bool is_edit = segment->wish != NULL && segment->wish->event.kind == EVENT_EDIT;
    return is_edit && (segment->step == BULK_STEP_NONE || segment->step == BULK_STEP_PART);
}

/* A row looks as it does at the end of its segment, wherever it stands in the list: so first all of one
   kind, in the order in which one depends on the other. */
void promise_committed(struct world *world, const struct turn_log *log)
{
    for (size_t i = 0; i < log->count && !world->broken; i++) {
        struct segment *segment = &log->segments[i];
        for (size_t k = 0; k < segment->count; k++) {
            if (segment->list[k].kind == EFFECT_ADD_CONSTELLATION) {
                add_constellation(world->books, &segment->list[k]);
            }
        }
        if (segment->step != BULK_STEP_NONE) {
            promise_bulk(world, segment);
        } else if (segment->wish != NULL) {
            take_wish(world, segment);
        }
        promise_holds(world, segment);
        if (!may_change_plan(segment)) {
            promise_plan_rows(world, segment);
        }
        /* They were asked for in the tick, which comes last. */
        for (size_t k = 0; k < log->refused_count && i + 1 == log->count; k++) {
            struct book_task *task = books_task(world->books, log->refused[k]);
            if (task != NULL) {
                task->prepare_refused = true;
                count_path(world, COUNT_PREPARE_REFUSED);
            }
        }
        if (!world->broken) {
            take_rows(world, segment);
        }
        if (!world->broken) {
            promise_decisions(world, log, segment);
        }
        check_rows(world, segment);
    }
}
