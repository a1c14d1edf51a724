/* What the API reads of constellations: rows as plain structs, text in the caller's arena. Every
   function steps its statements to the end and resets them, so nothing holds a read open. Floor 2. */
#ifndef ORCHESTRATOR_STORE_QUERY_H
#define ORCHESTRATOR_STORE_QUERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/arena.h"
#include "common/base/err.h"
#include "common/base/str.h"
#include "orchestrator/engine/record.h"

struct store;

enum {
    QUERY_ID_BYTES_MAX = 128, /* of an id or a prefix that a client sends */
    QUERY_CANDIDATES_MAX = 5, /* named when a prefix is not unique */
    QUERY_SCAN_MAX = 20000,   /* rows looked at for one filtered list */
};

struct query_constellation {
    struct constellation_record record;
    struct str uid;
    struct str name;
    int64_t first_task_id;
    int64_t last_task_id;
    int64_t first_seq;
    struct str description;
};

struct query_candidates {
    struct str uids[QUERY_CANDIDATES_MAX];
    size_t count;
};

/* Many reads follow in this turn: they share its transaction, which begins now, and take no locks of
   their own: those were a sixth of an edit. If nothing is written, its commit costs nothing. */
enum err query_share_turn(struct store *store, struct reason *reason);

/* By its whole uid, a prefix that only one has, or "@last". ERR_NOT_FOUND; ERR_CONFLICT: several, of
   which the first few come back in ret_candidates. One that is still being taken in is not found. */
enum err query_constellation_find(struct store *store, struct str text, struct arena *arena,
                                  struct query_constellation *ret_constellation,
                                  struct query_candidates *ret_candidates, struct reason *reason);
enum err query_constellation(struct store *store, int64_t id, struct arena *arena,
                             struct query_constellation *ret_constellation, struct reason *reason);
enum err query_constellation_uid(struct store *store, int64_t id, struct arena *arena,
                                 struct str *ret_uid, struct reason *reason);
/* Of the newest, at most `limit`: room for as many stands at `uids`. */
enum err query_newest_uids(struct store *store, size_t limit, struct arena *arena, struct str *uids,
                           size_t *ret_count, struct reason *reason);
/* Whether a constellation of this uid is there, in any state. */
enum err query_uid_taken(struct store *store, struct str uid, bool *ret_taken,
                         struct reason *reason);

struct query_list {
    uint32_t states;   /* one bit for each enum constellation_state that is wanted; 0: all */
    int64_t before_id; /* only older ones; 0: from the newest */
    size_t limit;
};

struct query_constellations {
    struct query_constellation *list; /* newest first */
    size_t count;
    int64_t next_id; /* go on before this one; 0: there are no more */
};

enum err query_constellation_list(struct store *store, const struct query_list *wanted,
                                  struct arena *arena, struct query_constellations *ret_list,
                                  struct reason *reason);

#endif
