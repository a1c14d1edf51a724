/* `cancel` and `delete`. */

#include "cli/cli.h"
#include "cli/http.h"
#include "cli/output.h"
#include "cli/send.h"

struct change {
    const char *method;
    const char *rest;  /* of the path */
    const char *words; /* "ID …" when it was done */
};

static int change_one(struct cli *cli, const struct change *change, const char *id, json_t *answers)
{
    struct buf path = { 0 };
    tasks_path(&path, id, change->rest);
    struct http_exchange exchange = { .method = change->method, .path = buf_text(&path) };
    http_perform(cli->http, &exchange);
    int code = CLI_OK;
    if (exchange.status / 100 != 2) {
        code = http_refused(cli->http, &exchange);
    } else if (cli->json) {
        json_t *answer =
            json_loadb((const char *)exchange.answer.data, exchange.answer.length, 0, NULL);
        json_array_append_new(answers, answer != NULL ? answer : json_pack("{s:s}", "id", id));
    } else {
        struct buf line = { 0 };
        output_safe(&line, str_of(id));
        buf_printf(&line, " %s\n", change->words);
        output_flush(&line);
        buf_done(&line);
    }
    http_exchange_done(cli->http, &exchange);
    buf_done(&path);
    return code;
}

/* Goes on after a refusal; the exit code is the first that is not 0. */
static int change_all(struct cli *cli, const struct change *change)
{
    static char ids[OPTIONS_ARGUMENTS_MAX][TASKS_NAME_BYTES_MAX];
    int first = CLI_OK;
    for (size_t i = 0; i < cli->options.arguments_count; i++) {
        int code = send_whole_id(cli, cli->options.arguments[i], ids[i]);
        first = first == CLI_OK ? code : first;
    }
    json_t *answers = json_array();
    for (size_t i = 0; i < cli->options.arguments_count; i++) {
        int code = *ids[i] == 0 ? CLI_OK : change_one(cli, change, ids[i], answers);
        first = first == CLI_OK ? code : first;
    }
    if (cli->json) {
        output_json(answers);
    }
    json_decref(answers);
    return first;
}

static int cancel(struct cli *cli)
{
    return change_all(cli, &(struct change){ "POST", "/cancel", "is being cancelled" });
}

static int delete (struct cli *cli)
{
    return change_all(cli, &(struct change){ "DELETE", "", "is deleted" });
}

const struct verb verb_cancel = {
    .name = "cancel",
    .summary = "Cancel constellations",
    .usage = "ID…",
    .text =
        "Running tasks are stopped (SIGTERM, later SIGKILL), the others are not begun. An ID is "
        "whole\nhere, or @last: no beginning of one.",
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
    .text = "An ID is whole here, or @last: no beginning of one.",
    .example = "asterism delete disk-report-7k2m\n",
    .operand = CLI_OPERAND_ID,
    .arguments_min = 1,
    .arguments_max = OPTIONS_ARGUMENTS_MAX,
    .run = delete,
};
