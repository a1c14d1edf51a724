/* `logs`: the output of one task or of all. */
#include "cli/logs.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/http.h"
#include "cli/logs_json.h"
#include "cli/output.h"

enum { LOGS_TASKS_MAX = 100000 };

struct printing {
    const char *prefix; /* the task's key, or NULL */
    bool is_stderr;     /* of the task */
    FILE *to;
    bool filtered;
    bool line_begins;
    bool has_any;
    bool is_json;
    struct logs_json json;
    struct output_filter filter;
};

static void print_text(struct printing *printing, struct str text)
{
    if (text.length == 0) {
        return;
    }
    if (printing->prefix == NULL) {
        fwrite(text.data, 1, text.length, printing->to);
        return;
    }
    while (text.length > 0) {
        const char *end = memchr(text.data, '\n', text.length);
        size_t length = end == NULL ? text.length : (size_t)(end - text.data) + 1;
        if (printing->line_begins) {
            fprintf(printing->to, "%s %c ", printing->prefix, printing->is_stderr ? '!' : '|');
        }
        fwrite(text.data, 1, length, printing->to);
        printing->line_begins = end != NULL;
        text.data += length;
        text.length -= length;
    }
}

static void print_json(struct buf *objects)
{
    output_flush(objects);
    buf_done(objects);
}

static void take_bytes(void *context, struct str bytes)
{
    struct printing *printing = context;
    printing->has_any = true;
    struct buf text = { 0 };
    if (printing->is_json) {
        logs_json_add(&printing->json, bytes, &text);
        print_json(&text);
        return;
    }
    if (!printing->filtered) {
        print_text(printing, bytes);
        return;
    }
    output_filter_add(&printing->filter, &text, bytes);
    print_text(printing, (struct str){ (const char *)text.data, text.length });
    buf_done(&text);
}

static void print_end(struct printing *printing)
{
    struct buf text = { 0 };
    if (printing->is_json) {
        logs_json_end(&printing->json, &text);
        print_json(&text);
        return;
    }
    if (printing->filtered) {
        output_filter_end(&printing->filter, &text);
        print_text(printing, (struct str){ (const char *)text.data, text.length });
    }
    if (printing->prefix != NULL && printing->has_any && !printing->line_begins) {
        fputc('\n', printing->to);
    }
    fflush(printing->to);
    buf_done(&text);
}

struct storing {
    const struct logs_wish *wish;
    int64_t received;
};

static void count_bytes(void *context, struct str bytes)
{
    struct storing *storing = context;
    storing->received += (int64_t)bytes.length;
    storing->wish->sink(storing->wish->context, bytes);
}

int logs_stored(struct http *http, const struct logs_wish *wish)
{
    struct buf path = { 0 };
    tasks_key_path(&path, wish->name,
                   wish->is_stderr ? "/output?stream=stderr" : "/output?stream=stdout");
    if (wish->attempt != NULL) {
        buf_append_text(&path, "&attempt=");
        http_escape(&path, wish->attempt);
    }
    struct storing storing = { .wish = wish };
    struct http_exchange exchange = {
        .method = "GET",
        .path = buf_text(&path),
        .streamed = true,
        .data = count_bytes,
        .context = &storing,
    };
    /* One answer may hold a part only, or be cut by a daemon that ends: what it has is asked for until
       there is no more. */
    int64_t before = -1;
    while (before < storing.received) {
        before = storing.received;
        exchange.range_from = storing.received;
        http_perform(http, &exchange);
        if (exchange.status / 100 != 2) {
            break;
        }
    }
    int code = CLI_OK;
    bool fine = exchange.status == 416 || (exchange.status == 404 && wish->none_is_fine);
    if (exchange.status / 100 != 2 && !fine) {
        code = http_refused(http, &exchange);
    }
    http_exchange_done(http, &exchange);
    buf_done(&path);
    return code;
}

/* What is stored of one stream. `quiet`: that there is none is fine. */
static int print_stored(struct cli *cli, const struct tasks_name *name, bool is_stderr, FILE *to,
                        bool prefixed, bool quiet)
{
    struct printing printing = { .prefix = prefixed ? name->key : NULL, .is_stderr = is_stderr };
    printing.to = to;
    printing.is_json = cli->json;
    printing.json = (struct logs_json){ name->key, is_stderr ? "stderr" : "stdout", { 0 } };
    printing.filtered = isatty(fileno(to));
    printing.filter.colours = cli->colour;
    printing.line_begins = true;
    struct logs_wish wish = {
        .name = name,
        .attempt = options_get(&cli->options, "attempt"),
        .is_stderr = is_stderr,
        .none_is_fine = quiet,
        .sink = take_bytes,
        .context = &printing,
    };
    int code = logs_stored(cli->http, &wish);
    print_end(&printing);
    return code;
}

static int print_task(struct cli *cli, const struct tasks_name *name, enum logs_which which,
                      bool prefixed)
{
    int code = CLI_OK;
    if (((unsigned)which & LOGS_STDOUT) != 0) {
        code = print_stored(cli, name, false, stdout, prefixed, prefixed);
    }
    if (code == CLI_OK && ((unsigned)which & LOGS_STDERR) != 0) {
        bool both = which == LOGS_BOTH;
        code = print_stored(cli, name, true, both ? stderr : stdout, prefixed, prefixed || both);
    }
    return code;
}

static int print_all(struct cli *cli, const struct tasks_name *name, enum logs_which which)
{
    struct tasks_query query = { .id = name->id, .limit = LOGS_TASKS_MAX };
    json_t *answer = NULL;
    int code = tasks_get(cli->http, &query, &answer);
    size_t at = 0;
    const json_t *task = NULL;
    json_array_foreach(json_object_get(answer, "tasks"), at, task)
    {
        const char *key = json_text(task, "key");
        struct tasks_name one = *name;
        if (code == CLI_OK && json_number(task, "attempt") > 0 && strlen(key) < sizeof one.key) {
            memcpy(one.key, key, strlen(key) + 1);
            code = print_task(cli, &one, which, true);
        }
    }
    json_decref(answer);
    return code;
}

/* A task that ended without having run has no output: why is what is wanted then. */
static int tell_if_none(struct cli *cli, const char *id, const char *key)
{
    struct tasks_name name = { .id = "" };
    snprintf(name.id, sizeof name.id, "%s", id);
    snprintf(name.key, sizeof name.key, "%s", key);
    struct buf path = { 0 };
    tasks_key_path(&path, &name, "");
    json_t *task = NULL;
    int code = http_get(cli->http, buf_text(&path), &task);
    if (code == CLI_OK && json_number(task, "attempt") == 0) {
        const char *reason = json_text(task, "reason");
        code = cli_fail(CLI_REFUSED, "%s/%s has not run%s%s", id, key, *reason == 0 ? "" : ": ",
                        reason);
    }
    json_decref(task);
    buf_done(&path);
    return code;
}

static int follow_logs(struct cli *cli, const struct tasks_name *name, enum logs_which which)
{
    json_t *constellation = NULL;
    int code = tasks_constellation(cli->http, name->id, &constellation);
    if (code == CLI_OK) {
        const char *id = json_text(constellation, "id");
        const char *key = *name->key == 0 ? NULL : name->key;
        code = logs_follow(cli, id, key, which, 0, NULL);
        if (code == CLI_OK && key != NULL) {
            code = tell_if_none(cli, id, key);
        }
    }
    json_decref(constellation);
    return code;
}

static int logs(struct cli *cli)
{
    struct tasks_name name;
    int code = tasks_name_of(cli->options.arguments[0], &name);
    if (code != CLI_OK) {
        return code;
    }
    enum logs_which which = options_has(&cli->options, "stderr")   ? LOGS_STDERR
                            : options_has(&cli->options, "stdout") ? LOGS_STDOUT
                                                                   : LOGS_BOTH;
    bool follows = options_has(&cli->options, "follow");
    const char *attempt = options_get(&cli->options, "attempt");
    uint64_t number = 0;
    if (attempt != NULL && !str_to_uint64(str_of(attempt), INT32_MAX, &number)) {
        return cli_fail(CLI_USAGE, "--attempt: \"%s\" is not a number", attempt);
    }
    if (attempt != NULL && (follows || *name.key == 0)) {
        return cli_fail(CLI_USAGE, "--attempt needs ID/task, and does not go with --follow");
    }
    if (follows) {
        return follow_logs(cli, &name, which);
    }
    return *name.key == 0 ? print_all(cli, &name, which) : print_task(cli, &name, which, false);
}

static const struct option options[] = {
    { .name = "follow", .letter = 'f', .help = "Go on until the task has ended." },
    { .name = "stdout", .help = "Only what it wrote to stdout." },
    { .name = "stderr", .help = "Only what it wrote to stderr, on our stdout." },
    { .name = "attempt", .operand = "N", .help = "Of this attempt; default: the latest." },
    { .name = NULL },
};

const struct verb verb_logs = {
    .name = "logs",
    .summary = "Print what tasks have written",
    .usage = "ID[/task] [-f] [--stdout|--stderr] [--attempt N]",
    .text =
        "A task's stdout goes to stdout, its stderr to stderr. For all tasks of a constellation "
        "each\nline begins with the task's key. Raw bytes into a pipe or a file; on a terminal "
        "control\ncharacters other than colours are shown, not obeyed. With -o json each line is "
        "an object\n{task, stream, text}, or base64 in place of text if it is not UTF-8; joined "
        "they are the output.",
    .example = "asterism logs @last/report\n"
               "asterism logs -f disk-report-7k2m/scan\n"
               "asterism logs @last --stderr\n"
               "asterism logs @last -o json | jq -j 'select(.task == \"scan\").text'\n",
    .options = options,
    .operand = CLI_OPERAND_TASK,
    .arguments_min = 1,
    .arguments_max = 1,
    .run = logs,
};
