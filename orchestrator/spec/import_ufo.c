/* See import_ufo.h. A task of UFO's is an instruction to an agent in words: what it says becomes the
   description, and only a command among its data becomes something that runs; else it is a gate. */
#include "orchestrator/spec/import_ufo.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "orchestrator/spec/import_ufo_parts.h"
#include "orchestrator/spec/spec_read.h"

enum { UFO_TASKS_MAX = 100000, UFO_LINES_MAX = 400000, PATH_BYTES = 160 };

void import_note(struct import *import, const char *where, const char *what, const char *words)
{
    struct import_notes *notes = import->notes;
    if (notes->count == IMPORT_NOTES_MAX) {
        notes->dropped++;
        return;
    }
    char path[PATH_BYTES];
    char text[256];
    int length = snprintf(path, sizeof(path), "%s%s%s", where, *what == 0 ? "" : "/", what);
    struct str whole = { path, length < PATH_BYTES ? (size_t)length : PATH_BYTES - 1 };
    whole = spec_text_cut(whole, PATH_BYTES - 8);
    snprintf(text, sizeof(text), "%s", words);
    notes->list[notes->count++] = (struct import_note){ arena_str(import->arena, whole),
                                                        arena_str(import->arena, str_of(text)) };
}

const char *import_text_at(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text == NULL ? "" : text;
}

bool import_is_nothing(const json_t *value)
{
    return value == NULL || json_is_null(value) || json_is_false(value) ||
           (json_is_array(value) && json_array_size(value) == 0) ||
           (json_is_object(value) && json_object_size(value) == 0) ||
           (json_is_string(value) && json_string_length(value) == 0);
}

/* Where text is asked for, whatever else stands there is told. */
static void expect_text(struct import *import, const json_t *object, const char *where,
                        const char *key)
{
    const json_t *value = json_object_get(object, key);
    if (!import_is_nothing(value) && !json_is_string(value)) {
        import_note(import, where, key, "is no text, and is not carried over");
    }
}

const char *import_enum_at(const json_t *object, const char *key)
{
    const char *text = import_text_at(object, key);
    const char *dot = strrchr(text, '.');
    return dot == NULL ? text : dot + 1;
}

/* Itself, if keys and names of ours may have it. */
static char plain_of(char c)
{
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_') {
        return c;
    }
    return '-';
}

/* A key that ours may have, and nobody has yet. */
static const char *make_key(struct import *import, const char *id)
{
    char key[PLAN_KEY_BYTES_MAX + 1];
    size_t length = 0;
    for (; *id != 0 && length < PLAN_KEY_BYTES_MAX - 8; id++) {
        key[length++] = plain_of(*id);
    }
    if (length == 0) {
        memcpy(key, "task", 4);
        length = 4;
    }
    key[length] = 0;
    for (unsigned number = 2; strmap_get(&import->used, str_of(key)) != NULL; number++) {
        snprintf(key + length, sizeof(key) - length, "-%u", number);
    }
    strmap_put(&import->used, str_of(key), import);
    return arena_copy(import->arena, key, strlen(key));
}

static void set_text(json_t *task, const char *key, const char *text)
{
    if (*text != 0) {
        json_object_set_new(task, key, json_string(text));
    }
}

/* What it runs: a command among its data. */
static void take_command(struct import *import, const json_t *from, const char *where, json_t *task)
{
    const json_t *data = json_object_get(from, "task_data");
    const json_t *command = json_object_get(data, "command");
    const char *name = NULL;
    json_t *value = NULL;
    if (json_is_array(command) && json_array_size(command) > 0) {
        json_object_set(task, "run", (json_t *)(uintptr_t)command);
    } else if (json_is_string(command)) {
        json_object_set(task, "shell", (json_t *)(uintptr_t)command);
    } else {
        import_note(import, where, "task_data",
                    json_is_object(data) || import_is_nothing(data)
                        ? "no command in it: the task is a gate, which does nothing"
                        : "is no mapping with a command: the task is a gate, which does nothing");
    }
    json_object_foreach((json_t *)(uintptr_t)data, name, value)
    {
        if (strcmp(name, "command") != 0 && !import_is_nothing(value)) {
            char what[96];
            snprintf(what, sizeof(what), "task_data/%.64s", name);
            import_note(import, where, what, "is not carried over");
        }
    }
}

/* A list of them, or one alone. */
static void append_tips(struct import *import, const json_t *tips, const char *where,
                        struct buf *words)
{
    size_t count = json_is_array(tips) ? json_array_size(tips) : !import_is_nothing(tips);
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_is_array(tips) ? json_array_get(tips, i) : tips;
        const char *tip = json_string_value(item);
        if (tip == NULL) {
            import_note(import, where, "tips", "one is no text, and is not carried over");
        } else if (*tip != 0) {
            buf_printf(words, "%sTip: %s", words->length > 0 ? "\n" : "", tip);
        }
    }
}

static void take_description(struct import *import, const json_t *from, const char *where,
                             json_t *task)
{
    struct buf words = { 0 };
    expect_text(import, from, where, "name");
    expect_text(import, from, where, "description");
    const char *parts[] = { import_text_at(from, "name"), import_text_at(from, "description") };
    for (size_t i = 0; i < 2; i++) {
        bool is_doubled = i == 1 && strcmp(parts[0], parts[1]) == 0;
        if (*parts[i] != 0 && !is_doubled) {
            buf_printf(&words, "%s%s", words.length > 0 ? ": " : "", parts[i]);
        }
    }
    append_tips(import, json_object_get(from, "tips"), where, &words);
    const struct spec_key *row = spec_key_find(SPEC_WHERE_TASK, STR("description"));
    size_t bytes_max = row == NULL ? 1000 : (size_t)row->max;
    struct str whole = { (const char *)words.data, words.length };
    struct str cut = spec_text_cut(whole, bytes_max);
    if (cut.length < whole.length) {
        import_note(import, where, "description", "is too long, and cut");
    }
    if (cut.length > 0) {
        json_object_set_new(task, "description", json_stringn(cut.data, cut.length));
    }
    buf_done(&words);
}

static void take_place(struct import *import, const json_t *from, const char *where, json_t *task)
{
    const char *device = import_text_at(from, "target_device_id");
    const char *type = import_enum_at(from, "device_type");
    expect_text(import, from, where, "target_device_id");
    expect_text(import, from, where, "device_type");
    if (*device != 0 && spec_is_name(str_of(device), ".", MSG_NAME_BYTES_MAX)) {
        set_text(task, "device", device);
    } else if (*device != 0) {
        import_note(import, where, "target_device_id", "is no name that a device of ours can have");
    }
    if (strcasecmp(type, "windows") == 0 || strcasecmp(type, "linux") == 0 ||
        strcasecmp(type, "macos") == 0) {
        char selector[32];
        snprintf(selector, sizeof(selector), "os=%s",
                 strcasecmp(type, "windows") == 0 ? "windows"
                 : strcasecmp(type, "linux") == 0 ? "linux"
                                                  : "darwin");
        set_text(task, "selector", selector);
    } else if (*type != 0) {
        import_note(import, where, "device_type",
                    "is not carried over: label devices, and select by that");
    }
}

/* 1 low … 4 critical; ours rises without an end, 0 being the usual. */
static void take_priority(struct import *import, const json_t *from, const char *where,
                          json_t *task)
{
    static const char *const names[] = { "low", "medium", "high", "critical" };
    const json_t *value = json_object_get(from, "priority");
    json_int_t priority = json_integer_value(value);
    const char *name = import_enum_at(from, "priority");
    for (int i = 0; i < 4; i++) {
        if (strcasecmp(name, names[i]) == 0) {
            priority = i + 1;
        }
    }
    if (value == NULL || json_is_null(value)) {
        return;
    }
    if (priority < 1 || priority > 4) {
        import_note(import, where, "priority", "is none of 1 to 4");
    } else if (priority != 2) {
        json_object_set_new(task, "priority", json_integer((priority - 2) * 10));
    }
}

static void take_policy(struct import *import, const json_t *from, const char *where, json_t *task)
{
    const json_t *timeout = json_object_get(from, "timeout");
    const json_t *retries = json_object_get(from, "retry_count");
    double seconds = json_number_value(timeout);
    json_int_t count = json_integer_value(retries);
    if (json_is_number(timeout) && seconds > 0 && seconds < 1e8) {
        char text[32];
        snprintf(text, sizeof(text), "%lldms", (long long)(seconds * 1000));
        set_text(task, "timeout", text);
    } else if (timeout != NULL && !json_is_null(timeout)) {
        import_note(import, where, "timeout", "is no number of seconds");
    }
    if (json_is_integer(retries) && count > 0 && count < PLAN_ATTEMPTS_MAX) {
        json_object_set_new(task, "retry",
                            json_pack("{s:I}", "max_attempts", (json_int_t)(count + 1)));
    } else if (retries != NULL && !json_is_null(retries) &&
               !(json_is_integer(retries) && count == 0)) {
        import_note(import, where, "retry_count", "is not carried over");
    }
}

void import_take_rest(struct import *import, json_t *from, const char *where,
                      const char *const *known)
{
    const char *name = NULL;
    json_t *value = NULL;
    json_object_foreach(from, name, value)
    {
        bool is_known = import_is_nothing(value);
        for (size_t i = 0; known[i] != NULL; i++) {
            is_known = is_known || strcmp(name, known[i]) == 0;
        }
        if (!is_known) {
            bool is_status = strcmp(name, "status") == 0;
            import_note(import, where, name,
                        is_status ? "is not carried over: every task begins anew"
                                  : "is not carried over");
        }
    }
}

static void take_task(struct import *import, json_t *from, const char *id, const char *where)
{
    static const char *const known[] = { "task_id",     "name",         "description",
                                         "tips",        "priority",     "target_device_id",
                                         "device_type", "timeout",      "retry_count",
                                         "task_data",   "dependencies", "dependents",
                                         NULL };
    json_t *task = json_object();
    const char *key = strmap_get(&import->keys, str_of(id));
    if (strcmp(key, id) != 0) {
        import_note(import, where, "task_id",
                    "has characters that a key cannot have, and is changed");
    }
    take_description(import, from, where, task);
    take_command(import, from, where, task);
    bool is_gate = json_object_get(task, "run") == NULL && json_object_get(task, "shell") == NULL;
    if (is_gate) {
        import_note(import, where, "",
                    "where and how it would run is left out with what it would run");
    } else {
        take_place(import, from, where, task);
        take_policy(import, from, where, task);
    }
    take_priority(import, from, where, task);
    import_take_rest(import, from, where, known);
    json_object_set_new(import->tasks, key, task);
}

/* Lists and objects by id are both written. The id of an item; `name` is its place in an object. */
static const char *id_of(const json_t *item, const char *field, const char *name)
{
    const char *id = import_text_at(item, field);
    return *id != 0 || name == NULL ? id : name;
}

typedef void take_item(struct import *import, json_t *item, const char *id, const char *where);

static void each(struct import *import, const char *list_name, const char *field, json_t *list,
                 take_item *take)
{
    char where[PATH_BYTES];
    const char *name = NULL;
    json_t *item = NULL;
    size_t at = 0;
    json_object_foreach(list, name, item)
    {
        snprintf(where, sizeof(where), "/%s/%.100s", list_name, name);
        take(import, item, id_of(item, field, name), where);
    }
    json_array_foreach(list, at, item)
    {
        snprintf(where, sizeof(where), "/%s/%zu", list_name, at);
        take(import, item, id_of(item, field, NULL), where);
    }
}

static void name_task(struct import *import, json_t *from, const char *id, const char *where)
{
    if (!json_is_object(from) || *id == 0 || strmap_get(&import->keys, str_of(id)) != NULL) {
        import_note(import, where, "task_id", "is missing or there twice: the task is left out");
        return;
    }
    const char *key = make_key(import, id);
    strmap_put(&import->keys, str_of(id), (void *)(uintptr_t)key);
    json_object_set_new(import->tasks, key, json_null()); /* in their order */
}

static void fill_task(struct import *import, json_t *from, const char *id, const char *where)
{
    const char *key = strmap_get(&import->keys, str_of(id));
    if (key != NULL && json_is_null(json_object_get(import->tasks, key))) {
        take_task(import, from, id, where);
    }
}

/* A name of ours: theirs may be any text. */
static json_t *name_of(struct import *import, const json_t *root)
{
    const char *key =
        import_is_nothing(json_object_get(root, "name")) ? "constellation_id" : "name";
    const char *text = import_text_at(root, key);
    char name[PLAN_NAME_BYTES_MAX + 1];
    size_t length = 0;
    for (const char *at = text; *at != 0 && length < PLAN_NAME_BYTES_MAX; at++) {
        name[length++] = plain_of(*at);
    }
    name[length] = 0;
    expect_text(import, root, "", key);
    if (strcmp(name, text) != 0) {
        import_note(import, "", key,
                    "is too long or has characters that a name cannot have, and is changed");
    }
    if (strcmp(key, "name") == 0 && !import_is_nothing(json_object_get(root, "constellation_id"))) {
        import_note(import, "", "constellation_id",
                    "is not carried over: it gets an id of its own");
    }
    return json_string(length == 0 ? "imported" : name);
}

static void take_rest_of_root(struct import *import, json_t *root)
{
    static const char *const known[] = { "constellation_id", "name", "tasks", "dependencies",
                                         NULL };
    const json_t *lines = json_object_get(root, "dependencies");
    if (!import_is_nothing(lines) && !json_is_array(lines) && !json_is_object(lines)) {
        import_note(import, "", "dependencies", "is no list, and is not carried over");
    }
    import_take_rest(import, root, "", known);
}

static void finish(struct import *import, const json_t *root, struct buf *json)
{
    json_t *spec = json_object();
    json_object_set_new(spec, "name", name_of(import, root));
    json_object_set(spec, "tasks", import->tasks);
    char *text = json_dumps(spec, JSON_COMPACT | JSON_REAL_PRECISION(15));
    buf_append_text(json, text);
    free(text);
    json_decref(spec);
}

enum err import_ufo(struct str text, struct arena *arena, struct buf *json,
                    struct import_notes *ret_notes, struct reason *reason)
{
    json_error_t error;
    json_t *root = json_loadb(text.data, text.length, JSON_REJECT_DUPLICATES, &error);
    if (root == NULL) {
        return reason_set(reason, ERR_INVALID, "line %d: %s", error.line, error.text);
    }
    json_t *tasks = json_object_get(root, "tasks");
    json_t *lines = json_object_get(root, "dependencies");
    size_t count = json_is_object(tasks) ? json_object_size(tasks) : json_array_size(tasks);
    size_t lines_count = json_is_object(lines) ? json_object_size(lines) : json_array_size(lines);
    enum err err = ERR_NONE;
    if (count == 0) {
        err = reason_set(reason, ERR_INVALID, "it has no tasks");
    } else if (count > UFO_TASKS_MAX || lines_count > UFO_LINES_MAX) {
        err = reason_set(reason, ERR_INVALID, "more than %d tasks or %d dependencies",
                         UFO_TASKS_MAX, UFO_LINES_MAX);
    } else {
        struct import import = { .arena = arena, .notes = ret_notes, .tasks = json_object() };
        ret_notes->count = 0;
        ret_notes->dropped = 0;
        each(&import, "tasks", "task_id", tasks, name_task);
        each(&import, "tasks", "task_id", tasks, fill_task);
        each(&import, "dependencies", "line_id", lines, import_take_line);
        each(&import, "tasks", "task_id", tasks, import_compare_lists);
        take_rest_of_root(&import, root);
        finish(&import, root, json);
        json_decref(import.tasks);
        strmap_done(&import.keys);
        strmap_done(&import.used);
        strmap_done(&import.joined);
    }
    json_decref(root);
    return err;
}
