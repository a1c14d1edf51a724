/* An edit of more operations than a turn can make. It is one edit all the same: checked as a whole, applied
   as a whole or not at all, one revision. The steps:
     BEGIN  a hold on all is placed: nothing starts, nothing is skipped, nobody else changes the plan, so
            that what is found good stays good. What runs goes on. The shell checks the edit meanwhile, by
            the very same rules, on another engine that is loaded from the database (api/bulk_check.c).
     ADMIT  with the row that this writes it is sure to be made, whatever happens, if what it expects holds
            still: what runs is not held. DROP, it was refused.
     PART   one a turn: what goes before what comes, so that no graph in between has a cycle. The last
            brings the revision. A restart goes on with the next.
     RENEW  if it has rewired what was skipped, all parts once more: what can start now waits again.
     ORDER  if a part had to do without the order of the plan, which it would have had to look for too far
            (edit_link.c), it is made anew from the ranks, over several turns.
   Then the hold ends. A constellation that has ended is not held while it is checked, since nothing of it
   can start; that nothing else has changed it is looked at when the edit is admitted. */
#include "common/base/mem.h"
#include "orchestrator/engine/attention.h"
#include "orchestrator/engine/model.h"

enum phase {
    PHASE_CHECKED, /* elsewhere */
    PHASE_MADE,
    PHASE_ORDERED, /* all of it is made */
    PHASE_LOST,    /* its daemon has ended before it was accepted */
};

struct bulk {
    struct constellation *constellation;
    struct hold *hold;
    enum phase phase;
    struct bulk_record record;
    uint32_t tasks_left; /* that it still adds: room is kept for them */
    uint32_t classes;    /* likewise; of one that is loaded it is not known */
    uint32_t policies;
    bool has_request;
    uint64_t request;
    struct bulk *next;
};

static struct bulk *enlist(struct engine *engine, struct hold *hold, enum phase phase)
{
    struct bulk *bulk = mem_alloc(sizeof *bulk);
    CHECK(hold->constellation->bulk == NULL);
    bulk->constellation = hold->constellation;
    bulk->constellation->bulk = bulk;
    bulk->hold = hold;
    bulk->phase = phase;
    struct bulk **last = &engine->bulks_first;
    while (*last != NULL) {
        last = &(*last)->next;
    }
    *last = bulk;
    return bulk;
}

void bulk_free(struct engine *engine, struct constellation *constellation)
{
    struct bulk *bulk = constellation->bulk;
    if (bulk != NULL) {
        struct bulk **at = &engine->bulks_first;
        while (*at != bulk) {
            at = &(*at)->next;
        }
        *at = bulk->next;
        constellation->bulk = NULL;
        engine->tasks_due -= bulk->tasks_left;
        engine->classes_due -= bulk->classes;
        engine->policies_due -= bulk->policies;
        mem_free(bulk);
    }
}

/* What it has kept goes on, or is cancelled, if that was asked for meanwhile. */
static void let_go(struct engine *engine, struct bulk *bulk, struct str why)
{
    struct constellation *constellation = bulk->constellation;
    struct hold *hold = bulk->hold;
    bulk_free(engine, constellation);
    bool stops = constellation->record.cancel_requested || constellation->record.stopping;
    if (stops && constellation->reopening == NULL) {
        constellation_queue_job(engine, constellation, JOB_CANCEL);
    }
    hold_end(engine, hold, why);
    constellation_settle(engine, constellation);
}

static void refuse(struct engine *engine, uint64_t request, int64_t constellation_id,
                   enum edit_code code)
{
    engine_reply(engine, request, ERR_CONFLICT, constellation_id, str_of(edit_code_name(code)));
}

static bool is_stopping(const struct constellation *constellation)
{
    return !constellation_state_is_final(constellation->record.state) &&
           (constellation->record.cancel_requested || constellation->record.stopping);
}

/* A hold that has run out is about to fail what waits. */
static bool is_expiring(const struct constellation *constellation)
{
    return constellation->job == JOB_EXPIRE || (constellation->jobs_due & 1U << JOB_EXPIRE) != 0;
}

void bulk_begin(struct engine *engine, const struct event *event)
{
    int64_t id = event->bulk_begin.constellation_id;
    uint64_t request = event->bulk_begin.request;
    struct constellation *constellation = map_get(&engine->constellations, (uint64_t)id);
    if (constellation == NULL || constellation->record.state == CONSTELLATION_LOADING) {
        engine_reply(engine, request, ERR_NOT_FOUND, id, STR("no such constellation"));
        return;
    }
    if (is_stopping(constellation)) {
        refuse(engine, request, id, EDIT_CODE_CANCELLED);
        return;
    }
    if (constellation_is_being_changed(constellation) || is_expiring(constellation)) {
        refuse(engine, request, id, EDIT_CODE_REOPENING);
        return;
    }
    int64_t bulk_id = engine->config.next_hold_id;
    engine->bulks_moved_boot_ms = engine->now.boot_ms;
    if (constellation_state_is_final(constellation->record.state)) {
        engine->config.next_hold_id++;
    } else {
        enlist(engine,
               hold_bulk(engine, constellation, 0, event->bulk_begin.operations,
                         event->bulk_begin.actor),
               PHASE_CHECKED);
    }
    engine_reply(engine, request, ERR_NONE, id, STR(""))->reply.hold_id = bulk_id;
}

static struct bulk *find(const struct engine *engine, int64_t constellation_id, int64_t bulk_id)
{
    const struct constellation *constellation =
        map_get(&engine->constellations, (uint64_t)constellation_id);
    struct bulk *bulk = constellation == NULL ? NULL : constellation->bulk;
    return bulk != NULL && bulk->hold->record.id == bulk_id ? bulk : NULL;
}

void bulk_drop(struct engine *engine, const struct event *event)
{
    struct bulk *bulk = find(engine, event->bulk_drop.constellation_id, event->bulk_drop.bulk_id);
    engine->bulks_moved_boot_ms = engine->now.boot_ms;
    if (bulk != NULL && bulk->phase == PHASE_CHECKED) {
        let_go(engine, bulk, event->bulk_drop.why);
    }
}

/* Whether it is what it was when the edit was checked: held since then, or ended all the time. */
static bool is_as_checked(const struct event *event, const struct constellation *constellation,
                          const struct bulk *bulk)
{
    const struct constellation_record *record = &constellation->record;
    if (bulk != NULL) {
        return bulk->phase == PHASE_CHECKED;
    }
    return constellation->bulk == NULL && constellation_state_is_final(record->state) &&
           record->revision == event->bulk_admit.revision &&
           record->finished_wall_ms == event->bulk_admit.finished_wall_ms;
}

/* What the check could not know of: what others have taken meanwhile. */
static enum edit_code room_for(struct engine *engine, const struct event *event)
{
    if (!constellation_has_room(engine, event->bulk_admit.tasks_added)) {
        return EDIT_CODE_TOO_MANY_TASKS;
    }
    for (int i = 0; i < 2; i++) {
        if (placement_has_room(engine, event->bulk_admit.classes, event->bulk_admit.policies)) {
            return EDIT_CODE_NONE;
        }
        placement_sweep(engine);
    }
    return EDIT_CODE_TOO_MANY_CLASSES;
}

static void keep_room(struct engine *engine, struct bulk *bulk, const struct event *event)
{
    bulk->tasks_left = event->bulk_admit.tasks_added;
    bulk->classes = event->bulk_admit.classes;
    bulk->policies = event->bulk_admit.policies;
    engine->tasks_due += bulk->tasks_left;
    engine->classes_due += bulk->classes;
    engine->policies_due += bulk->policies;
}

static void save(struct engine *engine, const struct bulk *bulk)
{
    effects_add(engine->effects, EFFECT_PUT_BULK)->bulk = bulk->record;
}

void bulk_admit(struct engine *engine, const struct event *event)
{
    int64_t id = event->bulk_admit.constellation_id;
    int64_t bulk_id = event->bulk_admit.bulk_id;
    uint64_t request = event->bulk_admit.request;
    struct constellation *constellation = map_get(&engine->constellations, (uint64_t)id);
    struct bulk *bulk = find(engine, id, bulk_id);
    if (constellation == NULL) {
        engine_reply(engine, request, ERR_NOT_FOUND, id, STR("no such constellation"));
        return;
    }
    enum edit_code code = EDIT_CODE_NONE;
    engine->bulks_moved_boot_ms = engine->now.boot_ms;
    if (is_stopping(constellation)) {
        code = EDIT_CODE_CANCELLED;
    } else if (!is_as_checked(event, constellation, bulk)) {
        code = EDIT_CODE_REOPENING;
    } else {
        code = room_for(engine, event);
    }
    if (code != EDIT_CODE_NONE) {
        if (bulk != NULL && bulk->phase == PHASE_CHECKED) {
            let_go(engine, bulk, STR("it was refused"));
        }
        refuse(engine, request, id, code);
        return;
    }
    if (edit_refuse_unexpected(engine, event->bulk_admit.edit, request)) {
        if (bulk != NULL) {
            let_go(engine, bulk, STR("it was refused"));
        }
        return;
    }
    bool reopens = bulk == NULL;
    if (reopens) {
        constellation_reopen(engine, constellation, event->bulk_admit.actor);
        bulk = enlist(engine,
                      hold_bulk(engine, constellation, bulk_id, event->bulk_admit.operations,
                                event->bulk_admit.actor),
                      PHASE_CHECKED);
    }
    bulk->phase = PHASE_MADE;
    bulk->has_request = true;
    bulk->request = request;
    bulk->record = (struct bulk_record){
        .id = bulk_id,
        .constellation_id = id,
        .first_task_id = engine->config.next_task_id,
        .tasks_added = event->bulk_admit.tasks_added,
        .parts = event->bulk_admit.parts,
        .reopens = reopens,
    };
    engine->config.next_task_id += (int64_t)event->bulk_admit.tasks_added;
    keep_room(engine, bulk, event);
    save(engine, bulk);
}

static bool is_admitted(const struct bulk *bulk)
{
    return bulk->phase == PHASE_MADE || bulk->phase == PHASE_ORDERED;
}

const struct bulk_record *bulk_record_of(const struct constellation *constellation)
{
    const struct bulk *bulk = constellation->bulk;
    return bulk != NULL && is_admitted(bulk) ? &bulk->record : NULL;
}

bool engine_makes_bulk(const struct engine *engine, int64_t constellation_id, int64_t bulk_id)
{
    const struct bulk *bulk = find(engine, constellation_id, bulk_id);
    return bulk != NULL && is_admitted(bulk);
}

int64_t engine_bulks_stand_ms(const struct engine *engine, struct moment now)
{
    return engine->bulks_first == NULL ? 0 : now.boot_ms - engine->bulks_moved_boot_ms;
}

void bulk_note_skipped(struct constellation *constellation)
{
    constellation->bulk->record.renews = true;
}

bool engine_wants_part(const struct engine *engine, struct part_wanted *ret_wanted)
{
    for (const struct bulk *bulk = engine->bulks_first; bulk != NULL; bulk = bulk->next) {
        if (bulk->phase == PHASE_MADE && bulk->constellation->reopening == NULL) {
            *ret_wanted = (struct part_wanted){
                .constellation_id = bulk->record.constellation_id,
                .bulk_id = bulk->record.id,
                .first_task_id = bulk->record.first_task_id,
                .number = bulk->record.next,
            };
            return true;
        }
    }
    return false;
}

static void finish(struct engine *engine, struct bulk *bulk)
{
    effects_add(engine->effects, EFFECT_REMOVE_BULK)->id = bulk->record.id;
    if (bulk->has_request) {
        engine_reply(engine, bulk->request, ERR_NONE, bulk->record.constellation_id, STR(""));
    }
    let_go(engine, bulk, STR("it has been made"));
}

/* What it has brought back may have begun a retry that takes longer: that has a hold of its own, and calls
   finally tasks back. Else they are called here, if there is something to do again. */
static void all_are_made(struct engine *engine, struct bulk *bulk, struct str author)
{
    struct constellation *constellation = bulk->constellation;
    const struct renewal none = { 0 };
    if (constellation->reopening == NULL) {
        edit_renew(engine, constellation, &none, author);
    }
    if (constellation->order_lost) {
        rank_renew(engine, constellation);
    }
    if (constellation->order_lost) {
        bulk->phase = PHASE_ORDERED;
        save(engine, bulk);
    } else {
        finish(engine, bulk);
    }
}

void bulk_part(struct engine *engine, const struct event *event)
{
    const struct edit *edit = event->bulk_part.edit;
    struct bulk *bulk = find(engine, edit->constellation_id, event->bulk_part.bulk_id);
    CHECK(bulk != NULL && bulk->phase == PHASE_MADE && bulk->constellation->reopening == NULL);
    struct bulk_record *record = &bulk->record;
    engine->bulks_moved_boot_ms = engine->now.boot_ms;
    if (record->is_renewing) {
        edit_renew_part(engine, edit);
    } else {
        edit_make_part(engine, edit);
        bulk->tasks_left -= (uint32_t)edit->tasks_added;
        engine->tasks_due -= edit->tasks_added;
    }
    record->next++;
    if (record->next == record->parts && record->renews && !record->is_renewing) {
        record->is_renewing = true;
        record->next = 0;
    }
    if (record->next < record->parts) {
        save(engine, bulk);
    } else {
        all_are_made(engine, bulk, edit->author);
    }
}

/* They were loaded last: nobody else adds any meanwhile. */
static uint32_t tasks_made(const struct bulk *bulk)
{
    const struct constellation *constellation = bulk->constellation;
    uint32_t count = 0;
    while (count < bulk->record.tasks_added && count < constellation->tasks &&
           constellation_task(constellation, constellation->tasks - 1 - count)->record.id >=
               bulk->record.first_task_id) {
        count++;
    }
    return count;
}

void engine_load_bulk(struct engine *engine, const struct bulk_record *record)
{
    struct hold *hold = map_get(&engine->holds, (uint64_t)record->id);
    CHECK(hold != NULL && hold->constellation->record.id == record->constellation_id);
    enum phase phase = record->next < record->parts ? PHASE_MADE : PHASE_ORDERED;
    struct bulk *bulk = enlist(engine, hold, phase);
    bulk->record = *record;
    bulk->tasks_left = record->tasks_added - tasks_made(bulk);
    engine->tasks_due += bulk->tasks_left;
}

void bulk_resume(struct engine *engine, struct hold *hold)
{
    if (hold->constellation->bulk == NULL) {
        enlist(engine, hold, PHASE_LOST);
    }
}

bool bulk_is_due(const struct engine *engine)
{
    const struct bulk *bulk = engine->bulks_first;
    while (bulk != NULL && bulk->phase != PHASE_LOST && bulk->phase != PHASE_ORDERED) {
        bulk = bulk->next;
    }
    return bulk != NULL;
}

void bulk_work(struct engine *engine)
{
    struct bulk *next = NULL;
    for (struct bulk *bulk = engine->bulks_first; bulk != NULL; bulk = next) {
        next = bulk->next;
        if (bulk->phase == PHASE_LOST) {
            let_go(engine, bulk, STR("the daemon has ended before it was accepted"));
        } else if (bulk->phase == PHASE_ORDERED && !bulk->constellation->order_lost) {
            finish(engine, bulk);
        }
    }
}
