/* Scenarios: a script of what happens to the engine, and the trace that must come of it.

   A line is a command; lines that begin with ">" are the trace expected since the command before. Each
   command is one turn: the event, TICK, answers to PREPARE, DISPATCH. Time stands still but for `wait`.

     plan NAME … end              submit; inside: task KEY [needs=a,b] [on=SELECTOR] [device=D]
                                  [attempts=N] [lost=N] [max=BYTES] [timeout=MS] [grace=MS] [stop] [priority=N] [refs]
                                  [once] [on-end=exit,…] [queue=MS] [start=MS] [strategy=S] [same=KEY] [other=KEY]
                                  [resource=NAME:N] [tool=NAME] [limit=NAME:N] [any] [gate] [finally] [allow-failure]
                                  [hold=REASON] [hold-on-failure=MS]; and: limit NAME CAPACITY, fail-fast, deadline MS.
                                  A need is KEY[:KIND][!][?CONDITION]; ! is required, as a reference makes it
     edit NAME [base=N] [exact] [dry-run] [release] … end   a batch; inside: add KEY … as a task, update KEY … likewise
                                  (all of it but its needs anew), remove KEY, link NEED KEY, relink NEED KEY (the one
                                  between the two), unlink FROM[:KIND] KEY, expect KEY STATE [ATTEMPTS], set
                                  [fail-fast] [deadline=MS]; release: the newest hold goes with it
     hello DEVICE [slots=N] [journal=J] [boot=B] [process=N] [session=N|last] [bound=D] [ahead]
                  [held=KEY#N:STATE,…] [has=RESOURCE:N] [tool=NAME] [LABEL=VALUE]…
     ready|ping DEVICE            close|goodbye DEVICE
     started DEVICE KEY#N         output DEVICE KEY#N BYTES
     finished DEVICE KEY#N OUTCOME [CODE] [out=BYTES] [reason=WORD]
     cancel NAME                  prepare-fails REASON (the next turn's answers)
     hold NAME [tasks=a,b|behind=a] [for=MS [fails]]       pause|resume NAME     release NAME (its newest hold)
     approve|deny KEY             retry NAME KEY,… [keep-skipped]                rerun NAME KEY,…
     wait MS                      state KEY STATE          waits KEY KIND (explains: and why each device does not)
     resolve KEY succeeded|failed|retry                    drain|undrain DEVICE   status DEVICE STATUS
     restart                      a new engine from the records of the old one */
#ifndef TESTS_SCENARIO_WORLD_H
#define TESTS_SCENARIO_WORLD_H

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "orchestrator/engine/engine.h"
#include "orchestrator/spec/condition.h"
#include "orchestrator/store/store.h"

enum { WORLD_TASKS_MAX = 64, WORLD_DEVICES_MAX = 16, WORLD_ATTEMPTS_MAX = 256 };

struct world_device {
    char name[64];
    uint64_t channel;
    uint64_t session;
};

struct world_attempt {
    uint64_t fence;
    int64_t task_id;
    uint32_t number;
};

struct world {
    struct engine *engine;
    struct store_disk *disk;
    struct store *store;
    struct condition_engine *conditions;
    struct effects effects;
    struct arena arena; /* plans and texts; lives as long as the world */
    struct moment now;
    struct {
        int64_t id;
        char key[64];
    } tasks[WORLD_TASKS_MAX];
    size_t tasks_count;
    const char *const *added; /* keys of what the edit of this turn adds, by their numbers */
    struct {
        int64_t id;
        char name[64];
    } plans[WORLD_TASKS_MAX];
    size_t plans_count;
    struct world_device devices[WORLD_DEVICES_MAX];
    size_t devices_count;
    struct world_attempt attempts[WORLD_ATTEMPTS_MAX];
    size_t attempts_count;
    char prepare_fails[128];
    struct buf trace;
};

struct world_device *world_device(struct world *world, const char *name);
const char *world_key(const struct world *world, int64_t task_id);
int64_t world_task(const struct world *world, const char *key); /* the latest of that key; 0 */

/* script.c: runs one file. False with a complaint when something is not as expected. With `print` the
   script goes to stdout with the trace that came, to be read and kept. */
bool script_run(const char *path, bool print, struct buf *ret_complaint);

/* trace.c: the effects of a turn as lines, and what they teach the world (ids, fences, sessions). */
void trace_effects(struct world *world);

#endif
