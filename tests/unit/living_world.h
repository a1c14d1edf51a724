/* An engine with one device, and a book of all that it asked to have stored: what the store would load
   can be loaded from it at any time. For the tests of edits, retries and reruns. */
#ifndef TESTS_UNIT_LIVING_WORLD_H
#define TESTS_UNIT_LIVING_WORLD_H

#include "common/base/map.h"
#include "orchestrator/engine/engine.h"

enum { LIVING_CHANNEL = 1, LIVING_ASSIGNED_MAX = 4096 };

/* How the harness answers a condition: 0 closes, 1 opens, 2 cannot be evaluated. */
typedef int living_condition(void *context, int64_t edge_id, int64_t from_id);

struct living {
    struct engine *engine;
    struct effects effects;
    struct moment now;
    living_condition *condition;
    void *context;
    /* The book. */
    struct map classes; /* id → copy of the record */
    struct map policies;
    struct map tasks;
    struct map edges;
    struct map holds; /* id → struct held */
    struct map attempts;
    struct constellation_record constellation;
    struct bulk_record bulk; /* id 0: none is being made */
    struct buf *parts;       /* of it, as they are stored */
    size_t parts_count;
    struct device_record device; /* texts are the engine's */
    int64_t last_id;             /* the highest of any kind */
    uint32_t revisions;
    struct msg_pair label; /* that the device says it has; no key: none */
    uint32_t slots;
    uint32_t slice;         /* 0: as much as the daemon's */
    size_t looks_max;       /* of an edit; likewise */
    uint32_t put_off_every; /* one in so many questions is put off; 0: none */
    uint32_t questions;
    uint32_t restarts;
    uint32_t boots;
    uint64_t session; /* the last that the device has made durable */
    /* Of the last turn. */
    struct {
        int64_t task_id;
        uint64_t fence;
    } assigned[LIVING_ASSIGNED_MAX];
    size_t assigned_count;
    int64_t new_tasks[LIVING_ASSIGNED_MAX]; /* in the order in which they came */
    size_t new_tasks_count;
    int64_t new_edges[LIVING_ASSIGNED_MAX];
    size_t new_edges_count;
    /* The answer to the last request: good until the next step. */
    enum err err;
    char why[512];
    int64_t hold_id;
    struct edit_result edit;
    bool has_edit;
    size_t effects_count;   /* of the last request's step */
    size_t hello_effects;   /* of the last Hello's */
    struct effects checked; /* of the last edit that was checked apart */
};

struct living *living_new(uint32_t slots);
/* One whose turns take on so little of long work that it is seen half done (see engine_config). */
struct living *living_new_slow(uint32_t slots, uint32_t slice);
/* An edit of one turn, and a part of a larger one, has so many looks (edit.h) from now on; 0: as the daemon's. */
void living_limit_looks(struct living *living, size_t looks_max);
void living_free(struct living *living);
/* The device comes back and says nothing of what it had: what was sent to it has never begun, or, if the
   machine has started anew meanwhile, is gone. */
void living_connect(struct living *living, bool died);
/* The same, and this is what it has. */
void living_return(struct living *living, bool died, const struct msg_held *held,
                   size_t held_count);
void living_say(struct living *living,
                const struct msg *msg); /* a turn with this of the device's */
/* Steps the events in one turn and stores what comes of them. */
void living_turn(struct living *living, struct event *events, size_t count);
/* More turns until nothing is left to do at once. */
void living_settle(struct living *living);
void living_submit(struct living *living, const struct plan *plan); /* constellation 1 */
void living_finish(struct living *living, uint64_t fence, enum outcome outcome, int exit_code);
enum err living_edit(struct living *living, const struct edit *edit);
/* The same as an edit of many operations, made in parts of so few rows: from its beginning to its end. */
enum err living_bulk(struct living *living, const struct edit *edit, size_t rows_max);
/* Whether the last edit was refused for that it has to be made so. */
bool living_is_too_large(const struct living *living);
/* The steps of that. What begins it; what comes of its check, which is made on an engine of its own; the
   answer to that comes when it is made, in a later turn. */
struct event living_bulk_begin(const struct edit *edit);
struct event living_bulk_check(struct living *living, const struct edit *edit, int64_t bulk_id,
                               size_t rows_max);
/* A final constellation is loaded from the book; nothing if it is live. */
void living_revive(struct living *living);
/* Fails the test if the engine breaks an invariant, or another loaded from the book prints otherwise. */
void living_check(struct living *living);
void living_compare(struct living *living);
/* Another engine as the store would load it now, before its first step. */
struct engine *living_load(struct living *living);
/* The daemon starts anew: what the book has is loaded, and the device comes back with nothing. */
void living_restart(struct living *living);
/* 0: none. */
int64_t living_find_hold(struct living *living, enum hold_origin origin, int64_t root);
struct edge_record *living_edge(struct living *living, int64_t id);
struct task_record *living_task(struct living *living, int64_t id); /* of the book; NULL none */

#endif
