/* See class_json.h. */
#include "orchestrator/store/class_json.h"

#include <inttypes.h>

#include "orchestrator/store/device_json.h"
#include "orchestrator/store/sqlite_db.h"

void class_json_tools(struct buf *json, const struct plan_class *plan)
{
    device_json_list(json, plan->tools, plan->tools_count);
}

void class_json_resources(struct buf *json, const struct plan_class *plan)
{
    buf_append(json, "{", 1);
    for (size_t i = 0; i < plan->resources_count; i++) {
        buf_append(json, ",", i == 0 ? 0 : 1);
        device_json_string(json, plan->resources[i].name);
        buf_printf(json, ":%" PRId64, plan->resources[i].amount_milli);
    }
    buf_append(json, "}", 1);
}

void class_json_limits(struct buf *json, const struct plan_class *plan)
{
    buf_append(json, "{", 1);
    for (size_t i = 0; i < plan->limits_count; i++) {
        buf_printf(json, "%s\"%" PRIu32 "\":%" PRIu32, i == 0 ? "" : ",", plan->limits[i].limit,
                   plan->limits[i].amount);
    }
    buf_append(json, "}", 1);
}

/* The members of an array or object, one a row. NULL: an empty one, the usual case. */
static sqlite3_stmt *each(struct store *store, struct str json, enum err *ret_err)
{
    if (json.length <= 2) {
        *ret_err = ERR_NONE;
        return NULL;
    }
    sqlite3_stmt *statement = store_sqlite_statement(store, DEVICE_JSON_EACH, NULL);
    if (statement != NULL) {
        sqlite_bind_text(statement, 1, json);
    }
    *ret_err = statement == NULL ? ERR_IO : ERR_NONE;
    return statement;
}

static enum err end(sqlite3_stmt *statement, int rc, bool is_sound)
{
    sqlite3_reset(statement);
    return rc == SQLITE_DONE && is_sound ? ERR_NONE : ERR_CORRUPT;
}

enum err class_json_read_tools(struct store *store, struct str json, struct arena *arena,
                               struct plan_class *plan)
{
    enum err err;
    sqlite3_stmt *statement = each(store, json, &err);
    if (statement == NULL) {
        return err;
    }
    struct str *tools = arena_array(arena, PLAN_TOOLS_MAX, sizeof tools[0]);
    size_t count = 0;
    int rc;
    while ((rc = sqlite3_step(statement)) == SQLITE_ROW && count < PLAN_TOOLS_MAX) {
        tools[count++] = sqlite_column_copy(statement, 1, arena);
    }
    plan->tools = tools;
    plan->tools_count = count;
    return end(statement, rc, true);
}

enum err class_json_read_resources(struct store *store, struct str json, struct arena *arena,
                                   struct plan_class *plan)
{
    enum err err;
    sqlite3_stmt *statement = each(store, json, &err);
    if (statement == NULL) {
        return err;
    }
    struct plan_resource *list = arena_array(arena, PLAN_RESOURCES_MAX, sizeof list[0]);
    size_t count = 0;
    int rc;
    while ((rc = sqlite3_step(statement)) == SQLITE_ROW && count < PLAN_RESOURCES_MAX) {
        list[count].name = sqlite_column_copy(statement, 0, arena);
        list[count++].amount_milli = sqlite3_column_int64(statement, 1);
    }
    plan->resources = list;
    plan->resources_count = count;
    return end(statement, rc, true);
}

enum err class_json_read_limits(struct store *store, struct str json, struct arena *arena,
                                struct plan_class *plan)
{
    enum err err;
    sqlite3_stmt *statement = each(store, json, &err);
    if (statement == NULL) {
        return err;
    }
    struct plan_limit_use *list = arena_array(arena, PLAN_TASK_LIMITS_MAX, sizeof list[0]);
    size_t count = 0;
    bool is_sound = true;
    int rc;
    while ((rc = sqlite3_step(statement)) == SQLITE_ROW && count < PLAN_TASK_LIMITS_MAX) {
        int64_t limit = sqlite3_column_int64(statement, 0);
        int64_t amount = sqlite3_column_int64(statement, 1);
        is_sound =
            is_sound && limit >= 0 && limit <= UINT32_MAX && amount >= 0 && amount <= UINT32_MAX;
        list[count].limit = (uint32_t)limit;
        list[count++].amount = (uint32_t)amount;
    }
    plan->limits = list;
    plan->limits_count = count;
    return end(statement, rc, is_sound);
}
