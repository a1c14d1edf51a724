/* What people and planners ask of the daemon: edits, holds, and what ends them. A wish is made from the
   books at some time, and reaches the daemon later: by then it may be outdated. */
#ifndef TESTS_SIM_WISH_H
#define TESTS_SIM_WISH_H

#include "orchestrator/engine/event.h"
#include "tests/sim/plan_make.h"

struct world;
struct effects;

enum { WISH_REQUESTS = 1000 }; /* the first of their requests: those of submissions are below */

struct wish {
    uint32_t index;
    struct event event; /* EDIT, HOLD, RELEASE, REOPEN, RESOLVE or DRAIN */
    int64_t constellation_id;
    struct edit edit;
    const struct sim_task **adds; /* by their number in the edit */
    const char *what;
    uint32_t sends;
    bool is_sent;   /* to the daemon that is up now, and not answered */
    bool is_stored; /* carried out, in a transaction that was committed */
    bool is_answered;
    uint32_t revision;     /* that an edit has made */
    bool is_large;         /* goes the way of an edit of many operations (daemon_bulk.c) */
    bool takes_back_large; /* what such a one has made */
};

struct wishes {
    struct wish **list;
    size_t count;
    size_t capacity;
};

struct wish *wish_new(struct world *world, enum event_kind kind, int64_t constellation_id,
                      const char *what);
/* The operations of an edit, for a complaint about it. */
void wish_print(const struct wish *wish, char *text, size_t bytes);
void wish_send(struct world *world, struct wish *wish);
void wishes_done(struct wishes *wishes);

/* people.c: somebody wishes something, again and again; and what they do when all is calm, so that
   what waits for a person does not wait for ever. */
void people_begin(struct world *world);
void people_decide(struct world *world);

/* edit_make.c: a batch that may well be accepted; garbage.c: one that hardly can be. NULL: there is nothing to edit. */
struct wish *edit_make(struct world *world, int64_t constellation_id);
struct wish *edit_make_inverse(struct world *world, const struct wish *wish);
struct wish *edit_make_garbage(struct world *world, int64_t constellation_id);

/* For both: the next operation, of `room` that an edit has. */
struct edit_making {
    struct wish *wish;
    struct edit_operation *operations;
    size_t room;
};
struct edit_making edit_begin(struct world *world, int64_t constellation_id, const char *what,
                              size_t room);
struct edit_operation *edit_add(struct edit_making *making, enum edit_kind kind);
edit_task edit_add_task(struct world *world, struct edit_making *making);
bool edit_touches(const struct edit *edit);
/* Of one task; `is_true`: as it is now, rather of one that runs. */
void edit_add_expectation(struct world *world, struct edit *edit, bool is_true);
void edit_add_edge(struct world *world, struct edit_making *making, edit_task from, edit_task to);

#endif
