/* See edit.h. */
#include "cli/edit.h"

#include <stdio.h>
#include <string.h>

#include "cli/http.h"
#include "cli/output.h"
#include "cli/send.h"
#include "cli/tasks.h"

enum { NAMED_MAX = 8 };

static void append_error(struct buf *to, const json_t *error)
{
    const json_t *index = json_object_get(error, "index");
    const json_t *expect = json_object_get(error, "expect");
    buf_append_text(to, "  ");
    if (json_is_integer(index)) {
        buf_printf(to, "operation %lld: ", (long long)json_integer_value(index));
    } else if (json_is_integer(expect)) {
        buf_printf(to, "expectation %lld: ", (long long)json_integer_value(expect));
    } else if (json_number(error, "line") > 0) {
        buf_printf(to, "line %lld: ", (long long)json_number(error, "line"));
    }
    output_safe(to, str_of(json_text(error, "code")));
    buf_append_text(to, ": ");
    output_safe(to, str_of(json_text(error, "detail")));
    const char *allowed = json_text(error, "allowed");
    if (*allowed != 0 && strstr(json_text(error, "detail"), allowed) == NULL) {
        buf_append_text(to, " (allowed: ");
        output_safe(to, str_of(allowed));
        buf_append_text(to, ")");
    }
    buf_append_text(to, "\n");
}

/* A batch that cannot be read is the caller's mistake; one that cannot be applied is a refusal. */
static int refused(struct cli *cli, const struct http_exchange *exchange)
{
    json_t *problem =
        json_loadb((const char *)exchange->answer.data, exchange->answer.length, 0, NULL);
    const char *name = json_text(problem, "code");
    bool is_edit = strcmp(name, "edit_conflict") == 0 || strcmp(name, "edit_refused") == 0;
    bool is_invalid = strcmp(name, "invalid_edit") == 0;
    int code = CLI_REFUSED;
    if (!is_edit && !is_invalid) {
        code = http_refused(cli->http, exchange);
    } else {
        struct buf words = { 0 };
        size_t at = 0;
        const json_t *error = NULL;
        json_array_foreach(json_object_get(problem, "errors"), at, error)
        {
            append_error(&words, error);
        }
        if (json_is_true(json_object_get(problem, "more"))) {
            buf_append_text(&words, "  and more\n");
        }
        code = cli_fail(is_edit ? CLI_REFUSED : CLI_USAGE, "%s",
                        is_invalid ? "this is no edit:" : "nothing was changed:");
        fputs(buf_text(&words), stderr);
        buf_done(&words);
    }
    json_decref(problem);
    return code;
}

static void append_count(struct buf *to, int64_t count, const char *one, const char *many,
                         const char *done, bool *has_any)
{
    if (count > 0) {
        buf_printf(to, "%s%lld %s %s", *has_any ? ", " : "", (long long)count,
                   count == 1 ? one : many, done);
        *has_any = true;
    }
}

static void append_list(struct buf *to, const json_t *list, const char *words)
{
    const json_t *tasks = json_object_get(list, "tasks");
    int64_t count = json_number(list, "count");
    if (count == 0) {
        return;
    }
    buf_printf(to, "  %s:", words);
    for (size_t i = 0; i < json_array_size(tasks) && i < NAMED_MAX; i++) {
        buf_append_text(to, i == 0 ? " " : ", ");
        const char *key = json_string_value(json_array_get(tasks, i));
        output_safe(to, str_of(key == NULL ? "" : key));
    }
    if (count > NAMED_MAX) {
        buf_printf(to, " and %lld more", (long long)(count - NAMED_MAX));
    }
    buf_append_text(to, "\n");
}

static void say(const json_t *answer, struct buf *to)
{
    bool is_dry = json_is_true(json_object_get(answer, "dry_run"));
    const json_t *tasks = json_object_get(answer, "tasks");
    const json_t *edges = json_object_get(answer, "dependencies");
    const json_t *path = json_object_get(answer, "critical_path");
    output_safe(to, str_of(json_text(answer, "constellation")));
    buf_printf(to, is_dry ? " would be at revision %lld: " : " is at revision %lld: ",
               (long long)json_number(answer, "revision"));
    bool has_any = false;
    append_count(to, json_number(tasks, "added"), "task", "tasks", "added", &has_any);
    append_count(to, json_number(tasks, "changed"), "task", "tasks", "changed", &has_any);
    append_count(to, json_number(tasks, "removed"), "task", "tasks", "removed", &has_any);
    append_count(to, json_number(edges, "added"), "dependency", "dependencies", "added", &has_any);
    append_count(to, json_number(edges, "removed"), "dependency", "dependencies", "removed",
                 &has_any);
    if (!has_any) { /* a kind of dependency, say, or what the constellation itself has */
        buf_append_text(to, "nothing added or removed");
        if (!is_dry) {
            buf_append_text(to, "; see  asterism diff ");
            output_safe(to, str_of(json_text(answer, "constellation")));
        }
    }
    buf_append_text(to, "\n");
    append_list(to, json_object_get(answer, "newly_ready"), "ready now");
    append_list(to, json_object_get(answer, "newly_skipped"), "skipped now");
    if (path != NULL) {
        buf_printf(to, "  longest path: %lld tasks, before it %lld\n",
                   (long long)json_number(path, "after"), (long long)json_number(path, "before"));
    }
}

int edit_send(struct cli *cli, const char *id, const char *rest, const char *content_type,
              struct str body)
{
    struct buf path = { 0 };
    tasks_path(&path, id, rest);
    buf_append_text(&path, options_has(&cli->options, "dry-run") ? "?dry_run=1" : "");
    struct http_exchange exchange = {
        .method = "POST",
        .path = buf_text(&path),
        .body = body,
        .content_type = content_type,
    };
    send_once(cli, &exchange, "changing it");
    int code = CLI_OK;
    if (exchange.status == 0 && http_interrupted(cli->http)) {
        cli_note("interrupted; asterism history %s tells whether it was done", id);
        code = CLI_INTERRUPTED;
    } else if (exchange.status / 100 != 2) {
        code = refused(cli, &exchange);
    } else {
        json_t *answer =
            json_loadb((const char *)exchange.answer.data, exchange.answer.length, 0, NULL);
        struct buf text = { 0 };
        if (cli->json) {
            output_json(answer);
        } else {
            say(answer, &text);
            output_flush(&text);
        }
        buf_done(&text);
        json_decref(answer);
    }
    http_exchange_done(cli->http, &exchange);
    buf_done(&path);
    return code;
}
