/* The daemon's shell around the engine: turns over a store, and death at any point of them. */
#ifndef TESTS_SIM_DAEMON_H
#define TESTS_SIM_DAEMON_H

#include "orchestrator/store/store.h"
#include "tests/sim/net.h"
#include "tests/sim/turn_log.h"

struct world;
struct sim_plan;

enum { DAEMON_WAKES_MAX = 8 };

struct daemon {
    bool up;
    unsigned lives;
    struct store_disk *disk; /* NULL: a real store in `data_dir` */
    char *data_dir;
    struct store *store;
    struct store_start start;
    struct engine *engine;
    struct effects effects;
    struct arena arena; /* of a turn */
    struct turn_log log;
    struct inbox inbox;
    struct buf wire;
    int64_t turn_ms;          /* when the next turn is due; INT64_MAX: none is planned */
    int64_t stalled_until_ms; /* no turn before */
    int64_t boot_base_ms;
    int64_t wall_ms;
    int64_t started_ms;
    uint64_t turns;
    struct daemon_wake {
        struct store_wake rows;
        uint64_t turn;         /* in which it was last taken on */
    } wakes[DAEMON_WAKES_MAX]; /* of constellations that have ended; their wishes wait */
    size_t wakes_count;
    struct flight *flights; /* daemon_bulk.c: edits of many operations that are not admitted yet */
    struct effect kept;     /* sabotage */
    struct arena kept_arena;
};

void daemon_init(struct world *world);
void daemon_done(struct world *world);
void daemon_start(struct world *world);
/* kill -9, or with `power` a power cut; it comes back after `down_ms`. */
void daemon_kill(struct world *world, bool power, int64_t down_ms);
void daemon_arrived(struct world *world);
struct moment daemon_now(const struct world *world);
void daemon_submit(struct world *world, struct sim_plan *plan);
void daemon_cancel(struct world *world, int64_t constellation_id);

/* daemon_hear.c: some or all of what has arrived. */
struct heard {
    struct event event;
    struct wish *wish; /* whose event it is; NULL: nobody's */
};

struct events {
    struct heard *list;
    size_t count;
    size_t capacity;
};
void daemon_hear(struct world *world, struct events *events);

/* daemon_wish.c: a wish by itself, and its segment; or it waits for its constellation, and is heard
   again in the next turn. */
enum err daemon_wish(struct world *world, struct wish *wish, struct reason *reason);

/* Its constellation is there after this, or *ret_waits: it comes some rows a turn. */
enum err daemon_revive(struct world *world, int64_t id, bool *ret_waits, struct reason *reason);
/* Those who read keys refuse an edit that adds one that is there already. */
bool daemon_has_taken_key(struct world *world, const struct wish *wish);
void daemon_sabotage_edit(struct world *world, size_t from); /* one row of it is left out */

/* daemon_bulk.c: an edit that is made in parts, as api/bulk.c takes it through its steps. */
enum err daemon_bulk_begin(struct world *world, struct wish *wish, struct reason *reason);
/* In the turn, before its tick: what goes on with those that were begun, and some parts of those that
   were admitted. */
enum err daemon_bulk_turn(struct world *world, struct reason *reason);
bool daemon_bulk_is_due(const struct daemon *daemon); /* there is something to do at once */
bool daemon_bulk_is_under_way(const struct world *world);
void daemon_bulk_forget(struct daemon *daemon); /* with the process */

/* release.c: what a turn lets out after its commit. False: it dies on the way. */
struct release_body {
    struct str name;
    struct str body;
};
bool daemon_release(struct world *world, const struct release_body *bodies);
void daemon_release_output_acks(struct world *world);

#endif
