/* The lists of a device's profile as JSON in one column each, so that a person and SQLite's own
   functions can read them. */
#ifndef ORCHESTRATOR_STORE_DEVICE_JSON_H
#define ORCHESTRATOR_STORE_DEVICE_JSON_H

#include <sqlite3.h>

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/base/err.h"
#include "proto/msg/msg.h"

void device_json_string(struct buf *json, struct str text); /* with its quotes */
void device_json_list(struct buf *json, const struct str *items, size_t count);
void device_json_labels(struct buf *json, const struct msg_pair *labels, size_t count);
void device_json_resources(struct buf *json, const struct msg_resource *resources, size_t count);

/* Back again, into the arena, with `each` = a statement of DEVICE_JSON_EACH. ERR_CORRUPT: not what the
   functions above write. */
#define DEVICE_JSON_EACH "SELECT key, value FROM json_each(?)"
enum err device_json_read_list(sqlite3_stmt *each, struct str json, struct arena *arena,
                               size_t items_max, const struct str **ret_items, size_t *ret_count);
enum err device_json_read_labels(sqlite3_stmt *each, struct str json, struct arena *arena,
                                 const struct msg_pair **ret_labels, size_t *ret_count);
enum err device_json_read_resources(sqlite3_stmt *each, struct str json, struct arena *arena,
                                    const struct msg_resource **ret_resources, size_t *ret_count);

#endif
