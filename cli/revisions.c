/* `diff`, `history`, `undo` and `redo`: what edits have done, and taking it back. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/edit.h"
#include "cli/output.h"
#include "cli/send.h"
#include "cli/tasks.h"

static int get(struct cli *cli, const struct buf *path, json_t **ret_answer)
{
    struct buf whole = { 0 };
    buf_append(&whole, path->data, path->length);
    int code = http_get(cli->http, buf_text(&whole), ret_answer);
    buf_done(&whole);
    return code;
}

static int take_number(const char *text, int64_t *ret_number)
{
    uint64_t number = 0;
    if (!str_to_uint64(str_of(text), UINT32_MAX, &number) || number == 0) {
        return cli_fail(CLI_USAGE, "\"%s\" is not the number of a revision", text);
    }
    *ret_number = (int64_t)number;
    return CLI_OK;
}

/* --- history --- */

static void add_revision(struct table *table, const json_t *revision)
{
    char number[24];
    char base[24];
    snprintf(number, sizeof(number), "%" PRId64, json_number(revision, "revision"));
    snprintf(base, sizeof(base), "%" PRId64, json_number(revision, "base_revision"));
    const json_t *author = json_object_get(revision, "author");
    struct buf name = { 0 };
    buf_printf(&name, "%s (%s)", json_text(author, "name"), json_text(author, "kind"));
    table_row(table, 5,
              (const char *const[]){ number, base, json_text(revision, "at"), buf_text(&name),
                                     json_text(revision, "reason") });
    buf_done(&name);
}

static void show_revisions(struct cli *cli, const json_t *list)
{
    struct table table = { 0 };
    struct buf text = { 0 };
    size_t at = 0;
    const json_t *revision = NULL;
    table_row(&table, 5, (const char *const[]){ "REVISION", "BASE", "AT", "AUTHOR", "REASON" });
    json_array_foreach(list, at, revision)
    {
        add_revision(&table, revision);
    }
    table_render(&table, cli->colour, SIZE_MAX, &text);
    output_flush(&text);
    buf_done(&text);
    table_done(&table);
}

static int history(struct cli *cli)
{
    struct tasks_name name = { .id = "" };
    int code = tasks_name_of(cli->options.arguments[0], &name);
    if (code == CLI_OK && cli->options.arguments_count > 1) {
        if (*name.key != 0 || strlen(cli->options.arguments[1]) >= sizeof(name.key)) {
            return cli_fail(CLI_USAGE, "give one task: ID TASK, or ID/TASK");
        }
        memcpy(name.key, cli->options.arguments[1], strlen(cli->options.arguments[1]) + 1);
    }
    if (code != CLI_OK) {
        return code;
    }
    struct buf path = { 0 };
    if (*name.key == 0) {
        tasks_path(&path, name.id, "/revisions?limit=1000");
    } else {
        tasks_key_path(&path, &name, "/history");
    }
    json_t *answer = NULL;
    code = get(cli, &path, &answer);
    const json_t *list = json_object_get(answer, "revisions");
    if (code == CLI_OK && cli->json) {
        output_json(answer);
    } else if (code == CLI_OK) {
        if (json_array_size(list) == 0) {
            cli_note("%s has not been edited", cli->options.arguments[0]);
        } else {
            show_revisions(cli, list);
        }
        if (json_is_integer(json_object_get(answer, "next"))) {
            cli_note("there are older ones");
        }
    }
    json_decref(answer);
    buf_done(&path);
    return code;
}

/* --- diff --- */

static void append_value(struct buf *to, const json_t *value)
{
    bool is_there = value != NULL && !json_is_null(value);
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
    output_safe(to, str_of(is_there ? text : "-"));
    free(text);
}

static void append_tasks(struct buf *to, const json_t *list, const char *sign)
{
    size_t at = 0;
    const json_t *item = NULL;
    json_array_foreach(list, at, item)
    {
        buf_printf(to, "%s task ", sign);
        output_safe(to, str_of(json_text(item, "task")));
        buf_append_text(to, " ");
        append_value(to, json_object_get(item, "spec"));
        buf_append_text(to, "\n");
    }
}

static void append_pairs(struct buf *to, const char *what, json_t *pairs)
{
    const char *name = NULL;
    json_t *pair = NULL;
    json_object_foreach(pairs, name, pair)
    {
        buf_append_text(to, "~ ");
        output_safe(to, str_of(what));
        buf_append_text(to, " ");
        output_safe(to, str_of(name));
        buf_append_text(to, ": ");
        append_value(to, json_object_get(pair, "before"));
        buf_append_text(to, " → ");
        append_value(to, json_object_get(pair, "after"));
        buf_append_text(to, "\n");
    }
}

static void append_edges(struct buf *to, const json_t *list, const char *sign)
{
    size_t at = 0;
    const json_t *edge = NULL;
    json_array_foreach(list, at, edge)
    {
        buf_printf(to, "%s ", sign);
        output_safe(to, str_of(json_text(edge, "from")));
        buf_append_text(to, " → ");
        output_safe(to, str_of(json_text(edge, "to")));
        if (strcmp(json_text(edge, "when"), "success") != 0) {
            buf_printf(to, " when %s", json_text(edge, "when"));
        }
        if (*json_text(edge, "if") != 0) {
            buf_append_text(to, " if ");
            output_safe(to, str_of(json_text(edge, "if")));
        }
        buf_append_text(to, "\n");
    }
}

static void show_diff(const json_t *answer, struct buf *to)
{
    const json_t *tasks = json_object_get(answer, "tasks");
    const json_t *edges = json_object_get(answer, "dependencies");
    size_t at = 0;
    const json_t *item = NULL;
    append_tasks(to, json_object_get(tasks, "removed"), "-");
    append_tasks(to, json_object_get(tasks, "added"), "+");
    json_array_foreach(json_object_get(tasks, "changed"), at, item)
    {
        append_pairs(to, json_text(item, "task"), json_object_get(item, "keys"));
    }
    append_edges(to, json_object_get(edges, "removed"), "-");
    append_edges(to, json_object_get(edges, "added"), "+");
    append_pairs(to, "constellation", json_object_get(answer, "set"));
}

static int diff(struct cli *cli)
{
    int64_t ends[2] = { 0, 0 };
    size_t count = cli->options.arguments_count - 1;
    int code = CLI_OK;
    for (size_t i = 0; i < count && code == CLI_OK; i++) {
        code = take_number(cli->options.arguments[i + 1], &ends[i]);
    }
    if (code != CLI_OK) {
        return code;
    }
    struct buf path = { 0 };
    tasks_path(&path, cli->options.arguments[0], "/diff");
    if (count > 0) {
        buf_printf(&path, "?from=%" PRId64, ends[0]);
    }
    if (count > 1) {
        buf_printf(&path, "&to=%" PRId64, ends[1]);
    }
    json_t *answer = NULL;
    code = get(cli, &path, &answer);
    if (code == CLI_OK && cli->json) {
        output_json(answer);
    } else if (code == CLI_OK) {
        struct buf text = { 0 };
        show_diff(answer, &text);
        if (text.length == 0) {
            cli_note("nothing differs");
        }
        output_flush(&text);
        buf_done(&text);
    }
    json_decref(answer);
    buf_done(&path);
    return code;
}

/* --- undo, redo --- */

static int take_back(struct cli *cli, const char *way)
{
    char id[TASKS_NAME_BYTES_MAX] = "";
    int64_t number = 0;
    int code = send_whole_id(cli, cli->options.arguments[0], id);
    if (code == CLI_OK && cli->options.arguments_count > 1) {
        code = take_number(cli->options.arguments[1], &number);
    }
    if (code != CLI_OK) {
        return code;
    }
    json_t *body = json_object();
    const char *reason = options_get(&cli->options, "reason");
    if (number != 0) {
        json_object_set_new(body, "revision", json_integer((json_int_t)number));
    }
    if (reason != NULL) {
        json_object_set_new(body, "reason", json_string(reason));
    }
    char *text = json_dumps(body, JSON_COMPACT);
    code = edit_send(cli, id, way, "application/json", str_of(text));
    free(text);
    json_decref(body);
    return code;
}

static int undo(struct cli *cli)
{
    return take_back(cli, "/undo");
}

static int redo(struct cli *cli)
{
    return take_back(cli, "/redo");
}

static const struct option undo_options[] = {
    { .name = "dry-run", .help = "Tell what would happen, and do nothing." },
    { .name = "reason", .operand = "TEXT", .help = "Why, for whoever reads the history." },
    { .name = NULL },
};

const struct verb verb_history = {
    .name = "history",
    .summary = "Show the edits of a constellation, or of one task",
    .usage = "ID [TASK]",
    .text = "Newest first. With -o json those of a task come with their operations, and its "
            "attempts.",
    .example = "asterism history nightly-7k2m\nasterism history nightly-7k2m upload -o json\n",
    .operand = CLI_OPERAND_TASK,
    .arguments_min = 1,
    .arguments_max = 2,
    .run = history,
};

const struct verb verb_diff = {
    .name = "diff",
    .summary = "Show what has changed between two revisions",
    .usage = "ID [FROM [TO]]",
    .text = "Without TO up to the head, without FROM what the last edit has done. The submission "
            "is revision 1.",
    .example = "asterism diff nightly-7k2m\nasterism diff nightly-7k2m 1 4\n",
    .operand = CLI_OPERAND_ID,
    .arguments_min = 1,
    .arguments_max = 3,
    .run = diff,
};

const struct verb verb_undo = {
    .name = "undo",
    .summary = "Take back an edit, by another edit",
    .usage = "ID [REVISION]",
    .text = "Without a revision the last edit that has not been undone. Refused if it would touch "
            "what has started\nsince, or what a later edit has changed.",
    .example = "asterism undo nightly-7k2m\nasterism undo nightly-7k2m 4 --dry-run\n",
    .options = undo_options,
    .operand = CLI_OPERAND_ID,
    .arguments_min = 1,
    .arguments_max = 2,
    .run = undo,
};

const struct verb verb_redo = {
    .name = "redo",
    .summary = "Take back an undo",
    .usage = "ID [REVISION]",
    .text = "Without a revision the last undo that nothing but redos have followed.",
    .example = "asterism redo nightly-7k2m\n",
    .options = undo_options,
    .operand = CLI_OPERAND_ID,
    .arguments_min = 1,
    .arguments_max = 2,
    .run = redo,
};
