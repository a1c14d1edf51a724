/* How a constellation that was submitted is changed: edits, at once or in parts, retries and reruns, and
   what begins again because of them. Private to the engine. */
#ifndef ORCHESTRATOR_ENGINE_CHANGE_H
#define ORCHESTRATOR_ENGINE_CHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/map.h"
#include "common/base/str.h"
#include "orchestrator/engine/record.h"
#include "orchestrator/engine/task.h"

struct bulk_record;
struct constellation;
struct edit;
struct engine;
struct event;
struct hold;

/* --- forecast.c --- */
/* What the ways to it come to when all that is final has been decided; anew: as if nothing into it had
   been decided yet. A condition that has to be asked counts as undecided. `states`, if not NULL, says
   otherwise than the tasks what state they are in: index + 1 → state. */
enum ways forecast_ways(const struct task *task, bool anew, const struct map *states);

/* --- renew.c --- */
struct renewal {
    uint32_t *list;
    size_t count;
    size_t capacity;
};
void renewal_list(struct renewal *renewal, const struct task *task); /* nothing changes by it */
/* The task waits again; one that is not skipped begins another round. */
void renewal_add(struct engine *engine, struct renewal *renewal, struct task *task);
/* What they decided is erased where it has not been used, what was skipped for that waits again
   (unless keep_skipped), and all of them are decided anew. */
void renewal_spread(struct engine *engine, struct constellation *constellation,
                    struct renewal *renewal, bool keep_skipped);
/* The steps of that, one edge each: out of one that waits again (returns what it cost, in rows), and into
   it. */
size_t renewal_erase(struct engine *engine, struct constellation *constellation,
                     struct renewal *renewal, struct edge *edge, bool keep_skipped);
void renewal_decide(struct engine *engine, struct constellation *constellation, uint32_t edge);
void renewal_done(struct renewal *renewal);
/* What is not finally is about to go on: finally tasks that have run are added, for another round. */
void renewal_add_finals(struct engine *engine, struct constellation *constellation,
                        struct renewal *renewal);
/* One of them. False: it has not run, or runs still. */
bool renewal_adds_final(struct engine *engine, struct renewal *renewal, struct task *task);
/* A final one runs again; nothing if it is not final. */
void constellation_reopen(struct engine *engine, struct constellation *constellation,
                          struct str actor);

/* --- edit.c, reopen.c, resolve.c: one a kind of event, each answers it --- */
void edit_step(struct engine *engine, const struct event *event);
/* Makes one part of an edit that was accepted. */
void edit_make_part(struct engine *engine, const struct edit *edit);
/* Answered and true: something that it expects does not hold. */
bool edit_refuse_unexpected(struct engine *engine, const struct edit *edit, uint64_t request);
/* What was skipped and need not be any more waits again, with what is behind it; and finally tasks that have
   run, if there is something to do before them. */
void edit_renew(struct engine *engine, struct constellation *constellation,
                const struct renewal *skipped, struct str author);
/* What it has changed of what was skipped waits again, if it can: once all parts are made. */
void edit_renew_part(struct engine *engine, const struct edit *edit);
void reopen_step(struct engine *engine, const struct event *event);
void resolve_step(struct engine *engine, const struct event *event);

/* --- reopen_job.c --- */
/* Whether what would begin again with these tasks, by index, is more than a turn should take. */
bool reopen_is_large(const struct engine *engine, struct constellation *constellation,
                     const uint32_t *tasks, size_t count, enum hold_origin kind);
/* Does it in slices, under a hold that the caller's turn makes durable, and answers then. Nobody
   else may reopen or edit the constellation meanwhile. */
void reopen_begin(struct engine *engine, struct constellation *constellation, const uint32_t *tasks,
                  size_t count, enum hold_origin kind, const uint64_t *request, struct str actor);
/* After a load that has found such a hold. */
void reopen_resume(struct engine *engine, struct hold *hold);
void reopen_drop(struct engine *engine, struct constellation *constellation); /* of memory only */
size_t reopen_work(struct engine *engine, size_t budget);

/* --- bulk.c --- */
void bulk_begin(struct engine *engine, const struct event *event);
void bulk_drop(struct engine *engine, const struct event *event);
void bulk_admit(struct engine *engine, const struct event *event);
void bulk_part(struct engine *engine, const struct event *event);
/* After a load that has found such a hold: if nothing else is known of it, it was never accepted. */
void bulk_resume(struct engine *engine, struct hold *hold);
void bulk_free(struct engine *engine, struct constellation *constellation); /* of memory only */
bool bulk_is_due(const struct engine *engine);
void bulk_work(struct engine *engine);
/* NULL: none is being made. */
const struct bulk_record *bulk_record_of(const struct constellation *constellation);
/* A part has changed what was skipped: when all are made, that is looked at. */
void bulk_note_skipped(struct constellation *constellation);

#endif
