/* `holds`, `hold`, `release`, `approve` and `deny`: what waits for somebody. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/output.h"
#include "cli/send.h"

static int get_holds(struct cli *cli, const char *id, json_t **ret_answer)
{
    struct buf path = { 0 };
    tasks_path(&path, id, "/holds");
    int code = http_get(cli->http, buf_text(&path), ret_answer);
    buf_done(&path);
    return code;
}

/* What it holds: "all", "a, b", "4,096 tasks", "behind a". */
static void append_what(const json_t *hold, struct buf *to)
{
    const json_t *tasks = json_object_get(hold, "tasks");
    size_t at = 0;
    const json_t *task = NULL;
    enum { NAMED_MAX = 3 };
    if (strcmp(json_text(hold, "scope"), "all") == 0) {
        buf_append_text(to, "all");
        return;
    }
    if (strcmp(json_text(hold, "scope"), "descendants") == 0) {
        buf_printf(to, "%lld behind %s", (long long)json_number(hold, "tasks_count"),
                   json_text(hold, "task"));
        return;
    }
    if (json_number(hold, "tasks_count") == 0) {
        buf_append_text(to, json_text(hold, "task"));
    }
    if (json_number(hold, "tasks_count") > NAMED_MAX) {
        buf_printf(to, "%lld tasks", (long long)json_number(hold, "tasks_count"));
        return;
    }
    json_array_foreach(tasks, at, task)
    {
        const char *key = json_string_value(task);
        buf_printf(to, "%s%s", at == 0 ? "" : ", ", key == NULL ? "" : key);
    }
}

static void add_row(struct table *table, const json_t *hold)
{
    char id[32];
    snprintf(id, sizeof id, "%lld", (long long)json_number(hold, "id"));
    struct buf what = { 0 };
    struct buf until = { 0 };
    append_what(hold, &what);
    const char *end = json_text(hold, "until");
    buf_printf(&until, "%s%s", *end == 0 ? "-" : end,
               strcmp(json_text(hold, "on_expiry"), "fail") == 0 ? ", then fails" : "");
    table_row(table, 6,
              (const char *const[]){ id, json_text(hold, "origin"), buf_text(&what),
                                     json_text(hold, "owner"), buf_text(&until),
                                     json_text(hold, "reason") });
    buf_done(&what);
    buf_done(&until);
}

static int list(struct cli *cli)
{
    json_t *answer = NULL;
    int code = get_holds(cli, cli->options.arguments[0], &answer);
    const json_t *holds = json_object_get(answer, "holds");
    if (code == CLI_OK && cli->json) {
        output_json(answer);
    } else if (code == CLI_OK && json_array_size(holds) == 0) {
        cli_note("nothing is held");
    } else if (code == CLI_OK) {
        struct table table = { 0 };
        struct buf text = { 0 };
        table_row(&table, 6,
                  (const char *const[]){ "HOLD", "ORIGIN", "HOLDS", "OWNER", "UNTIL", "REASON" });
        size_t at = 0;
        const json_t *hold = NULL;
        json_array_foreach(holds, at, hold)
        {
            add_row(&table, hold);
        }
        table_render(&table, cli->colour, SIZE_MAX, &text);
        output_flush(&text);
        if (json_is_true(json_object_get(answer, "more"))) {
            cli_note("there are more");
        }
        buf_done(&text);
        table_done(&table);
    }
    json_decref(answer);
    return code;
}

static void set_text(struct cli *cli, json_t *body, const char *option, const char *key)
{
    const char *value = options_get(&cli->options, option);
    if (value != NULL) {
        json_object_set_new(body, key, json_string(value));
    }
}

static int hold(struct cli *cli)
{
    char id[TASKS_NAME_BYTES_MAX] = "";
    json_t *body = json_object();
    json_t *keys = json_array();
    int code = send_names(cli, 0, id, keys);
    if (json_array_size(keys) > 0) {
        json_object_set(body, "tasks", keys);
    }
    if (options_has(&cli->options, "descendants")) {
        json_object_set_new(body, "scope", json_string("descendants"));
    }
    set_text(cli, body, "reason", "reason");
    set_text(cli, body, "for", "for");
    set_text(cli, body, "on-expiry", "on_expiry");
    json_t *answer = NULL;
    if (code == CLI_OK) {
        struct buf path = { 0 };
        tasks_path(&path, id, "/holds");
        code = send_change(cli, "POST", buf_text(&path), body, &answer);
        buf_done(&path);
    }
    if (code == CLI_OK && cli->json) {
        output_json(answer);
    } else if (code == CLI_OK) {
        struct buf line = { 0 };
        output_safe(&line, str_of(id));
        buf_printf(&line, " is held by hold %lld; let it go on:  asterism release %s %lld\n",
                   (long long)json_number(answer, "id"), id, (long long)json_number(answer, "id"));
        output_flush(&line);
        buf_done(&line);
    }
    json_decref(answer);
    json_decref(keys);
    json_decref(body);
    return code;
}

/* DELETE of one hold. */
static int end_hold(struct cli *cli, const char *id, const char *number, bool deny,
                    json_t **ret_answer)
{
    struct buf path = { 0 };
    tasks_path(&path, id, "/holds/");
    http_escape(&path, number);
    const char *reason = options_get(&cli->options, "reason");
    buf_append_text(&path, deny ? "?deny=1" : "?deny=0");
    if (reason != NULL) {
        buf_append_text(&path, "&reason=");
        http_escape(&path, reason);
    }
    int code = send_change(cli, "DELETE", buf_text(&path), NULL, ret_answer);
    buf_done(&path);
    return code;
}

static int release(struct cli *cli)
{
    char id[TASKS_NAME_BYTES_MAX];
    int first = send_whole_id(cli, cli->options.arguments[0], id);
    if (first != CLI_OK) {
        return first;
    }
    json_t *answers = json_array();
    for (size_t i = 1; i < cli->options.arguments_count; i++) {
        json_t *answer = NULL;
        int code = end_hold(cli, id, cli->options.arguments[i], false, &answer);
        first = first == CLI_OK ? code : first;
        if (code == CLI_OK && !cli->json) {
            struct buf line = { 0 };
            buf_printf(&line, "hold %s of %s is released\n", cli->options.arguments[i], id);
            output_flush(&line);
            buf_done(&line);
        }
        if (answer != NULL) {
            json_array_append_new(answers, answer);
        }
    }
    if (cli->json) {
        output_json(answers);
    }
    json_decref(answers);
    return first;
}

/* The approval that a task waits for; 0: none. */
static int64_t find_approval(const json_t *holds, const char *key)
{
    size_t at = 0;
    const json_t *hold = NULL;
    json_array_foreach(holds, at, hold)
    {
        if (strcmp(json_text(hold, "origin"), "approval") == 0 &&
            strcmp(json_text(hold, "task"), key) == 0) {
            return json_number(hold, "id");
        }
    }
    return 0;
}

/* The tasks that wait for an approval, the first few. */
static void append_awaiting(const json_t *holds, struct buf *to)
{
    enum { NAMED_MAX = 10 };
    size_t at = 0;
    size_t count = 0;
    const json_t *hold = NULL;
    json_array_foreach(holds, at, hold)
    {
        if (strcmp(json_text(hold, "origin"), "approval") == 0 && count++ < NAMED_MAX) {
            buf_append_text(to, count == 1 ? "; those that do: " : ", ");
            output_safe(to, str_of(json_text(hold, "task")));
        }
    }
    buf_append_text(to, count == 0 ? "; no task of it does" : count > NAMED_MAX ? ", …" : "");
}

static int answer_one(struct cli *cli, const char *id, const json_t *holds, const char *key,
                      bool deny)
{
    int64_t found = find_approval(holds, key);
    if (found == 0) {
        struct buf awaiting = { 0 };
        append_awaiting(holds, &awaiting);
        int code =
            cli_fail(CLI_REFUSED, "%s/%s waits for no approval%s", id, key, buf_text(&awaiting));
        buf_done(&awaiting);
        return code;
    }
    char number[32];
    snprintf(number, sizeof number, "%lld", (long long)found);
    int code = end_hold(cli, id, number, deny, NULL);
    if (code == CLI_OK && !cli->json) {
        struct buf line = { 0 };
        output_safe(&line, str_of(id));
        buf_append_text(&line, "/");
        output_safe(&line, str_of(key));
        buf_printf(&line, " is %s\n", deny ? "denied" : "approved");
        output_flush(&line);
        buf_done(&line);
    }
    return code;
}

static int decide(struct cli *cli, bool deny)
{
    char id[TASKS_NAME_BYTES_MAX] = "";
    json_t *keys = json_array();
    json_t *answer = NULL;
    int first = send_names(cli, 0, id, keys);
    if (first == CLI_OK && json_array_size(keys) == 0) {
        first = cli_fail(CLI_USAGE, "name the task: %s ID/TASK", cli->verb->name);
    }
    first = first == CLI_OK ? get_holds(cli, id, &answer) : first;
    bool found = first == CLI_OK;
    size_t at = 0;
    const json_t *key = NULL;
    json_array_foreach(keys, at, key)
    {
        int code = found ? answer_one(cli, id, json_object_get(answer, "holds"),
                                      json_string_value(key), deny)
                         : CLI_OK;
        first = first == CLI_OK ? code : first;
    }
    if (first == CLI_OK && cli->json) {
        json_t *done =
            json_pack("{s:s, s:O, s:b}", "constellation", id, "tasks", keys, "denied", (int)deny);
        output_json(done);
        json_decref(done);
    }
    json_decref(answer);
    json_decref(keys);
    return first;
}

static int approve(struct cli *cli)
{
    return decide(cli, false);
}

static int deny(struct cli *cli)
{
    return decide(cli, true);
}

static const struct option hold_options[] = {
    { .name = "descendants",
      .help = "All behind the one task that is named, not the task itself." },
    { .name = "for", .operand = "DURATION", .help = "It ends by itself after this long." },
    { .name = "on-expiry",
      .operand = "WHAT",
      .help = "What then becomes of what it holds: release (the default), or fail.",
      .words = "release fail" },
    { .name = "reason", .operand = "TEXT", .help = "Why, for whoever sees it wait." },
    { .name = NULL },
};

static const struct option reason_options[] = {
    { .name = "reason",
      .operand = "TEXT",
      .help = "Why, for the events and for a task that is denied." },
    { .name = NULL },
};

const struct verb verb_holds = {
    .name = "holds",
    .summary = "List what is held, by whom and why",
    .usage = "ID",
    .example = "asterism holds @last\n",
    .operand = CLI_OPERAND_ID,
    .arguments_min = 1,
    .arguments_max = 1,
    .run = list,
};

const struct verb verb_hold = {
    .name = "hold",
    .summary = "Let tasks wait: what runs goes on, nothing of them begins",
    .usage = "ID [TASK…] [--descendants] [--for DURATION] [--on-expiry WHAT] [--reason TEXT]",
    .text = "Without a task all of the constellation is held. It stays so until it is released, or "
            "for as\nlong as --for says.",
    .example = "asterism hold @last report --reason \"the numbers look odd\" --for 10m\n"
               "asterism hold disk-report-7k2m scan --descendants\n",
    .options = hold_options,
    .operand = CLI_OPERAND_TASK,
    .arguments_min = 1,
    .arguments_max = OPTIONS_ARGUMENTS_MAX,
    .run = hold,
};

const struct verb verb_release = {
    .name = "release",
    .summary = "End holds, by their numbers",
    .usage = "ID HOLD…",
    .text = "asterism holds ID lists them.",
    .example = "asterism release @last 3\n",
    .options = reason_options,
    .operand = CLI_OPERAND_ID,
    .arguments_min = 2,
    .arguments_max = OPTIONS_ARGUMENTS_MAX,
    .run = release,
};

const struct verb verb_approve = {
    .name = "approve",
    .summary = "Let tasks go on that wait for an approval",
    .usage = "ID/TASK… [--reason TEXT]",
    .example = "asterism approve @last/deploy\n",
    .options = reason_options,
    .operand = CLI_OPERAND_TASK,
    .arguments_min = 1,
    .arguments_max = OPTIONS_ARGUMENTS_MAX,
    .run = approve,
};

const struct verb verb_deny = {
    .name = "deny",
    .summary = "Deny tasks the approval that they wait for: they fail",
    .usage = "ID/TASK… [--reason TEXT]",
    .example = "asterism deny @last/deploy --reason \"not on a Friday\"\n",
    .options = reason_options,
    .operand = CLI_OPERAND_TASK,
    .arguments_min = 1,
    .arguments_max = OPTIONS_ARGUMENTS_MAX,
    .run = deny,
};
