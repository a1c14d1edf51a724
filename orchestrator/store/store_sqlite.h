/* The inside of the SQLite store, shared by its own files only:
       store_sqlite.c           the turn: begin at the first write, commit
       store_sqlite_open.c      the lock, the checks, the start's row
       store_sqlite_statement.c one prepared statement a kind of row
       store_sqlite_row.c       effects to rows: plans
       store_sqlite_attempt.c   those of what runs
       store_sqlite_change.c    those of a plan that changes, and of holds
       late.c                   where what edits have added is
       store_sqlite_bulk.c      those of edits of many operations
       store_sqlite_load.c      rows to the engine, at the start
       store_sqlite_wake.c      those of a constellation that comes back
       store_sqlite_read.c      what the evaluator, the assignment and the API read
       checkpoint.c             the log into the database, beside the turns
       log_room.c               the log's length, ahead of need
       log_file.c               its frames, one write a commit
       reader.c                 a second connection, for reading in a thread
       sqlite_db.c              statements and results */
#ifndef ORCHESTRATOR_STORE_STORE_SQLITE_H
#define ORCHESTRATOR_STORE_STORE_SQLITE_H

#include <sqlite3.h>

#include "common/base/map.h"
#include "orchestrator/store/checkpoint.h"
#include "orchestrator/store/output_file.h"
#include "orchestrator/store/sqlite_db.h"
#include "orchestrator/store/store_ops.h"

/* Ids that a constellation has got since they were last written into its row. */
struct id_range {
    int64_t constellation_id;
    int64_t first_task_id; /* 0: none */
    int64_t last_task_id;
    int64_t first_edge_id;
    int64_t last_edge_id;
    bool late; /* none of it: an edit adds them, see late.h */
};

struct new_edge {
    struct edge_record record;
    int64_t constellation_id;
    bool late;
};

/* Ids of rows that are removed are never given again. Meta says so of SPENT_AHEAD more than have gone, so
   that few turns write it; a start begins behind them. */
struct spending {
    int64_t removed; /* the highest in this turn; 0: none */
    int64_t written; /* by this start; 0: nothing yet */
};

enum { SPENT_AHEAD = 256 };

enum { ROW_STATEMENTS_MAX = 40, EDGES_AT_ONCE = 16 };
enum { STORE_HOLD_TASKS_AT_ONCE = 64 }; /* of a hold that ends; what else it names goes in slices */

enum { STORE_RECENT_STATEMENTS = 64 };

struct store_sqlite {
    struct store store;
    sqlite3 *db;
    struct checkpointer *checkpointer; /* NULL until the store is open */
    char *data_dir;
    int lock_fd;
    bool began;               /* the turn has written: SQLite's transaction is open */
    bool is_snapshot;         /* a reader's: nothing is written */
    struct strmap statements; /* by their texts */
    struct recent_statement {
        const char *sql;
        sqlite3_stmt *statement;
    } recent[STORE_RECENT_STATEMENTS];      /* some of them, by where their texts stand */
    sqlite3_stmt *rows[ROW_STATEMENTS_MAX]; /* of store_sqlite_row.h, prepared at the opening */
    struct output_files *files;
    struct id_range *ranges;
    size_t ranges_count;
    size_t ranges_capacity;
    struct new_edge edges[EDGES_AT_ONCE]; /* collected within one store_apply() */
    size_t edges_count;
    uint64_t epoch;
    uint64_t fence; /* the highest of any attempt that was ever there */
    int64_t seq;    /* the last one given */
    struct spending tasks_spent;
    struct spending edges_spent;
    struct spending holds_spent;
    bool doomed;      /* a constellation was deleted in this turn */
    bool retired_due; /* there may be classes and policies that nothing refers to any more */
    uint64_t ahead_epoch;
    struct buf scratch;
};

static inline struct store_sqlite *sqlite_of(struct store *store)
{
    return (struct store_sqlite *)(void *)store;
}

/* The implementation's operations, for the table in store_sqlite.c. */
enum err row_prepare(struct store_sqlite *self, struct reason *reason);
void row_finalize(struct store_sqlite *self);
enum err row_apply(struct store *store, struct effect *effect, struct reason *reason);
enum err row_applied(struct store *store, struct reason *reason);
enum err row_put_inputs(struct store *store, int64_t task_id, struct str body,
                        struct reason *reason);
enum err change_apply(struct store_sqlite *self, const struct effect *effect,
                      struct reason *reason);
enum err change_edge_text(struct store_sqlite *self, int64_t edge_id, const struct plan_edge *plan,
                          struct reason *reason);
enum err change_edge_undecided(struct store_sqlite *self, int64_t edge_id, struct reason *reason);
enum err change_spend_ids(struct store_sqlite *self, struct reason *reason); /* before the commit */
enum err change_put_description(struct store *store, int64_t constellation_id,
                                struct str description, struct reason *reason);
enum err bulk_apply(struct store_sqlite *self, const struct effect *effect, struct reason *reason);
enum err bulk_put_piece(struct store *store, int64_t piece_id, struct str body,
                        struct reason *reason);
enum err bulk_read_piece(struct store *store, int64_t piece_id, struct arena *arena,
                         struct str *ret_body);
enum err bulk_drop_pieces(struct store *store, int64_t bulk_id, struct reason *reason);
/* What a start finds of edits that were never admitted, or of revisions that are gone. */
enum err bulk_doom_orphans(sqlite3 *db, struct reason *reason);
enum err load_all(struct store *store, struct engine *engine, struct reason *reason);
enum err wake_constellation(struct store *store, struct engine *engine, struct store_wake *wake,
                            size_t *budget, struct reason *reason);
enum err read_task_body(struct store *store, int64_t task_id, struct arena *arena,
                        struct str *ret_name, struct str *ret_body);
enum err read_task_outcome(struct store *store, int64_t constellation_id, struct str key,
                           size_t stream_bytes_max, struct arena *arena,
                           struct store_outcome *ret_outcome);
enum err read_outcome(struct store *store, int64_t task_id, size_t stream_bytes_max,
                      struct arena *arena, struct store_outcome *ret_outcome);
enum err read_edge_condition(struct store *store, int64_t edge_id, struct arena *arena,
                             struct str *ret_condition, struct str *ret_arguments);
enum err read_output(struct store *store, uint64_t fence, enum stream stream, uint64_t offset,
                     size_t bytes, struct buf *into);
enum err receipt_is_ahead(struct store *store, uint64_t epoch, const uint8_t start_id[16],
                          uint64_t fence, bool *ret_ahead, struct reason *reason);
void sqlite_store_free(struct store *store);

extern const struct store_ops store_sqlite_ops;

#endif
