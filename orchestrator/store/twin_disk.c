/* The tables of the twin's disk. */
#include "orchestrator/store/twin_disk.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/mem.h"

struct store_disk *store_disk_new(void)
{
    return mem_alloc(sizeof(struct store_disk));
}

void store_disk_free(struct store_disk *disk)
{
    if (disk == NULL) {
        return;
    }
    CHECK(!disk->in_use);
    size_t at;
    uint64_t key;
    void *value;
    for (int table = 0; table < TWIN_TABLES; table++) {
        for (at = 0; map_each(&disk->tables[table], &at, &key, &value);) {
            mem_free(value);
        }
        map_done(&disk->tables[table]);
    }
    for (at = 0; map_each(&disk->outputs, &at, &key, &value);) {
        buf_done(value);
        mem_free(value);
    }
    map_done(&disk->outputs);
    strmap_done(&disk->task_ids);
    mem_free(disk->undo);
    mem_free(disk->starts);
    mem_free(disk);
}

void *twin_row(size_t bytes, size_t text_bytes, char **ret_room)
{
    char *row = mem_alloc(bytes + text_bytes + 1);
    *ret_room = row + bytes;
    return row;
}

struct str twin_pack(char **room, struct str text)
{
    struct str packed = { *room, text.length };
    if (text.length > 0) {
        memcpy(*room, text.data, text.length);
    }
    *room += text.length;
    return packed;
}

uint64_t twin_pair(int64_t owner_id, int64_t id)
{
    CHECK(owner_id >= 0 && owner_id <= UINT32_MAX && id >= 0 && id <= UINT32_MAX);
    return (uint64_t)owner_id << 32 | (uint64_t)id;
}

void *twin_get(const struct store_disk *disk, enum twin_table table, uint64_t key)
{
    return map_get(&disk->tables[table], key);
}

static void note(struct store_disk *disk, struct twin_undo undo)
{
    if (disk->undo_count == disk->undo_capacity) {
        disk->undo_capacity = disk->undo_capacity == 0 ? 256 : disk->undo_capacity * 2;
        disk->undo = mem_resize(disk->undo, disk->undo_capacity * sizeof disk->undo[0]);
    }
    disk->undo[disk->undo_count++] = undo;
}

struct str twin_task_name(int64_t constellation_id, struct str key, struct buf *buf)
{
    buf_clear(buf);
    buf_printf(buf, "%lld/%.*s", (long long)constellation_id, STR_ARG(key));
    return (struct str){ (const char *)buf->data, buf->length };
}

/* Keeps the way from a key to its task in step with the table. */
static void name_task(struct store_disk *disk, enum twin_table table, struct twin_text *row,
                      bool is_there)
{
    if (table != TWIN_TASK_TEXT) {
        return;
    }
    struct buf name = { 0 };
    if (is_there) {
        strmap_put(&disk->task_ids, twin_task_name(row->owner_id, row->a, &name), row);
    } else {
        strmap_remove(&disk->task_ids, twin_task_name(row->owner_id, row->a, &name));
    }
    buf_done(&name);
}

void twin_put_take(struct store_disk *disk, enum twin_table table, uint64_t key, void *row)
{
    note(disk, (struct twin_undo){ .table = table, .key = key, .old = twin_get(disk, table, key) });
    map_put(&disk->tables[table], key, row);
    name_task(disk, table, row, true);
}

void twin_remove(struct store_disk *disk, enum twin_table table, uint64_t key)
{
    void *old = map_remove(&disk->tables[table], key);
    if (old != NULL) {
        name_task(disk, table, old, false);
        note(disk, (struct twin_undo){ .table = table, .key = key, .old = old });
    }
}

void twin_append(struct store_disk *disk, uint64_t key, uint64_t offset, struct str data)
{
    struct buf *bytes = map_get(&disk->outputs, key);
    if (bytes == NULL) {
        bytes = mem_alloc(sizeof *bytes);
        map_put(&disk->outputs, key, bytes);
    }
    CHECK(offset <= bytes->length); /* what comes is at the end, or what a lost transaction left */
    note(disk, (struct twin_undo){ .table = TWIN_TABLES, .key = key, .length = bytes->length });
    bytes->length = (size_t)offset;
    buf_append(bytes, data.data, data.length);
}

void twin_commit(struct store_disk *disk)
{
    for (size_t i = 0; i < disk->undo_count; i++) {
        mem_free(disk->undo[i].old);
    }
    disk->undo_count = 0;
}

void twin_rollback(struct store_disk *disk)
{
    while (disk->undo_count > 0) {
        const struct twin_undo *undo = &disk->undo[--disk->undo_count];
        if (undo->table == TWIN_TABLES) {
            struct buf *bytes = map_get(&disk->outputs, undo->key);
            bytes->length = undo->length;
            continue;
        }
        void *now = map_remove(&disk->tables[undo->table], undo->key);
        if (now != NULL) {
            name_task(disk, undo->table, now, false);
            mem_free(now);
        }
        if (undo->old != NULL) {
            map_put(&disk->tables[undo->table], undo->key, undo->old);
            name_task(disk, undo->table, undo->old, true);
        }
    }
}

int64_t twin_owner(enum twin_table table, const void *row)
{
    if (table == TWIN_TASK) {
        return ((const struct twin_task *)row)->constellation_id;
    }
    if (table == TWIN_EDGE) {
        return ((const struct twin_edge *)row)->constellation_id;
    }
    if (table == TWIN_LIMIT) {
        return ((const struct limit_record *)row)->constellation_id;
    }
    if (table == TWIN_HOLD) {
        return ((const struct hold_record *)row)->constellation_id;
    }
    CHECK(table == TWIN_CONSTELLATION);
    return ((const struct constellation_record *)row)->id;
}

static int compare_keys(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

uint64_t *twin_keys(const struct store_disk *disk, enum twin_table table, size_t *ret_count)
{
    const struct map *map = &disk->tables[table];
    uint64_t *keys = mem_array(map->count + 1, sizeof keys[0]);
    size_t count = 0;
    size_t at = 0;
    uint64_t key;
    void *value;
    while (map_each(map, &at, &key, &value)) {
        keys[count++] = key;
    }
    qsort(keys, count, sizeof keys[0], compare_keys);
    *ret_count = count;
    return keys;
}

static size_t list_bytes(const struct str *items, size_t count)
{
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        bytes += items[i].length;
    }
    return bytes;
}

/* The row, its lists, then their text, in one piece. */
struct device_record *twin_device_row(const struct device_record *record)
{
    const struct msg_profile *from = &record->profile;
    size_t text = record->name.length + record->journal_id.length + record->boot_id.length +
                  record->agent_version.length + from->os.length + from->arch.length +
                  from->hostname.length + list_bytes(from->executors, from->executors_count) +
                  list_bytes(from->tools, from->tools_count);
    for (size_t i = 0; i < from->labels_count; i++) {
        text += from->labels[i].key.length + from->labels[i].value.length;
    }
    for (size_t i = 0; i < from->resources_count; i++) {
        text += from->resources[i].name.length;
    }
    struct row {
        struct device_record record;
        struct str items[MSG_EXECUTORS_MAX + MSG_TOOLS_MAX];
        struct msg_pair labels[MSG_LABELS_MAX];
        struct msg_resource resources[MSG_RESOURCES_MAX];
    };
    char *room;
    struct row *row = twin_row(sizeof *row, text, &room);
    row->record = *record;
    struct device_record *to = &row->record;
    to->name = twin_pack(&room, record->name);
    to->journal_id = twin_pack(&room, record->journal_id);
    to->boot_id = twin_pack(&room, record->boot_id);
    to->agent_version = twin_pack(&room, record->agent_version);
    to->profile.os = twin_pack(&room, from->os);
    to->profile.arch = twin_pack(&room, from->arch);
    to->profile.hostname = twin_pack(&room, from->hostname);
    CHECK(from->executors_count <= MSG_EXECUTORS_MAX && from->tools_count <= MSG_TOOLS_MAX &&
          from->labels_count <= MSG_LABELS_MAX && from->resources_count <= MSG_RESOURCES_MAX);
    for (size_t i = 0; i < from->executors_count; i++) {
        row->items[i] = twin_pack(&room, from->executors[i]);
    }
    for (size_t i = 0; i < from->tools_count; i++) {
        row->items[MSG_EXECUTORS_MAX + i] = twin_pack(&room, from->tools[i]);
    }
    for (size_t i = 0; i < from->labels_count; i++) {
        row->labels[i].key = twin_pack(&room, from->labels[i].key);
        row->labels[i].value = twin_pack(&room, from->labels[i].value);
    }
    to->profile.executors = row->items;
    to->profile.tools = row->items + MSG_EXECUTORS_MAX;
    for (size_t i = 0; i < from->resources_count; i++) {
        row->resources[i].name = twin_pack(&room, from->resources[i].name);
        row->resources[i].amount_milli = from->resources[i].amount_milli;
    }
    to->profile.labels = row->labels;
    to->profile.resources = row->resources;
    return to;
}

struct class_record *twin_class_row(const struct class_record *record)
{
    struct row {
        struct class_record record;
        struct str tools[PLAN_TOOLS_MAX];
        struct plan_resource resources[PLAN_RESOURCES_MAX];
        struct plan_limit_use limits[PLAN_TASK_LIMITS_MAX];
    };
    const struct plan_class *from = &record->plan;
    CHECK(from->tools_count <= PLAN_TOOLS_MAX && from->resources_count <= PLAN_RESOURCES_MAX &&
          from->limits_count <= PLAN_TASK_LIMITS_MAX);
    size_t text =
        from->selector.length + from->device.length + list_bytes(from->tools, from->tools_count);
    for (size_t i = 0; i < from->resources_count; i++) {
        text += from->resources[i].name.length;
    }
    char *room;
    struct row *row = twin_row(sizeof *row, text, &room);
    row->record = *record;
    struct plan_class *to = &row->record.plan;
    to->selector = twin_pack(&room, from->selector);
    to->device = twin_pack(&room, from->device);
    for (size_t i = 0; i < from->tools_count; i++) {
        row->tools[i] = twin_pack(&room, from->tools[i]);
    }
    for (size_t i = 0; i < from->resources_count; i++) {
        row->resources[i].name = twin_pack(&room, from->resources[i].name);
        row->resources[i].amount_milli = from->resources[i].amount_milli;
    }
    for (size_t i = 0; i < from->limits_count; i++) {
        row->limits[i] = from->limits[i];
    }
    to->tools = row->tools;
    to->resources = row->resources;
    to->limits = row->limits;
    return &row->record;
}
