/* The twin's disk: tables of rows in maps, and a log of what the open transaction has replaced, so
   that losing it is putting the old rows back. A row is one allocation that is never changed once it
   is in its table. */
#ifndef ORCHESTRATOR_STORE_TWIN_DISK_H
#define ORCHESTRATOR_STORE_TWIN_DISK_H

#include "common/base/buf.h"
#include "common/base/map.h"
#include "orchestrator/store/store.h"

enum twin_table {
    TWIN_CLASS,
    TWIN_POLICY,
    TWIN_CONSTELLATION,
    TWIN_UID, /* struct twin_text: a = uid */
    TWIN_TASK,
    TWIN_TASK_TEXT, /* a = key, b = body */
    TWIN_INPUTS,    /* a = the body with inputs */
    TWIN_REASON,    /* of a task; a */
    TWIN_EDGE,
    TWIN_EDGE_TEXT,   /* a = condition, b = arguments */
    TWIN_EDGE_REASON, /* a */
    TWIN_LIMIT,
    TWIN_HOLD,
    TWIN_HOLD_TASK,   /* struct twin_hold_task, by twin_pair() */
    TWIN_DESCRIPTION, /* of a constellation; a */
    TWIN_ATTEMPT,
    TWIN_RESULT, /* a = reason, b = result */
    TWIN_DEVICE,
    TWIN_BULK,
    TWIN_PIECE, /* a = its bytes */
    TWIN_TABLES,
};

struct twin_text {
    int64_t owner_id; /* the constellation of a task's text */
    int64_t row_id;   /* the row's own key */
    struct str a;
    struct str b;
};
struct twin_task {
    struct task_record record;
    int64_t constellation_id;
};
struct twin_edge {
    struct edge_record record;
    int64_t constellation_id;
};

struct twin_hold_task {
    int64_t hold_id;
    int64_t task_id;
};

struct twin_undo {
    enum twin_table table; /* TWIN_TABLES: output, cut back to `length` */
    uint64_t key;
    void *old; /* NULL: there was none */
    size_t length;
};

struct twin_start {
    uint64_t epoch;
    uint8_t start_id[16];
    uint64_t last_fence;
};

struct store_disk {
    struct map tables[TWIN_TABLES];
    struct map outputs;     /* fence and stream → struct buf */
    struct strmap task_ids; /* "CONSTELLATION/KEY" → struct twin_text of the task */
    struct twin_undo *undo;
    size_t undo_count;
    size_t undo_capacity;
    struct twin_start *starts;
    size_t starts_count;
    uint8_t lineage[16];
    uint8_t secret[32];
    uint64_t ahead_epoch;
    /* Committed numbers; the store keeps those of its transaction. */
    uint64_t fence;
    int64_t seq;
    int64_t spent_constellation_id;
    int64_t spent_task_id;
    int64_t spent_edge_id;
    int64_t spent_hold_id;
    bool in_use;
};

static inline uint64_t twin_output_key(uint64_t fence, enum stream stream)
{
    return fence << 1 | (stream == STREAM_STDERR ? 1U : 0U);
}

/* The key of a row that belongs to two others. */
uint64_t twin_pair(int64_t owner_id, int64_t id);

/* A row with room for text behind it; twin_pack() moves a str into that room. */
void *twin_row(size_t bytes, size_t text_bytes, char **ret_room);
struct str twin_pack(char **room, struct str text);

void *twin_get(const struct store_disk *disk, enum twin_table table, uint64_t key);
void twin_put_take(struct store_disk *disk, enum twin_table table, uint64_t key, void *row);
void twin_remove(struct store_disk *disk, enum twin_table table, uint64_t key);
void twin_append(struct store_disk *disk, uint64_t key, uint64_t offset, struct str data);
void twin_commit(struct store_disk *disk);
void twin_rollback(struct store_disk *disk);
struct str twin_task_name(int64_t constellation_id, struct str key, struct buf *buf);

struct device_record *twin_device_row(const struct device_record *record);

struct class_record *twin_class_row(const struct class_record *record);

/* The constellation that a row belongs to: of TWIN_TASK, EDGE, LIMIT, HOLD or CONSTELLATION itself. */
int64_t twin_owner(enum twin_table table, const void *row);

/* The keys of a table in rising order; the caller frees them. */
uint64_t *twin_keys(const struct store_disk *disk, enum twin_table table, size_t *ret_count);

#endif
