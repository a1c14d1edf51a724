/* A device's executors, tools, labels and resources to JSON and back. */
#include "orchestrator/store/device_json.h"

#include <inttypes.h>

#include "orchestrator/store/sqlite_db.h"

void device_json_string(struct buf *json, struct str text)
{
    buf_append(json, "\"", 1);
    size_t start = 0; /* of what needs no escape */
    for (size_t i = 0; i < text.length; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c >= 0x20 && c != '"' && c != '\\') {
            continue;
        }
        buf_append(json, text.data + start, i - start);
        buf_printf(json, "\\u%04x", (unsigned)c);
        start = i + 1;
    }
    if (text.length > start) {
        buf_append(json, text.data + start, text.length - start);
    }
    buf_append(json, "\"", 1);
}

void device_json_list(struct buf *json, const struct str *items, size_t count)
{
    buf_append(json, "[", 1);
    for (size_t i = 0; i < count; i++) {
        buf_append(json, ",", i == 0 ? 0 : 1);
        device_json_string(json, items[i]);
    }
    buf_append(json, "]", 1);
}

void device_json_labels(struct buf *json, const struct msg_pair *labels, size_t count)
{
    buf_append(json, "{", 1);
    for (size_t i = 0; i < count; i++) {
        buf_append(json, ",", i == 0 ? 0 : 1);
        device_json_string(json, labels[i].key);
        buf_append(json, ":", 1);
        device_json_string(json, labels[i].value);
    }
    buf_append(json, "}", 1);
}

void device_json_resources(struct buf *json, const struct msg_resource *resources, size_t count)
{
    buf_append(json, "{", 1);
    for (size_t i = 0; i < count; i++) {
        buf_append(json, ",", i == 0 ? 0 : 1);
        device_json_string(json, resources[i].name);
        buf_printf(json, ":%" PRId64, resources[i].amount_milli);
    }
    buf_append(json, "}", 1);
}

static enum err read_pairs(sqlite3_stmt *each, struct str json, struct arena *arena,
                           struct msg_pair *pairs, size_t pairs_max, size_t *ret_count)
{
    sqlite3_reset(each);
    sqlite_bind_text(each, 1, json);
    size_t count = 0;
    int rc = sqlite3_step(each);
    for (; rc == SQLITE_ROW && count < pairs_max; rc = sqlite3_step(each)) {
        pairs[count].key = sqlite_column_copy(each, 0, arena);
        pairs[count].value = sqlite_column_copy(each, 1, arena);
        count++;
    }
    sqlite3_reset(each);
    if (rc != SQLITE_DONE) {
        return ERR_CORRUPT;
    }
    *ret_count = count;
    return ERR_NONE;
}

enum err device_json_read_list(sqlite3_stmt *each, struct str json, struct arena *arena,
                               size_t items_max, const struct str **ret_items, size_t *ret_count)
{
    struct msg_pair pairs[MSG_TOOLS_MAX];
    size_t count = 0;
    enum err err = read_pairs(each, json, arena, pairs,
                              items_max < MSG_TOOLS_MAX ? items_max : MSG_TOOLS_MAX, &count);
    if (err != ERR_NONE) {
        return err;
    }
    struct str *items = arena_array(arena, count, sizeof items[0]);
    for (size_t i = 0; i < count; i++) {
        items[i] = pairs[i].value;
    }
    *ret_items = items;
    *ret_count = count;
    return ERR_NONE;
}

enum err device_json_read_labels(sqlite3_stmt *each, struct str json, struct arena *arena,
                                 const struct msg_pair **ret_labels, size_t *ret_count)
{
    struct msg_pair *labels = arena_array(arena, MSG_LABELS_MAX, sizeof labels[0]);
    enum err err = read_pairs(each, json, arena, labels, MSG_LABELS_MAX, ret_count);
    if (err == ERR_NONE) {
        *ret_labels = labels;
    }
    return err;
}

enum err device_json_read_resources(sqlite3_stmt *each, struct str json, struct arena *arena,
                                    const struct msg_resource **ret_resources, size_t *ret_count)
{
    struct msg_resource *list = arena_array(arena, MSG_RESOURCES_MAX, sizeof list[0]);
    sqlite3_reset(each);
    sqlite_bind_text(each, 1, json);
    size_t count = 0;
    int rc = sqlite3_step(each);
    for (; rc == SQLITE_ROW && count < MSG_RESOURCES_MAX; rc = sqlite3_step(each)) {
        list[count].name = sqlite_column_copy(each, 0, arena);
        list[count].amount_milli = sqlite3_column_int64(each, 1);
        count++;
    }
    sqlite3_reset(each);
    if (rc != SQLITE_DONE) {
        return ERR_CORRUPT;
    }
    *ret_resources = list;
    *ret_count = count;
    return ERR_NONE;
}
