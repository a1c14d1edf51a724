/* The checker: holds. One that was acknowledged is there until it has ended for a reason. */
#include <inttypes.h>

#include "tests/sim/promise_plan.h"
#include "tests/sim/world.h"

static bool is_held_by(const struct book_hold *hold, const struct book_task *task)
{
    return hold->record.scope == HOLD_ALL || books_hold_names(hold, task->id);
}

/* All behind the root, by the books. */
static size_t count_descendants(struct books *books, const struct book_constellation *constellation,
                                struct book_task *root, const struct book_hold *hold,
                                size_t *ret_missing)
{
    size_t count = 0;
    unsigned mark = ++books->marks;
    bool grows = true;
    root->mark = mark;
    while (grows) {
        grows = false;
        for (uint32_t i = 0; i < constellation->edges_count; i++) {
            const struct book_edge *edge = constellation->edges[i];
            if (edge->from->mark == mark && edge->to->mark != mark) {
                edge->to->mark = mark;
                grows = true;
                count++;
                *ret_missing += !books_hold_names(hold, edge->to->id);
            }
        }
    }
    return count;
}

/* What was asked for, and no other thing. */
static void check_request(struct world *world, const struct segment *segment,
                          const struct book_hold *hold)
{
    const struct event *event = &segment->wish->event;
    size_t missing = 0;
    size_t wanted = event->hold.task_ids_count;
    if (event->hold.scope == HOLD_DESCENDANTS) {
        wanted =
            count_descendants(world->books, hold->constellation,
                              books_task(world->books, event->hold.task_ids[0]), hold, &missing);
    } else {
        for (size_t i = 0; i < wanted; i++) {
            missing += !books_hold_names(hold, event->hold.task_ids[i]);
        }
    }
    if (hold->record.scope != event->hold.scope || hold->record.origin != event->hold.origin ||
        missing > 0 || wanted != hold->tasks_count) {
        promise_broken(world, "the hold", "%" PRId64 " holds %zu tasks, and %zu were to be held",
                       hold->record.id, hold->tasks_count, wanted);
    }
    count_path(world, hold->record.origin == HOLD_PAUSE        ? COUNT_PAUSED
                      : hold->record.scope == HOLD_ALL         ? COUNT_HOLD_ALL
                      : hold->record.scope == HOLD_DESCENDANTS ? COUNT_HOLD_DESCENDANTS
                                                               : COUNT_HOLD_TASKS);
}

static void check_placed(struct world *world, const struct segment *segment)
{
    const struct effect *reply = segment_reply(segment);
    if (segment->wish == NULL || segment->wish->event.kind != EVENT_HOLD || reply == NULL ||
        reply->reply.err != ERR_NONE) {
        return;
    }
    const struct book_hold *hold = books_hold(world->books, reply->reply.hold_id);
    if (hold == NULL) {
        promise_broken(world, "P5", "hold %" PRId64 " is answered and not stored",
                       reply->reply.hold_id);
        return;
    }
    bool is_new = false;
    for (size_t i = 0; i < segment->count; i++) {
        is_new = is_new || segment->list[i].kind == EFFECT_ADD_HOLD;
    }
    if (is_new) {
        check_request(world, segment, hold);
    }
}

/* What an edit puts behind what a hold on descendants holds is held by it too. */
static void check_growth(struct world *world, const struct book_edge *added)
{
    const struct book_constellation *constellation = added->constellation;
    const struct book_task *to = added->to;
    bool is_open = to->record.state == TASK_WAITING && !book_task_has_started(to);
    for (const struct book_hold *hold = constellation->holds; hold != NULL && is_open;
         hold = hold->next) {
        bool below = hold->record.scope == HOLD_DESCENDANTS &&
                     (hold->record.root_task_id == added->from->id ||
                      books_hold_names(hold, added->from->id));
        if (below && !books_hold_names(hold, to->id)) {
            promise_broken(world, "the hold",
                           "task %" PRId64 " is put behind hold %" PRId64 " and not held", to->id,
                           hold->record.id);
        }
    }
}

static bool is_due(const struct world *world, const struct book_hold *hold)
{
    /* Over a restart only the wall clock knows when that is. */
    bool unsure = world->books->jumped_ms >= hold->placed_ms;
    return hold->record.deadline_wall_ms != 0 &&
           (unsure || world->now_ms - hold->placed_ms >= hold->record.length_ms);
}

/* Its constellation, or its task, which nobody is asked about any more. */
static bool is_ended(const struct segment *segment, const struct book_hold *hold)
{
    for (size_t i = 0; i < segment->count; i++) {
        const struct effect *effect = &segment->list[i];
        if ((effect->kind == EFFECT_SAVE_CONSTELLATION &&
             effect->constellation.record->id == hold->constellation->id &&
             constellation_state_is_final(effect->constellation.record->state))) {
            return true;
        }
        if (effect->kind == EFFECT_SAVE_CONSTELLATION && hold->record.origin == HOLD_FAILURE &&
            effect->constellation.record->id == hold->constellation->id &&
            (effect->constellation.record->cancel_requested ||
             effect->constellation.record->stopping)) {
            return true; /* a failure leaves nobody anything to act on then */
        }
        bool is_task = effect->kind == EFFECT_ADD_TASK || effect->kind == EFFECT_SAVE_TASK;
        if (is_task && hold->record.origin == HOLD_APPROVAL &&
            effect->task.record->id == hold->record.root_task_id &&
            task_state_is_final((enum task_state)effect->task.record->state)) {
            return true;
        }
    }
    return false;
}

/* Somebody has said so, or its task is gone, or begins anew. */
static bool is_wished(const struct segment *segment, const struct book_hold *hold)
{
    const struct wish *wish = segment->wish;
    if (wish == NULL || !segment_is_done(segment)) {
        return false;
    }
    bool is_of_task = hold->record.origin == HOLD_APPROVAL || hold->record.origin == HOLD_FAILURE;
    switch ((int)wish->event.kind) {
    case EVENT_RELEASE:
        return wish->event.release.hold_id == hold->record.id ||
               (wish->event.release.hold_id == 0 && hold->record.origin == HOLD_PAUSE);
    case EVENT_EDIT:
        return wish->edit.release_hold_id == hold->record.id || is_of_task;
    case EVENT_REOPEN:
        return is_of_task;
    default:
        return false;
    }
}

/* Of an edit in parts: it was not admitted, its daemon has ended before it was, or all is made. */
static bool is_made(struct world *world, const struct segment *segment,
                    const struct book_hold *hold)
{
    bool is_gone = segment->step == BULK_STEP_DROP ||
                   (segment->step == BULK_STEP_ADMIT && !segment_is_done(segment));
    for (size_t i = 0; i < segment->count; i++) {
        is_gone = is_gone || (segment->list[i].kind == EFFECT_REMOVE_BULK &&
                              segment->list[i].id == hold->record.id);
    }
    bool is_lost = hold->placed_ms <= world->books->restarted_ms &&
                   books_bulk(world->books, hold->record.id) == NULL;
    count_path_if(world, COUNT_BULK_LOST, hold->record.origin == HOLD_BULK && is_lost);
    return hold->record.origin == HOLD_BULK && (is_gone || is_lost);
}

static void remove_hold(struct world *world, const struct segment *segment, struct book_hold *hold)
{
    const struct wish *wish = segment->wish;
    bool is_wish = is_wished(segment, hold);
    bool has_expired = !is_wish && is_due(world, hold);
    if (!is_wish && !has_expired && !is_ended(segment, hold) && !is_made(world, segment, hold)) {
        promise_broken(world, "the hold",
                       "%" PRId64 " of origin %d on task %" PRId64
                       " has ended, and nobody has released it",
                       hold->record.id, (int)hold->record.origin, hold->record.root_task_id);
    }
    bool is_denied = is_wish && wish->event.kind == EVENT_RELEASE && !wish->event.release.approved;
    bool fails = is_denied || (has_expired && hold->record.on_expiry == HOLD_EXPIRY_FAIL);
    for (uint32_t i = 0; fails && i < hold->constellation->tasks_count; i++) {
        struct book_task *task = hold->constellation->tasks[i];
        task->is_denied = task->is_denied || is_held_by(hold, task);
    }
    if (has_expired) {
        count_path(world, fails                                 ? COUNT_HOLD_EXPIRED_FAIL
                          : hold->record.origin == HOLD_FAILURE ? COUNT_HOLD_FAILURE_EXPIRED
                                                                : COUNT_HOLD_EXPIRED);
    } else if (is_wish && wish->event.kind == EVENT_RELEASE) {
        count_path(world, is_denied                              ? COUNT_DENIED
                          : hold->record.origin == HOLD_APPROVAL ? COUNT_APPROVED
                          : hold->record.origin == HOLD_PAUSE    ? COUNT_RESUMED
                                                                 : COUNT_RELEASED);
    }
    world->counts->paths[COUNT_HOLD_KEPT] += hold->placed_ms < world->books->restarted_ms;
    books_remove_hold(world->books, hold);
}

/* An expiry that fails what it holds goes task by task, before its hold ends. */
static void expect_failures(struct world *world, const struct book_constellation *constellation)
{
    for (const struct book_hold *hold = constellation->holds; hold != NULL; hold = hold->next) {
        bool fails = hold->record.on_expiry == HOLD_EXPIRY_FAIL && is_due(world, hold);
        for (uint32_t i = 0; fails && i < constellation->tasks_count; i++) {
            struct book_task *task = constellation->tasks[i];
            task->is_denied = task->is_denied || is_held_by(hold, task);
        }
    }
}

void promise_holds(struct world *world, const struct segment *segment)
{
    struct books *books = world->books;
    for (const struct book_constellation *constellation = books->first; constellation != NULL;
         constellation = constellation->next) {
        expect_failures(world, constellation);
    }
    for (size_t i = 0; i < segment->count && !world->broken; i++) {
        const struct effect *effect = &segment->list[i];
        if (effect->kind == EFFECT_ADD_HOLD) {
            books_add_hold(books, effect->hold.record)->placed_ms = world->now_ms;
        } else if (effect->kind == EFFECT_ADD_HOLD_TASK) {
            struct book_hold *hold = books_hold(books, effect->hold_task.hold_id);
            if (hold == NULL) {
                promise_broken(world, "P5", "hold %" PRId64 " is not there",
                               effect->hold_task.hold_id);
                return;
            }
            books_hold_task(hold, effect->hold_task.task_id);
        } else if (effect->kind == EFFECT_REMOVE_HOLD) {
            struct book_hold *hold = books_hold(books, effect->id);
            if (hold == NULL) {
                promise_broken(world, "P5", "hold %" PRId64 " ends and was never stored",
                               effect->id);
                return;
            }
            remove_hold(world, segment, hold);
        }
    }
    check_placed(world, segment);
    for (size_t i = 0; i < segment->count && segment_is_done(segment) && !world->broken; i++) {
        const struct effect *effect = &segment->list[i];
        if (effect->kind == EFFECT_ADD_EDGE) {
            check_growth(world, books_edge(books, effect->edge.record.id));
        }
    }
}

void promise_check_holds_loaded(struct world *world, const struct book_constellation *constellation)
{
    for (const struct book_hold *hold = constellation->holds; hold != NULL; hold = hold->next) {
        struct hold_view view = { 0 };
        bool good =
            engine_find_hold(world->daemon.engine, constellation->id, hold->record.id, &view) &&
            view.record->scope == hold->record.scope &&
            view.record->origin == hold->record.origin &&
            view.record->deadline_wall_ms == hold->record.deadline_wall_ms;
        for (size_t i = 0; good && i < hold->tasks_count; i++) {
            bool is_named = books_task(world->books, hold->tasks[i]) == NULL;
            for (size_t k = 0; k < view.task_ids_count && !is_named; k++) {
                is_named = view.task_ids[k] == hold->tasks[i];
            }
            good = is_named;
        }
        if (!good) {
            promise_broken(world, "P5", "hold %" PRId64 " is forgotten", hold->record.id);
        }
    }
}

void promise_forget_holds(struct world *world)
{
    struct effects effects = { 0 };
    for (const struct book_constellation *constellation = world->books->first;
         constellation != NULL; constellation = constellation->next) {
        for (const struct book_hold *hold = constellation->holds; hold != NULL; hold = hold->next) {
            struct event event = { .kind = EVENT_RELEASE, .now = daemon_now(world) };
            event.release.constellation_id = constellation->id;
            event.release.hold_id = hold->record.id;
            event.release.approved = true;
            engine_step(world->daemon.engine, &event, &effects);
        }
    }
    effects_done(&effects);
}
