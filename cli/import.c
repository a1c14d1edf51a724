/* `import`: a spec, or a UFO³ TaskConstellation, becomes a constellation; what cannot be carried over is
   said. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/http.h"
#include "cli/output.h"
#include "cli/submit.h"

/* Ours has its tasks by key, with none of their fields. */
static bool is_ufo(const struct buf *text)
{
    json_t *root = json_loadb((const char *)text->data, text->length, 0, NULL);
    const json_t *tasks = json_object_get(root, "tasks");
    const json_t *first = json_array_get(tasks, 0);
    const char *name = NULL;
    json_t *task = NULL;
    bool found = json_object_get(root, "constellation_id") != NULL || first != NULL;
    json_object_foreach((json_t *)(uintptr_t)tasks, name, task)
    {
        found = found || json_object_get(task, "task_id") != NULL ||
                json_object_get(task, "task_data") != NULL;
    }
    json_decref(root);
    return found;
}

static void say_notes(const json_t *answer)
{
    struct buf words = { 0 };
    size_t at = 0;
    const json_t *note = NULL;
    json_array_foreach(json_object_get(answer, "notes"), at, note)
    {
        output_safe(&words, str_of(json_text(note, "path")));
        buf_append_text(&words, " ");
        output_safe(&words, str_of(json_text(note, "detail")));
        buf_append_text(&words, "\n");
    }
    if (json_number(answer, "more_notes") > 0) {
        buf_printf(&words, "and %lld more\n", (long long)json_number(answer, "more_notes"));
    }
    fputs(buf_text(&words), stderr);
    buf_done(&words);
}

/* The spec that the daemon makes of it; NULL: refused, and *ret_code is what to end with. */
static char *convert(struct cli *cli, const struct buf *text, int *ret_code)
{
    struct http_exchange exchange = {
        .method = "POST",
        .path = "/api/v1/import",
        .body = { (const char *)text->data, text->length },
        .content_type = "application/json",
    };
    http_perform(cli->http, &exchange);
    char *spec = NULL;
    if (exchange.status != 200) {
        *ret_code = http_refused(cli->http, &exchange);
    } else {
        json_t *answer =
            json_loadb((const char *)exchange.answer.data, exchange.answer.length, 0, NULL);
        say_notes(answer);
        spec = json_dumps(json_object_get(answer, "spec"), JSON_INDENT(2));
        json_decref(answer);
    }
    http_exchange_done(cli->http, &exchange);
    return spec;
}

static int submit_spec(struct cli *cli, const char *name, const char *content_type, struct str text)
{
    json_t *constellation = NULL;
    int code = submit_text(cli, name, content_type, text, &constellation);
    if (code == CLI_OK && cli->json) {
        output_json(constellation);
    } else if (code == CLI_OK) {
        struct buf line = { 0 };
        output_safe(&line, str_of(json_text(constellation, "id")));
        buf_append_text(&line, "\n");
        output_flush(&line);
        buf_done(&line);
    }
    json_decref(constellation);
    return code;
}

static int import(struct cli *cli)
{
    const char *path = cli->options.arguments[0];
    const char *content_type = NULL;
    struct buf text = { 0 };
    int code = submit_read(path, &text, &content_type);
    bool prints = options_has(&cli->options, "dry-run");
    struct str whole = { (const char *)text.data, text.length };
    char *spec = NULL;
    if (code == CLI_OK && is_ufo(&text)) {
        spec = convert(cli, &text, &code);
        whole = str_of(spec);
        content_type = "application/json";
    }
    if (code == CLI_OK && prints) {
        struct buf out = { 0 };
        buf_append(&out, whole.data, whole.length);
        buf_append_text(&out, spec == NULL ? "" : "\n");
        output_flush(&out);
        buf_done(&out);
    } else if (code == CLI_OK) {
        code = submit_spec(cli, strcmp(path, "-") == 0 ? "<stdin>" : path, content_type, whole);
    }
    free(spec);
    buf_done(&text);
    return code;
}

static const struct option import_options[] = {
    { .name = "dry-run", .help = "Print the spec that it becomes, and submit nothing." },
    { .name = NULL },
};

const struct verb verb_import = {
    .name = "import",
    .summary = "Submit an exported spec, or a UFO³ TaskConstellation",
    .usage = "FILE",
    .text = "What cannot be carried over from another format is listed on stderr. The id of the "
            "new constellation\ngoes to stdout.",
    .example = "asterism import constellation.json --dry-run\n"
               "asterism export nightly-7k2m | asterism import -\n",
    .options = import_options,
    .operand = CLI_OPERAND_FILE,
    .arguments_min = 1,
    .arguments_max = 1,
    .run = import,
};
