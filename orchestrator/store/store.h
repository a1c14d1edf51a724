/* The seam between the engine and the disk. Two implementations, one contract (tests/unit/
   test_store.c): store_sqlite.c for real, store_memory.c for scenarios and the simulator. Floor 2.

   A turn is one transaction: store_begin, any number of store_apply, store_commit. After a failure of
   any of them the store is dead: every further call says so; the process re-executes itself. */
#ifndef ORCHESTRATOR_STORE_STORE_H
#define ORCHESTRATOR_STORE_STORE_H

#include "common/base/arena.h"
#include "common/base/err.h"
#include "orchestrator/engine/engine.h"

struct store;

enum { STORE_OUTPUT_INLINE_MAX = 16 * 1024 }; /* a stream; what is beyond goes into a file */

/* What the database knows at its opening. The epoch has been raised and committed. */
struct store_start {
    uint64_t epoch;
    uint8_t start_id[16]; /* of this start, random */
    uint8_t lineage[16];  /* of this database; a restored one gets its own at its first start */
    uint8_t secret[32];   /* keys the receipts */
    int64_t next_constellation_id;
    int64_t next_task_id;
    int64_t next_edge_id;
    int64_t next_hold_id;
    int64_t last_seq; /* of the event table */
    /* Not 0: a receipt of a newer state than this database was seen in that epoch and nobody has
       accepted the loss yet (store_restore_accept): nothing may be assigned. */
    uint64_t ahead_epoch;
};

/* Random bytes and the time come from the caller, so that the twin is deterministic. */
struct store_seed {
    uint8_t random[72]; /* start id, and lineage and secret of a new database */
    int64_t wall_ms;
};

/* The SQLite store in `data_dir` (made, 0700, if it is not there), opened, locked, migrated and checked.
   ERR_BUSY: another daemon has it; ERR_VERSION: written by a newer one; ERR_CORRUPT; ERR_IO. The reason
   says what and what to do. */
enum err store_sqlite_open(const char *data_dir, const struct store_seed *seed,
                           struct store **ret_store, struct store_start *ret_start,
                           struct reason *reason);

/* The twin: its "disk" outlives it, so that a crash (store_free without commit) loses what a real one
   would lose and keeps what it would keep. */
struct store_disk;
struct store_disk *store_disk_new(void);
void store_disk_free(struct store_disk *disk);
enum err store_memory_open(struct store_disk *disk, const struct store_seed *seed,
                           struct store **ret_store, struct store_start *ret_start,
                           struct reason *reason);

void store_free(struct store *store); /* rolls back what was not committed */

/* Hands everything that is live to engine_load_*(), up to but without engine_load_end(). */
enum err store_load(struct store *store, struct engine *engine, struct reason *reason);

/* A constellation that is final, and that the engine does not hold, on its way back to it. It begins as
   zero but for the id; nothing is open between two calls, and one that nobody needs any more is given
   up with engine_wake_drop(). */
struct store_wake {
    int64_t constellation_id;
    unsigned step; /* the kind of rows that comes next, and the last of them that was handed over */
    int64_t after_id;
    bool has_begun;
    bool has_all_rows;
    bool is_whole; /* engine_load_revived() may follow */
};
/* Within a turn, when all its effects so far have been applied: hands on at most about *budget rows, and
   counts it down. ERR_NOT_FOUND: there is no such constellation, or none any more; ERR_CONFLICT: it is
   not final; ERR_LIMIT: there is no room for it. Then the engine has nothing of it. */
enum err store_wake(struct store *store, struct engine *engine, struct store_wake *wake,
                    size_t *budget, struct reason *reason);

/* Of the SQLite store, and of a snapshot of it: hands one constellation, whatever its state, with all that
   it refers to, to an engine of its own. Nothing is written. */
enum err store_sqlite_look(struct store *store, struct engine *engine, int64_t id,
                           struct reason *reason);

enum err store_begin(struct store *store, struct reason *reason);
/* Writes the row effects from effects->applied on and moves it. Gives history rows their seq. Output
   beyond STORE_OUTPUT_INLINE_MAX goes to its file here, unsynced; the file of an attempt whose
   EFFECT_RESULT comes by is synced before. */
enum err store_apply(struct store *store, struct effects *effects, struct reason *reason);
/* Durable when it returns. With nothing written it costs nothing. */
enum err store_commit(struct store *store, struct reason *reason);

/* A task as it is assigned: its body with inputs filled in (if store_put_inputs has), and its name
   CONSTELLATION-UID/KEY. In `arena`. Inside or outside a transaction. */
enum err store_task_body(struct store *store, int64_t task_id, struct arena *arena,
                         struct str *ret_name, struct str *ret_body);
/* Within a transaction: the filled-in body of a task, computed once. */
enum err store_put_inputs(struct store *store, int64_t task_id, struct str body,
                          struct reason *reason);

/* Within a transaction: a constellation's new description. */
enum err store_put_description(struct store *store, int64_t constellation_id,
                               struct str description, struct reason *reason);

/* What is too much for one turn is written in pieces: the parts of an edit of many operations, and what
   will be its revision's text. Nothing is known of them before the edit is admitted: at the next start they
   are gone. */
enum piece_kind {
    PIECE_PART = 0,
    PIECE_OPERATIONS = 1,
    PIECE_INVERSE = 2,
};
enum { PIECE_BYTES_MAX = 256 * 1024 };
/* Within a transaction. Numbers rise from 0 in each kind. */
enum err store_put_piece(struct store *store, int64_t bulk_id, enum piece_kind kind,
                         uint32_t number, struct str body, struct reason *reason);
/* ERR_NOT_FOUND: there is none. */
enum err store_read_piece(struct store *store, int64_t bulk_id, enum piece_kind kind,
                          uint32_t number, struct arena *arena, struct str *ret_body);
/* Within a transaction: of an edit that was not admitted. */
enum err store_drop_pieces(struct store *store, int64_t bulk_id, struct reason *reason);

/* The latest attempt of a task, for placeholders and conditions; sees the transaction's own rows. A
   stream longer than `stream_bytes_max` comes back empty with its length. Of a task that no attempt of
   this round has had there is the state and nothing else. */
struct store_outcome {
    enum task_state state;
    bool has_run;        /* an attempt of this round has had it: all below counts */
    bool has_exit_code;  /* it ended by itself: by no signal and no timeout */
    uint32_t attempt;    /* its number */
    int64_t duration_ms; /* from its start to its end; -1: it has not started, or not ended */
    struct str device;
    int32_t exit_code;
    uint64_t stdout_bytes;
    uint64_t stderr_bytes;
    struct str stdout_data;
    struct str stderr_data;
    struct str result;
};
enum err store_task_outcome(struct store *store, int64_t constellation_id, struct str key,
                            size_t stream_bytes_max, struct arena *arena,
                            struct store_outcome *ret_outcome);
enum err store_outcome(struct store *store, int64_t task_id, size_t stream_bytes_max,
                       struct arena *arena, struct store_outcome *ret_outcome);
/* What EFFECT_EVALUATE asks for: the expression of a dependency, and the JSON array of what its ?1 …
   stand for (may be empty). ERR_NOT_FOUND: it has none. */
enum err store_edge_condition(struct store *store, int64_t edge_id, struct arena *arena,
                              struct str *ret_condition, struct str *ret_arguments);

/* Syncs output files that have waited a second (all of them if `all`), and tells how far each stream of
   each attempt that was written since the last call is durable: what Ack may say. Outside a
   transaction, after a commit. */
typedef void store_output_durable(void *context, uint64_t fence, enum stream stream,
                                  uint64_t offset);
enum err store_sync_output(struct store *store, int64_t boot_ms, bool all,
                           store_output_durable *durable, void *context, struct reason *reason);
/* The boot time at which store_sync_output has something to do; INT64_MAX: never. */
int64_t store_sync_deadline(const struct store *store);

/* At most `bytes` of an attempt's stored output from `offset`. ERR_NOT_FOUND: no such attempt. */
enum err store_read_output(struct store *store, uint64_t fence, enum stream stream, uint64_t offset,
                           size_t bytes, struct buf *into);

/* Whether a receipt whose HMAC is ours speaks of a state that this database has not seen: a start that
   it does not know, or a higher fence than it had when that epoch ended. Then the epoch is noted at
   once, in a commit of its own, so that it is known at the next start too. Outside a transaction. */
enum err store_receipt_is_ahead(struct store *store, uint64_t epoch, const uint8_t start_id[16],
                                uint64_t fence, bool *ret_ahead, struct reason *reason);

#endif
