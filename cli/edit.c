/* `edit`: a batch from a file, or one operation written on the command line. */
#include "cli/edit.h"

#include <stdlib.h>
#include <string.h>

#include "cli/send.h"
#include "cli/submit.h"
#include "cli/tasks.h"
#include "common/base/mem.h"

static const char forms[] = "add-task remove-task set-task add-dep remove-dep set";

/* "key=value" into the object: JSON if it is some, else text; nothing behind the '=' is null. */
static int take_pair(const char *pair, json_t *object)
{
    size_t name = strcspn(pair, "=");
    if (name == 0 || pair[name] != '=') {
        return cli_fail(CLI_USAGE, "\"%s\" is no KEY=VALUE", pair);
    }
    const char *text = pair + name + 1;
    json_t *value = *text == 0 ? json_null() : json_loads(text, JSON_DECODE_ANY, NULL);
    if (value == NULL) {
        value = json_string(text);
    }
    char *key = mem_format("%.*s", (int)name, pair);
    int failed = json_object_set_new(object, key, value);
    mem_free(key);
    return failed == 0 ? CLI_OK : cli_fail(CLI_USAGE, "\"%s\" is no UTF-8 text", pair);
}

static int take_pairs(const struct options *options, size_t from, json_t *object)
{
    int code = CLI_OK;
    if (options->arguments_count <= from) {
        return cli_fail(CLI_USAGE, "give KEY=VALUE for what is to be set");
    }
    for (size_t i = from; i < options->arguments_count && code == CLI_OK; i++) {
        code = take_pair(options->arguments[i], object);
    }
    return code;
}

static int wrong_count(const char *usage)
{
    return cli_fail(CLI_USAGE, "use it so: asterism edit ID %s", usage);
}

static void take_option(struct cli *cli, const char *option, const char *key, json_t *operation)
{
    const char *value = options_get(&cli->options, option);
    if (value != NULL) {
        json_object_set_new(operation, key, json_string(value));
    }
}

static int task_operation(struct cli *cli, const char *form, json_t *operation)
{
    const struct options *options = &cli->options;
    if (options->arguments_count < 3) {
        return wrong_count("add-task KEY --spec JSON | remove-task KEY | set-task KEY KEY=VALUE…");
    }
    json_object_set_new(operation, "task", json_string(options->arguments[2]));
    if (strcmp(form, "set-task") == 0) {
        json_t *set = json_object();
        json_object_set_new(operation, "op", json_string("update_task"));
        json_object_set_new(operation, "set", set);
        return take_pairs(options, 3, set);
    }
    if (options->arguments_count > 3) {
        return wrong_count("add-task KEY --spec JSON | remove-task KEY");
    }
    if (strcmp(form, "remove-task") == 0) {
        json_object_set_new(operation, "op", json_string("remove_task"));
        return CLI_OK;
    }
    const char *text = options_get(options, "spec");
    json_error_t error;
    json_t *spec = text == NULL ? NULL : json_loads(text, JSON_REJECT_DUPLICATES, &error);
    if (text == NULL) {
        return cli_fail(CLI_USAGE, "add-task needs --spec '{\"run\": [\"…\"]}'");
    }
    if (!json_is_object(spec)) {
        json_decref(spec);
        return cli_fail(CLI_USAGE, "--spec must be a JSON object: %s", error.text);
    }
    json_object_set_new(operation, "op", json_string("add_task"));
    json_object_set_new(operation, "spec", spec);
    return CLI_OK;
}

static int dependency_operation(struct cli *cli, const char *form, json_t *operation)
{
    const struct options *options = &cli->options;
    if (options->arguments_count != 4) {
        return wrong_count("add-dep FROM TO | remove-dep FROM TO");
    }
    bool adds = strcmp(form, "add-dep") == 0;
    json_object_set_new(operation, "op",
                        json_string(adds ? "add_dependency" : "remove_dependency"));
    json_object_set_new(operation, "from", json_string(options->arguments[2]));
    json_object_set_new(operation, "to", json_string(options->arguments[3]));
    take_option(cli, "when", "when", operation);
    if (adds) {
        take_option(cli, "if", "if", operation);
    }
    return CLI_OK;
}

/* One operation from the arguments behind the id. */
static int read_form(struct cli *cli, json_t *operation)
{
    const char *form = cli->options.arguments[1];
    if (!options_word_in(forms, form)) {
        return cli_fail(CLI_USAGE, "\"%s\" is none of: %s", form, forms);
    }
    if (strcmp(form, "set") == 0) {
        json_object_set_new(operation, "op", json_string("set"));
        return take_pairs(&cli->options, 2, operation);
    }
    return strstr(form, "-task") != NULL ? task_operation(cli, form, operation)
                                         : dependency_operation(cli, form, operation);
}

/* What the options say of the whole batch. */
static int take_head(struct cli *cli, json_t *batch)
{
    const char *base = options_get(&cli->options, "base");
    if (base != NULL) {
        uint64_t number = 0;
        if (!str_to_uint64(str_of(base), UINT32_MAX, &number)) {
            return cli_fail(CLI_USAGE, "--base takes the number of a revision, not \"%s\"", base);
        }
        json_object_set_new(batch, "base_revision", json_integer((json_int_t)number));
    }
    take_option(cli, "reason", "reason", batch);
    return CLI_OK;
}

static int send_batch(struct cli *cli, const char *id, json_t *batch)
{
    int code = take_head(cli, batch);
    if (code == CLI_OK) {
        char *text = json_dumps(batch, JSON_COMPACT);
        code = edit_send(cli, id, "/edits", "application/json", str_of(text));
        free(text);
    }
    return code;
}

/* A file in JSON can be given a base and a reason; one in YAML has them in it. */
static int send_file(struct cli *cli, const char *id, const char *path)
{
    struct buf text = { 0 };
    const char *content_type = NULL;
    int code = submit_read(path, &text, &content_type);
    bool has_head = options_has(&cli->options, "base") || options_has(&cli->options, "reason");
    if (code == CLI_OK && has_head) {
        json_t *batch =
            json_loadb((const char *)text.data, text.length, JSON_REJECT_DUPLICATES, NULL);
        code = json_is_object(batch)
                   ? send_batch(cli, id, batch)
                   : cli_fail(CLI_USAGE, "--base and --reason go into a file in JSON only: write "
                                         "base_revision and reason into it");
        json_decref(batch);
    } else if (code == CLI_OK) {
        code = edit_send(cli, id, "/edits", content_type,
                         (struct str){ (const char *)text.data, text.length });
    }
    buf_done(&text);
    return code;
}

static int edit(struct cli *cli)
{
    char id[TASKS_NAME_BYTES_MAX] = "";
    const char *path = options_get(&cli->options, "file");
    bool has_form = cli->options.arguments_count > 1;
    if ((path != NULL) == has_form) {
        return cli_fail(CLI_USAGE, "give either -f FILE or one operation: %s", forms);
    }
    int code = send_whole_id(cli, cli->options.arguments[0], id);
    if (code != CLI_OK) {
        return code;
    }
    if (path != NULL) {
        return send_file(cli, id, path);
    }
    json_t *operation = json_object();
    code = read_form(cli, operation);
    if (code == CLI_OK) {
        json_t *batch = json_pack("{s:[O]}", "operations", operation);
        code = send_batch(cli, id, batch);
        json_decref(batch);
    }
    json_decref(operation);
    return code;
}

static const struct option edit_options[] = {
    { .name = "file",
      .letter = 'f',
      .operand = "FILE",
      .help = "The batch, in JSON or YAML; - is stdin." },
    { .name = "dry-run", .help = "Tell what would happen, and do nothing." },
    { .name = "base",
      .operand = "N",
      .help =
          "The revision it was written against: refused if what it touches has changed since." },
    { .name = "reason", .operand = "TEXT", .help = "Why, for whoever reads the history." },
    { .name = "spec", .operand = "JSON", .help = "Of add-task: the task's keys." },
    { .name = "when",
      .operand = "KIND",
      .help = "Of a dependency: when it opens. Default: success.",
      .words = "success finished failure always" },
    { .name = "if", .operand = "EXPRESSION", .help = "Of add-dep: a condition beside that." },
    { .name = NULL },
};

const struct verb verb_edit = {
    .name = "edit",
    .summary = "Change the plan of a constellation while it runs",
    .usage = "ID -f FILE | ID OPERATION …",
    .text = "A batch is applied whole or not at all; docs/editing.md has its operations, asterism "
            "schema edit its\nform. One operation may stand on the command line: add-task KEY "
            "--spec JSON, remove-task KEY,\nset-task KEY KEY=VALUE…, add-dep FROM TO, remove-dep "
            "FROM TO, set KEY=VALUE….\nA value is JSON or text; KEY= alone takes the key "
            "away. Refused, the exit code is 4.",
    .example = "asterism edit nightly-7k2m -f repair.yaml --dry-run\n"
               "asterism edit nightly-7k2m add-task check --spec '{\"run\": [\"df\", \"-h\"]}'\n"
               "asterism edit nightly-7k2m add-dep check upload --when finished\n"
               "asterism edit nightly-7k2m set-task upload priority=5 timeout=10m\n",
    .options = edit_options,
    .operand = CLI_OPERAND_ID,
    .arguments_min = 1,
    .arguments_max = OPTIONS_ARGUMENTS_MAX,
    .run = edit,
};
