/* Output of running tasks: one change stream says what runs, a tail for each stream of it brings the
   bytes. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/follow.h"
#include "cli/live.h"
#include "cli/logs.h"
#include "cli/logs_json.h"
#include "cli/output.h"
#include "cli/tail.h"
#include "common/base/mem.h"
#include "common/sys/clock.h"

enum { TAILS_OPEN_MAX = 32, STEP_MS = 200, WAIT_SAID_AFTER_MS = 3000, LINE_BYTES_MAX = 65536 };

struct following;

struct followed {
    struct following *all;
    struct tail tail;
    struct output_filter filter;
    struct buf line; /* with a prefix: what has no line end yet */
    struct logs_json json;
    struct followed *next;
    bool is_stderr;
};

struct following {
    struct cli *cli;
    const char *id;
    const char *key; /* NULL: all */
    enum logs_which which;
    struct live live;
    struct follow follow;
    struct followed *first;
    size_t open;
    struct strmap seen; /* keys that have, or had, their tails */
};

static void write_out(const struct followed *one, struct buf *out)
{
    bool to_stderr = one->is_stderr && one->all->which == LOGS_BOTH && !one->all->cli->json;
    FILE *to = to_stderr ? stderr : stdout;
    if (out->length == 0) {
        return;
    }
    fwrite(out->data, 1, out->length, to);
    fflush(to);
    buf_clear(out);
}

static void write_lines(struct followed *one, struct str bytes, bool last)
{
    struct buf out = { 0 };
    buf_append(&one->line, bytes.data, bytes.length);
    size_t from = 0;
    for (size_t i = 0; i < one->line.length; i++) {
        bool forced = i + 1 - from >= LINE_BYTES_MAX;
        if (one->line.data[i] == '\n' || forced || (last && i + 1 == one->line.length)) {
            output_safe(&out, str_of(one->tail.name.key));
            buf_append_text(&out, one->is_stderr ? " ! " : " | ");
            buf_append(&out, one->line.data + from, i + 1 - from);
            if (one->line.data[i] != '\n') {
                buf_append_text(&out, "\n");
            }
            from = i + 1;
        }
    }
    buf_consume(&one->line, from);
    write_out(one, &out);
    buf_done(&out);
}

static void put(struct followed *one, struct buf *text, bool last)
{
    if (one->all->key == NULL) {
        write_lines(one, (struct str){ (const char *)text->data, text->length }, last);
    } else {
        write_out(one, text);
    }
}

static void take_bytes(void *context, struct tail *tail, struct str bytes)
{
    (void)tail;
    struct followed *one = context;
    int to = one->is_stderr && one->all->which == LOGS_BOTH ? STDERR_FILENO : STDOUT_FILENO;
    struct buf text = { 0 };
    if (one->all->cli->json) {
        logs_json_add(&one->json, bytes, &text);
        write_out(one, &text);
        buf_done(&text);
        return;
    }
    if (isatty(to)) {
        output_filter_add(&one->filter, &text, bytes);
    } else {
        buf_append(&text, bytes.data, bytes.length);
    }
    put(one, &text, false);
    buf_done(&text);
}

static void tell_attempt(void *context, struct tail *tail)
{
    struct followed *one = context;
    if (one->all->cli->json) {
        struct buf text = { 0 };
        logs_json_end(&one->json, &text); /* a new attempt begins a line of its own */
        write_out(one, &text);
        buf_done(&text);
    }
    if (!one->is_stderr || one->all->which != LOGS_BOTH) {
        cli_note("%s: attempt %lld", tail->name.key, (long long)tail->attempt);
    }
}

static void add_tail(struct following *all, const char *key, bool is_stderr)
{
    struct followed *one = mem_alloc(sizeof *one);
    struct tasks_name name = { .id = "" };
    snprintf(name.id, sizeof name.id, "%s", all->id);
    snprintf(name.key, sizeof name.key, "%s", key);
    tail_init(&one->tail, all->cli->http, &name, is_stderr ? "stderr" : "stdout");
    one->tail.sink = take_bytes;
    one->tail.next_attempt = tell_attempt;
    one->tail.context = one;
    one->all = all;
    one->is_stderr = is_stderr;
    one->filter.colours = all->cli->colour;
    one->json = (struct logs_json){ one->tail.name.key, one->tail.stream, { 0 } };
    one->next = all->first;
    all->first = one;
    all->open++;
}

static void remove_tail(struct following *all, struct followed **link)
{
    struct followed *one = *link;
    struct buf text = { 0 };
    if (all->cli->json) {
        logs_json_end(&one->json, &text);
        write_out(one, &text);
    } else {
        output_filter_end(&one->filter, &text);
        put(one, &text, true);
    }
    buf_done(&text);
    *link = one->next;
    tail_done(&one->tail);
    buf_done(&one->line);
    mem_free(one);
    all->open--;
}

/* Tails for what runs or has run, as many as may be open at one time. */
static void add_tails(struct following *all)
{
    size_t at = 0;
    struct str key;
    void *value = NULL;
    while (all->open + 2 <= TAILS_OPEN_MAX && strmap_each(&all->live.tasks, &at, &key, &value)) {
        const struct live_task *task = value;
        bool wanted = all->key == NULL || strcmp(all->key, task->key) == 0;
        if (!wanted || task->attempt == 0 || strmap_get(&all->seen, key) != NULL) {
            continue;
        }
        strmap_put(&all->seen, key, all);
        if (((unsigned)all->which & LOGS_STDOUT) != 0) {
            add_tail(all, task->key, false);
        }
        if (((unsigned)all->which & LOGS_STDERR) != 0) {
            add_tail(all, task->key, true);
        }
    }
}

/* Steps every tail; an exit code if one was refused. */
static int step_tails(struct following *all)
{
    for (struct followed **link = &all->first; *link != NULL;) {
        struct tail *tail = &(*link)->tail;
        const struct live_task *task = live_task(&all->live, tail->name.key);
        bool is_final = task == NULL || live_state_is_final(task->state);
        tail_step(tail, task == NULL ? tail->attempt : task->attempt, is_final);
        if (tail->refused != 0) {
            return tail->refused;
        }
        if (tail->ended) {
            remove_tail(all, link);
        } else {
            link = &(*link)->next;
        }
    }
    return CLI_OK;
}

static bool nothing_more(const struct following *all)
{
    if (all->first != NULL || !all->live.has_snapshot) {
        return false;
    }
    if (all->key != NULL) {
        const struct live_task *task = live_task(&all->live, all->key);
        return task == NULL || live_state_is_final(task->state);
    }
    return live_is_final(&all->live);
}

/* Somebody who waits for output wants to know why there is none. */
static void say_what_it_waits_for(struct following *all, int64_t *at_ms)
{
    const struct live_task *task = all->key == NULL ? NULL : live_task(&all->live, all->key);
    if (task == NULL || task->attempt > 0 || clock_boot_ms() < *at_ms) {
        return;
    }
    *at_ms = INT64_MAX;
    struct tasks_name name = { .id = "" };
    snprintf(name.id, sizeof name.id, "%s", all->id);
    snprintf(name.key, sizeof name.key, "%s", all->key);
    struct buf path = { 0 };
    tasks_key_path(&path, &name, "");
    json_t *json = NULL;
    if (http_get(all->cli->http, buf_text(&path), &json) == CLI_OK) {
        const char *words = json_text(json, "waiting_for");
        if (*words != 0) {
            cli_note("%s/%s: %s", all->id, all->key, words);
        }
    }
    json_decref(json);
    buf_done(&path);
}

static void take_event(void *context, const char *name, struct str data)
{
    struct following *all = context;
    live_event(&all->live, name, data, clock_boot_ms());
}

static int loop(struct following *all, int64_t deadline_ms)
{
    int64_t say_at_ms = clock_boot_ms() + WAIT_SAID_AFTER_MS;
    for (;;) {
        follow_step(&all->follow);
        add_tails(all);
        int code = step_tails(all);
        if (code != CLI_OK) {
            return code;
        }
        if (nothing_more(all)) {
            return CLI_OK;
        }
        if (all->follow.refused != 0) {
            return all->follow.refused;
        }
        if (http_interrupted(all->cli->http)) {
            return CLI_INTERRUPTED;
        }
        if (deadline_ms != 0 && clock_boot_ms() >= deadline_ms) {
            return CLI_TIMED_OUT;
        }
        say_what_it_waits_for(all, &say_at_ms);
        http_poll(all->cli->http, follow_wait_ms(&all->follow, STEP_MS));
    }
}

int logs_follow(struct cli *cli, const char *id, const char *key, enum logs_which which,
                int64_t deadline_ms, char ret_state[32])
{
    struct following all = { .cli = cli, .id = id, .key = key, .which = which };
    struct buf path = { 0 };
    buf_append_text(&path, "/api/v1/changes?constellation=");
    http_escape(&path, id);
    follow_init(&all.follow, cli->http, buf_text(&path), take_event, &all);
    http_watch_signals(cli->http);
    int code = loop(&all, deadline_ms);
    while (all.first != NULL) {
        remove_tail(&all, &all.first);
    }
    if (ret_state != NULL) {
        snprintf(ret_state, 32, "%s", live_state(&all.live));
    }
    follow_done(&all.follow);
    strmap_done(&all.seen);
    live_done(&all.live);
    buf_done(&path);
    return code;
}
