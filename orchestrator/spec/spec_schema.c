#include "orchestrator/spec/spec_schema.h"

#include <inttypes.h>
#include <string.h>

#include "common/base/check.h"
#include "orchestrator/engine/edit.h"
#include "orchestrator/spec/spec_json.h"
#include "orchestrator/spec/spec_keys.h"

#define SCALAR  "{\"type\":[\"string\",\"number\",\"boolean\"]}"
#define DRAFT   "\"$schema\":\"https://json-schema.org/draft/2020-12/schema\""
#define KEY_REF "{\"$ref\":\"#/$defs/key\"}"

enum range {
    RANGE_NONE,
    RANGE_NUMBER, /* the row's bounds are those of the number */
    RANGE_TEXT,   /* those of the text's length: of its bytes, which are at least its characters */
};

/* What each type of the table of keys is in JSON. Inside: as it stands between the braces. */
static const struct {
    const char *type;
    const char *inside;
    enum range range;
    bool can_be_filled; /* by ${{ params.… }}: then a text stands for it */
} fragments[] = {
    { "name", "\"type\":\"string\",\"minLength\":1", RANGE_TEXT, false },
    { "text", "\"type\":\"string\"", RANGE_TEXT, false },
    { "whole number", "\"type\":\"integer\"", RANGE_NUMBER, true },
    { "number", "\"type\":\"number\"", RANGE_NONE, true },
    { "true or false", "\"type\":\"boolean\"", RANGE_NONE, true },
    { "true", "\"const\":true", RANGE_NONE, true },
    { "duration", "\"type\":[\"string\",\"number\"]", RANGE_NONE, false },
    { "size", "\"type\":[\"string\",\"integer\"]", RANGE_NONE, false },
    { "list of text", "\"type\":\"array\",\"minItems\":1,\"items\":" SCALAR, RANGE_NONE, false },
    { "mapping of text", "\"type\":\"object\",\"additionalProperties\":" SCALAR, RANGE_NONE,
      false },
    { "absolute path", "\"type\":\"string\"", RANGE_TEXT, false },
    { "selector", "\"type\":\"string\"", RANGE_TEXT, false },
    { "device name", "\"type\":\"string\"", RANGE_NONE, false },
    { "task key", "\"$ref\":\"#/$defs/key\"", RANGE_NONE, false },
    { "names", "\"anyOf\":[" SCALAR ",{\"type\":\"array\",\"items\":" SCALAR "}]", RANGE_NONE,
      false },
    { "dependencies",
      "\"anyOf\":[{\"$ref\":\"#/$defs/need\"},"
      "{\"type\":\"array\",\"items\":{\"$ref\":\"#/$defs/need\"}}]",
      RANGE_NONE, false },
    { "name and values",
      "\"type\":\"object\",\"minProperties\":1,\"maxProperties\":1,\"additionalProperties\":"
      "{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"array\",\"minItems\":1,\"items\":" SCALAR
      "}]}",
      RANGE_NONE, false },
    { "mapping of amounts",
      "\"type\":\"object\",\"additionalProperties\":{\"type\":[\"number\",\"string\"]}", RANGE_NONE,
      false },
    { "mapping of whole numbers",
      "\"type\":\"object\",\"additionalProperties\":{\"type\":[\"integer\",\"string\"]}",
      RANGE_NONE, false },
    { "limits",
      "\"anyOf\":[" SCALAR ",{\"type\":\"array\",\"items\":" SCALAR "},"
      "{\"type\":\"object\",\"additionalProperties\":{\"type\":[\"integer\",\"string\"]}}]",
      RANGE_NONE, false },
    { "condition", "\"type\":\"string\",\"minLength\":1", RANGE_NONE, false },
    { "all or any", "\"enum\":[\"all\",\"any\"]", RANGE_NONE, true },
    { "continue or stop", "\"enum\":[\"continue\",\"stop\"]", RANGE_NONE, true },
    { "json", "\"enum\":[\"json\"]", RANGE_NONE, true },
    { "strategy", "\"enum\":[\"least_loaded\",\"round_robin\",\"spread\",\"pack\"]", RANGE_NONE,
      true },
    { "pure, idempotent or once", "\"enum\":[\"pure\",\"idempotent\",\"once\"]", RANGE_NONE, true },
    { "success, finished, failure or always",
      "\"enum\":[\"success\",\"finished\",\"failure\",\"always\"]", RANGE_NONE, true },
    { "exit, signal, timeout, start",
      "\"anyOf\":[{\"$ref\":\"#/$defs/end\"},"
      "{\"type\":\"array\",\"minItems\":1,\"items\":{\"$ref\":\"#/$defs/end\"}}]",
      RANGE_NONE, false },
    { "text, integer, number or boolean", "\"enum\":[\"text\",\"integer\",\"number\",\"boolean\"]",
      RANGE_NONE, false },
    { "text, number, true or false", "\"type\":[\"string\",\"number\",\"boolean\"]", RANGE_NONE,
      false },
    { "keys of retry", "\"$ref\":\"#/$defs/retry\"", RANGE_NONE, false },
    { "keys of timeouts", "\"$ref\":\"#/$defs/timeouts\"", RANGE_NONE, false },
    { "keys of a task", "\"$ref\":\"#/$defs/task\"", RANGE_NONE, false },
    { "mapping of params",
      "\"type\":\"object\",\"additionalProperties\":{\"anyOf\":[" SCALAR
      ",{\"$ref\":\"#/$defs/param\"}]}",
      RANGE_NONE, false },
    { "mapping of tasks",
      "\"type\":\"object\",\"minProperties\":1,\"propertyNames\":{\"maxLength\":128},"
      "\"additionalProperties\":{\"$ref\":\"#/$defs/task\"}",
      RANGE_NONE, false },
};

static size_t fragment_of(const char *type)
{
    for (size_t i = 0; i < sizeof fragments / sizeof fragments[0]; i++) {
        if (strcmp(fragments[i].type, type) == 0) {
            return i;
        }
    }
    CHECK(false); /* a type of the table of keys that has no line above */
    return 0;
}

/* null in a task takes a default away, and in an edit what the task had. */
static void add_row(struct buf *json, const struct spec_key *row)
{
    size_t fragment = fragment_of(row->type);
    bool is_removable = row->where == SPEC_WHERE_TASK;
    bool is_choice = fragments[fragment].can_be_filled || is_removable;
    spec_json_text(json, str_of(row->name));
    buf_append_text(json, ":{\"description\":");
    spec_json_text(json, str_of(row->help));
    buf_append_text(json, is_choice ? ",\"anyOf\":[{" : ",");
    buf_append_text(json, fragments[fragment].inside);
    if (fragments[fragment].range == RANGE_NUMBER) {
        buf_printf(json, ",\"minimum\":%" PRId64 ",\"maximum\":%" PRId64, row->min, row->max);
    } else if (fragments[fragment].range == RANGE_TEXT) {
        buf_printf(json, ",\"maxLength\":%" PRId64, row->max);
    }
    buf_append_text(json, is_choice ? "}" : "");
    if (fragments[fragment].can_be_filled) {
        buf_append_text(json, ",{\"$ref\":\"#/$defs/filled\"}");
    }
    buf_append_text(json, is_removable ? ",{\"type\":\"null\"}" : "");
    buf_append_text(json, is_choice ? "]}" : "}");
}

/* What stands between the braces of an object with the keys of one place, and no others. */
static void add_object(struct buf *json, enum spec_where where, const char *required)
{
    buf_append_text(json, "\"type\":\"object\",\"additionalProperties\":false,");
    if (required != NULL) {
        buf_printf(json, "\"required\":[%s],", required);
    }
    buf_append_text(json, "\"properties\":{");
    size_t count = 0;
    bool is_first = true;
    const struct spec_key *rows = spec_keys(&count);
    for (size_t i = 0; i < count; i++) {
        if (rows[i].where == where) {
            buf_append_text(json, is_first ? "" : ",");
            add_row(json, &rows[i]);
            is_first = false;
        }
    }
    buf_append_text(json, "}");
}

static void add_definitions(struct buf *json)
{
    buf_append_text(json, "\"$defs\":{"
                          "\"filled\":{\"type\":\"string\",\"pattern\":\"[$][{][{]\"},"
                          "\"key\":{\"type\":[\"string\",\"number\",\"boolean\"]},"
                          "\"end\":{\"enum\":[\"exit\",\"signal\",\"timeout\",\"start\"]},");
    buf_append_text(json, "\"need\":{\"anyOf\":[" KEY_REF ",{");
    add_object(json, SPEC_WHERE_NEED, "\"task\"");
    buf_append_text(json, "}]},\"retry\":{");
    add_object(json, SPEC_WHERE_RETRY, NULL);
    buf_append_text(json, "},\"timeouts\":{");
    add_object(json, SPEC_WHERE_TIMEOUTS, NULL);
    buf_append_text(json, "},\"param\":{");
    add_object(json, SPEC_WHERE_PARAM, NULL);
    buf_append_text(json, "},\"task\":{");
    add_object(json, SPEC_WHERE_TASK, NULL);
    buf_append_text(json, "}}");
}

void spec_schema(struct buf *json)
{
    buf_append_text(json, "{" DRAFT ",\"title\":\"An Asterism spec\",");
    add_object(json, SPEC_WHERE_TOP, "\"name\",\"tasks\"");
    buf_append_text(json, ",");
    add_definitions(json);
    buf_append_text(json, "}\n");
}

/* An operation: its name, what it must have and may have, as members of "properties". */
static void add_operation(struct buf *json, const char *op, const char *required,
                          const char *properties)
{
    bool is_first = json->data[json->length - 1] == '[';
    buf_printf(json,
               "%s{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"op\"%s],"
               "\"properties\":{\"op\":{\"const\":\"%s\"},%s}}",
               is_first ? "" : ",", required, op, properties);
}

static void add_operations(struct buf *json)
{
#define WHEN     "{\"enum\":[\"success\",\"finished\",\"failure\",\"always\"]}"
#define FROM_TO  "\"from\":" KEY_REF ",\"to\":" KEY_REF
#define TEXT     "{\"type\":[\"string\",\"null\"]}"
#define DURATION "{\"type\":[\"string\",\"number\",\"null\"]}"
    buf_append_text(json, "[");
    add_operation(json, "add_task", ",\"task\",\"spec\"",
                  "\"task\":" KEY_REF ",\"spec\":{\"$ref\":\"#/$defs/task\"}");
    add_operation(json, "remove_task", ",\"task\"", "\"task\":" KEY_REF);
    add_operation(json, "update_task", ",\"task\",\"set\"",
                  "\"task\":" KEY_REF ",\"set\":{\"$ref\":\"#/$defs/task\"}");
    add_operation(json, "add_dependency", ",\"from\",\"to\"",
                  FROM_TO ",\"when\":" WHEN ",\"if\":" TEXT);
    add_operation(json, "update_dependency", ",\"from\",\"to\"",
                  FROM_TO ",\"when\":" WHEN ",\"if\":" TEXT ",\"old_when\":" WHEN);
    add_operation(json, "remove_dependency", ",\"from\",\"to\"", FROM_TO ",\"when\":" WHEN);
    add_operation(json, "set", "",
                  "\"fail_fast\":{\"type\":\"boolean\"},\"deadline\":" DURATION
                  ",\"limits\":{\"type\":\"object\",\"additionalProperties\":"
                  "{\"type\":[\"integer\",\"null\"],\"minimum\":1,\"maximum\":1000000}},"
                  "\"description\":" TEXT);
    buf_append_text(json, "]");
#undef WHEN
#undef FROM_TO
#undef TEXT
#undef DURATION
}

static void add_states(struct buf *json)
{
    buf_append_text(json, "[\"ready\"");
    for (int state = TASK_WAITING; state < TASK_STATES_END; state++) {
        buf_printf(json, ",\"%s\"", task_state_name((enum task_state)state));
    }
    buf_append_text(json, "]");
}

void spec_schema_edit(struct buf *json)
{
    buf_append_text(
        json, "{" DRAFT ",\"title\":\"An edit of an Asterism constellation\","
              "\"type\":\"object\",\"additionalProperties\":false,"
              "\"required\":[\"operations\"],\"properties\":{"
              "\"base_revision\":{\"type\":\"integer\",\"minimum\":0,\"description\":"
              "\"the revision it was written against; 0 or none: whatever the head is\"},"
              "\"author\":{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"
              "\"kind\":{\"enum\":[\"user\",\"rule\",\"planner\"]},"
              "\"name\":{\"type\":\"string\"}}},"
              "\"reason\":{\"type\":\"string\",\"description\":\"why, for people\"},"
              "\"release\":{\"type\":[\"integer\",\"string\"],\"description\":"
              "\"a hold that is released with it, if it is applied\"},"
              "\"expect\":{\"type\":\"array\",\"description\":"
              "\"what must hold of tasks for it to be applied\",");
    buf_printf(json, "\"maxItems\":%d,", (int)EDIT_EXPECTS_MAX);
    buf_append_text(json, "\"items\":{\"type\":\"object\",\"additionalProperties\":false,"
                          "\"required\":[\"task\"],\"properties\":{\"task\":" KEY_REF
                          ",\"attempt\":{\"type\":\"integer\",\"minimum\":0},\"state\":{\"enum\":");
    add_states(json);
    buf_append_text(json, "}}}},\"operations\":{\"type\":\"array\",\"minItems\":1,");
    buf_printf(json, "\"maxItems\":%d,\"items\":{\"oneOf\":", (int)EDIT_OPERATIONS_MAX);
    add_operations(json);
    buf_append_text(json, "}}},");
    add_definitions(json);
    buf_append_text(json, "}\n");
}
