/* `cancel` and `delete`. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/http.h"
#include "cli/output.h"
#include "cli/tasks.h"

/* One request for each argument; goes on after a refusal; the exit code is the first that is not 0. */
static int for_each(struct cli *cli, const char *method, const char *rest, const char *words)
{
    int first = CLI_OK;
    json_t *answers = json_array();
    for (size_t i = 0; i < cli->options.arguments_count; i++) {
        struct tasks_name name;
        int code = tasks_name_of(cli->options.arguments[i], &name);
        if (code == CLI_OK && *name.key != 0) {
            code = cli_fail(CLI_USAGE, "\"%s\" names a task; a constellation is wanted",
                            cli->options.arguments[i]);
        }
        if (code != CLI_OK) {
            first = first == CLI_OK ? code : first;
            continue;
        }
        struct buf path = { 0 };
        tasks_path(&path, name.id, rest);
        struct http_exchange exchange = { .method = method, .path = buf_text(&path) };
        http_perform(cli->http, &exchange);
        if (exchange.status / 100 != 2) {
            code = http_refused(cli->http, &exchange);
        } else {
            json_t *answer =
                json_loadb((const char *)exchange.answer.data, exchange.answer.length, 0, NULL);
            const char *id = json_text(answer, "id");
            if (!cli->json) {
                struct buf line = { 0 };
                output_safe(&line, str_of(*id == 0 ? name.id : id));
                buf_printf(&line, " %s\n", words);
                output_flush(&line);
                buf_done(&line);
            } else if (answer != NULL) {
                json_array_append(answers, answer);
            }
            json_decref(answer);
        }
        first = first == CLI_OK ? code : first;
        http_exchange_done(cli->http, &exchange);
        buf_done(&path);
    }
    if (cli->json) {
        output_json(answers);
    }
    json_decref(answers);
    return first;
}

static int cancel(struct cli *cli)
{
    return for_each(cli, "POST", "/cancel", "is being cancelled");
}

static int delete (struct cli *cli)
{
    return for_each(cli, "DELETE", "", "is deleted");
}

const struct verb verb_cancel = {
    .name = "cancel",
    .summary = "Cancel constellations",
    .usage = "ID…",
    .text = "Running tasks are stopped (SIGTERM, later SIGKILL), the others are not begun.",
    .example = "asterism cancel @last\n",
    .operand = CLI_OPERAND_ID,
    .arguments_min = 1,
    .arguments_max = OPTIONS_ARGUMENTS_MAX,
    .run = cancel,
};

const struct verb verb_delete = {
    .name = "delete",
    .summary = "Delete constellations that have ended, with their output",
    .usage = "ID…",
    .example = "asterism delete disk-report-7k2m\n",
    .operand = CLI_OPERAND_ID,
    .arguments_min = 1,
    .arguments_max = OPTIONS_ARGUMENTS_MAX,
    .run = delete,
};
