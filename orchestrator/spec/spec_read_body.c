/* The keys of a task that say what it does. */
#include "orchestrator/spec/spec_read.h"

/* The first one of run, shell, noop and sleep decides; a second one is refused. */
static void take_executor(struct spec_reader *reader, struct spec_draft *draft,
                          enum executor executor, const struct spec_node *key,
                          const struct spec_path *path)
{
    if (draft->body.executor == 0) {
        draft->body.executor = executor;
        return;
    }
    if (draft->body.executor == executor) {
        return; /* a key twice, which is told already */
    }
    spec_report_add(&reader->report, "two_executors", spec_node_place(key), path,
                    "run, shell, noop, sleep",
                    "a task does one thing: it has \"%s\" already, so not \"%s\" too",
                    executor_name(draft->body.executor), executor_name(executor));
}

void spec_read_run(struct spec_reader *reader, struct spec_draft *draft, const struct spec_key *row,
                   const struct spec_node *key, const struct spec_path *path)
{
    (void)row;
    const struct spec_node *list = spec_value(key);
    take_executor(reader, draft, EXECUTOR_RUN, key, path);
    if (list->kind != SPEC_LIST) {
        spec_wrong_type(reader, list, path, "a list: the program and its arguments");
        return;
    }
    if (list->length == 0 || list->length > MSG_ARGS_MAX) {
        spec_report_add(&reader->report, "out_of_range", spec_node_place(list), path, NULL,
                        "must name a program, and have at most %d items", MSG_ARGS_MAX);
        return;
    }
    struct str *argv = arena_array(reader->arena, list->length, sizeof *argv);
    size_t count = 0;
    for (const struct spec_node *item = list->first; item != NULL; item = item->next) {
        struct spec_path at = { .up = path, .index = count };
        if (spec_take_scalar(reader, item, &at, &argv[count])) {
            spec_note_references(reader, draft, &argv[count], item, &at);
            if (count == 0 && argv[0].length == 0) {
                spec_report_add(&reader->report, "bad_value", spec_node_place(item), &at, NULL,
                                "the name of the program is empty");
            }
        }
        count++;
    }
    draft->body.argv = argv;
    draft->body.argv_count = count;
}

void spec_read_shell(struct spec_reader *reader, struct spec_draft *draft,
                     const struct spec_key *row, const struct spec_node *key,
                     const struct spec_path *path)
{
    take_executor(reader, draft, EXECUTOR_SHELL, key, path);
    spec_read_text(reader, draft, row, key, path);
    /* A value inside a shell text would be run as shell text, whoever put it out. */
    if (spec_text_holds(draft->body.shell, STR("${{"))) {
        spec_report_add(&reader->report, "bad_reference", spec_node_place(spec_value(key)), path,
                        NULL,
                        "no placeholder may stand in a shell text: put it under env and write "
                        "\"$NAME\"");
    }
}

void spec_read_noop(struct spec_reader *reader, struct spec_draft *draft,
                    const struct spec_key *row, const struct spec_node *key,
                    const struct spec_path *path)
{
    (void)row;
    const struct spec_node *node = spec_value(key);
    take_executor(reader, draft, EXECUTOR_NOOP, key, path);
    if (node->kind != SPEC_BOOL) {
        spec_wrong_type(reader, node, path, "true");
    } else if (node->text[0] != 't' && node->text[0] != 'T') {
        spec_report_add(&reader->report, "bad_value", spec_node_place(node), path, "true",
                        "must be true, or not there");
    }
}

void spec_read_sleep(struct spec_reader *reader, struct spec_draft *draft,
                     const struct spec_key *row, const struct spec_node *key,
                     const struct spec_path *path)
{
    take_executor(reader, draft, EXECUTOR_SLEEP, key, path);
    spec_read_duration(reader, draft, row, key, path);
}

/* Why the system or the agent would not take it as the name of a variable; NULL: it does. */
static const char *env_name_fault(struct str name)
{
    static const char *const reserved[] = { "ASTERISM_TASK", "ASTERISM_ATTEMPT", "ASTERISM_OUTPUT",
                                            "ASTERISM_FENCE" };
    if (!spec_is_name(name, "_", MSG_NAME_BYTES_MAX) ||
        (name.data[0] >= '0' && name.data[0] <= '9')) {
        return "letters, digits and _, not a digit first, at most 128 characters";
    }
    for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++) {
        if (str_is(name, reserved[i])) {
            return "the agent sets it";
        }
    }
    return NULL;
}

void spec_read_env(struct spec_reader *reader, struct spec_draft *draft, const struct spec_key *row,
                   const struct spec_node *key, const struct spec_path *path)
{
    (void)row;
    const struct spec_node *map = spec_value(key);
    if (map->kind != SPEC_MAP) {
        spec_wrong_type(reader, map, path, "a mapping from names to text");
        return;
    }
    if (map->length > MSG_ENV_MAX) {
        spec_report_add(&reader->report, "too_large", spec_node_place(map), path, NULL,
                        "has %u variables; at most %d are allowed", map->length, MSG_ENV_MAX);
        return;
    }
    struct msg_pair *env = arena_array(reader->arena, map->length, sizeof *env);
    size_t count = 0;
    for (const struct spec_node *name = map->first; name != NULL; name = name->next->next) {
        struct msg_pair *pair = &env[count++];
        pair->key = spec_node_text(name);
        struct spec_path at = { .up = path, .key = pair->key };
        const char *fault = env_name_fault(pair->key);
        if (fault != NULL) {
            struct str text = spec_report_shorten(pair->key);
            spec_report_add(&reader->report, "bad_key", spec_node_place(name), &at, NULL,
                            "\"%.*s\" cannot be the name of a variable: %s", STR_ARG(text), fault);
        }
        if (spec_take_scalar(reader, spec_value(name), &at, &pair->value)) {
            spec_note_references(reader, draft, &pair->value, spec_value(name), &at);
        }
    }
    draft->body.env = env;
    draft->body.env_count = count;
}

/* Any text at all, a NUL too: it is data for the program. */
void spec_read_stdin(struct spec_reader *reader, struct spec_draft *draft,
                     const struct spec_key *row, const struct spec_node *key,
                     const struct spec_path *path)
{
    (void)row;
    const struct spec_node *node = spec_value(key);
    bool is_scalar = node->kind == SPEC_NUMBER || node->kind == SPEC_BOOL;
    if (node->kind != SPEC_TEXT && !(node->is_filled && is_scalar)) {
        spec_wrong_type(reader, node, path, "text");
        return;
    }
    draft->body.has_stdin = true;
    draft->body.stdin_data = spec_node_text(node);
    spec_note_references(reader, draft, &draft->body.stdin_data, node, path);
}

void spec_read_cwd(struct spec_reader *reader, struct spec_draft *draft, const struct spec_key *row,
                   const struct spec_node *key, const struct spec_path *path)
{
    const struct spec_node *node = spec_value(key);
    spec_read_text(reader, draft, row, key, path);
    struct str cwd = draft->body.cwd;
    if (cwd.length == 0) {
        return; /* reported */
    }
    if (cwd.data[0] != '/' && !str_starts_with(cwd, STR("${{"))) {
        spec_report_add(&reader->report, "bad_value", spec_node_place(node), path, NULL,
                        "must be an absolute path");
    }
    draft->body.has_cwd = true;
    spec_note_references(reader, draft, &draft->body.cwd, node, path);
}

/* timeout and timeouts.run are one thing under two names. */
void spec_read_timeout(struct spec_reader *reader, struct spec_draft *draft,
                       const struct spec_key *row, const struct spec_node *key,
                       const struct spec_path *path)
{
    bool is_short = row->id == SPEC_KEY_TIMEOUT;
    if (spec_draft_has(draft, is_short ? SPEC_KEY_TIMEOUTS_RUN : SPEC_KEY_TIMEOUT)) {
        spec_report_add(&reader->report, "bad_value", spec_node_place(key), path, NULL,
                        "timeout and timeouts.run are the same: give one of them");
        return;
    }
    spec_read_duration(reader, draft, row, key, path);
}

void spec_read_on_disconnect(struct spec_reader *reader, struct spec_draft *draft,
                             const struct spec_key *row, const struct spec_node *key,
                             const struct spec_path *path)
{
    (void)row;
    static const char *const words[] = { "continue", "stop" };
    size_t choice = 0;
    if (spec_take_choice(reader, spec_value(key), path, words, sizeof words / sizeof words[0],
                         "continue, stop", &choice)) {
        draft->body.on_disconnect = choice == 0 ? ON_DISCONNECT_CONTINUE : ON_DISCONNECT_STOP;
    }
}

void spec_read_output(struct spec_reader *reader, struct spec_draft *draft,
                      const struct spec_key *row, const struct spec_node *key,
                      const struct spec_path *path)
{
    (void)row;
    struct str text;
    if (!spec_take_text(reader, spec_value(key), path, &text)) {
        return;
    }
    if (!str_is(text, "json")) {
        text = spec_report_shorten(text);
        spec_report_add(&reader->report, "bad_value", spec_node_place(spec_value(key)), path,
                        "json", "must be json, not \"%.*s\"", STR_ARG(text));
        return;
    }
    draft->body.output_json = true;
}
