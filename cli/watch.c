#include "cli/watch.h"

#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/end.h"
#include "cli/follow.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/tasks.h"
#include "common/sys/clock.h"

enum {
    REDRAW_MS = 200,
    FAILURES_SHOWN_MAX = 20,
    TELLING_LOOKED_AT_MAX = 200,
    SNAPSHOT_MS = 2000,
    SNAPSHOT_STEP_MS = 20
};

struct watching {
    struct cli *cli;
    struct live live;
    struct follow follow;
    struct progress progress;
    bool draws; /* else it prints lines */
};

static void print_task(void *context, const struct live_task *task)
{
    struct watching *watching = context;
    /* What has not begun says nothing new at the beginning; of what has ended the verdict says all. */
    if (watching->draws ||
        (!watching->live.has_snapshot &&
         (watching->live.was_over || options_word_in("waiting ready", task->state)))) {
        return;
    }
    char now[CLOCK_TEXT_BYTES];
    clock_format_wall(clock_wall_ms(), now);
    now[19] = 0;
    struct buf line = { 0 };
    progress_task_line(task, now + 11, watching->cli->colour, &line);
    output_flush(&line);
    buf_done(&line);
}

static void take_event(void *context, const char *name, struct str data)
{
    struct watching *watching = context;
    live_event(&watching->live, name, data, clock_boot_ms());
}

static void window_size(unsigned *ret_width, unsigned *ret_height)
{
    struct winsize size = { 0 };
    bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    *ret_width = known ? size.ws_col : 80;
    *ret_height = known && size.ws_row > 1 ? size.ws_row - 1U : 23;
}

static void draw(struct watching *watching)
{
    unsigned width = 0;
    unsigned height = 0;
    window_size(&width, &height);
    struct buf picture = { 0 };
    struct buf out = { 0 };
    if (!live_is_final(&watching->live)) {
        progress_render(&watching->live, width, height, watching->cli->colour, clock_boot_ms(),
                        &picture);
    }
    progress_draw(&watching->progress, (struct str){ (const char *)picture.data, picture.length },
                  width, &out);
    output_flush(&out);
    buf_done(&picture);
    buf_done(&out);
}

static bool is_over(const struct watching *watching)
{
    const struct live *live = &watching->live;
    return live_is_final(live) && (live->ended || !watching->follow.connected);
}

static int loop(struct watching *watching, int64_t deadline_ms)
{
    struct http *http = watching->cli->http;
    int64_t drawn_ms = 0;
    for (;;) {
        follow_step(&watching->follow);
        int64_t now = clock_boot_ms();
        if (is_over(watching)) {
            return CLI_OK;
        }
        if (watching->follow.refused != 0) {
            return watching->follow.refused;
        }
        if (http_interrupted(http)) {
            return CLI_INTERRUPTED;
        }
        /* A timeout of 0 asks how it is: for that the first snapshot must have come. */
        if (deadline_ms != 0 && now >= deadline_ms &&
            (watching->live.has_snapshot || now >= deadline_ms + SNAPSHOT_MS)) {
            return live_is_final(&watching->live) ? CLI_OK : CLI_TIMED_OUT;
        }
        if (watching->draws && (http_resized(http) || now - drawn_ms >= REDRAW_MS)) {
            draw(watching);
            drawn_ms = now;
        }
        int longest = watching->draws ? REDRAW_MS : 1000;
        if (deadline_ms != 0 && deadline_ms - now < longest) {
            longest = deadline_ms > now ? (int)(deadline_ms - now) : SNAPSHOT_STEP_MS;
        }
        http_poll(http, follow_wait_ms(&watching->follow, longest));
    }
}

int watch_detached(const char *id)
{
    cli_note("detached; %s goes on. Follow it:  asterism watch %s", id, id);
    cli_note("cancel it:  asterism cancel %s", id);
    return CLI_INTERRUPTED;
}

/* How much a task tells of why all is not over: one that cannot begin most, one that runs less. */
static int telling(const json_t *task)
{
    static const char *const states[] = { "assigned", "running", "backoff", "ready" };
    for (int i = 0; i < (int)(sizeof states / sizeof states[0]); i++) {
        if (strcmp(json_text(task, "state"), states[i]) == 0) {
            return i + 1;
        }
    }
    return 0;
}

int watch_timed_out(struct cli *cli, const char *id)
{
    struct tasks_query query = { .id = id,
                                 .state = "ready,backoff,running,assigned",
                                 .limit = TELLING_LOOKED_AT_MAX };
    json_t *answer = NULL;
    const json_t *most = NULL;
    const json_t *task = NULL;
    size_t at = 0;
    if (tasks_get(cli->http, &query, &answer) == CLI_OK) {
        json_array_foreach(json_object_get(answer, "tasks"), at, task)
        {
            most = most == NULL || telling(task) > telling(most) ? task : most;
        }
    }
    const char *waits = json_text(most, "waiting_for");
    const char *device = json_text(most, "device");
    if (most == NULL) {
        cli_note("%s has not ended in time; it goes on", id);
    } else if (*waits != 0) {
        cli_note("%s has not ended in time; it goes on. %s: %s", id, json_text(most, "key"), waits);
    } else {
        cli_note("%s has not ended in time; it goes on. %s is %s%s%s", id, json_text(most, "key"),
                 json_text(most, "state"), *device == 0 ? "" : " on ", device);
    }
    json_decref(answer);
    return CLI_TIMED_OUT;
}

/* The picture is of a moment; its time must go on while nothing else happens. */
int watch_constellation(struct cli *cli, const char *id, int64_t deadline_ms,
                        json_t **ret_constellation)
{
    if (cli->json) {
        return end_wait(cli, id, deadline_ms, ret_constellation);
    }
    struct watching watching = { .cli = cli, .draws = cli->terminal };
    watching.live.changed = print_task;
    watching.live.context = &watching;
    struct buf path = { 0 };
    buf_append_text(&path, "/api/v1/changes?constellation=");
    http_escape(&path, id);
    follow_init(&watching.follow, cli->http, buf_text(&path), take_event, &watching);
    buf_done(&path);
    http_watch_signals(cli->http);
    int code = loop(&watching, deadline_ms);
    if (watching.draws) {
        draw(&watching);
    }
    follow_done(&watching.follow);
    progress_done(&watching.progress);
    if (code == CLI_OK) {
        code = live_exit(live_state(&watching.live));
        watch_verdict(cli, watching.live.constellation);
    } else if (code == CLI_INTERRUPTED) {
        watch_detached(id);
    } else if (code == CLI_TIMED_OUT) {
        watch_timed_out(cli, id);
    }
    if (ret_constellation != NULL) {
        *ret_constellation = json_incref(watching.live.constellation);
    }
    live_done(&watching.live);
    return code;
}

static void print_failures(struct cli *cli, const char *id)
{
    struct tasks_query query = { .id = id, .state = "failed", .limit = FAILURES_SHOWN_MAX };
    json_t *tasks = NULL;
    if (tasks_get(cli->http, &query, &tasks) != CLI_OK) {
        return;
    }
    size_t at = 0;
    const json_t *task = NULL;
    json_array_foreach(json_object_get(tasks, "tasks"), at, task)
    {
        const char *device = json_text(task, "device");
        const char *reason = json_text(task, "reason");
        const char *key = json_text(task, "key");
        bool has_run = *device != 0; /* else it has written nothing */
        cli_note("%s failed%s%s%s%s%s%s%s%s", key, has_run ? " on " : "", device,
                 *reason == 0 ? "" : ": ", reason, has_run ? "; see:  asterism logs " : "",
                 has_run ? id : "", has_run ? "/" : "", has_run ? key : "");
    }
    json_decref(tasks);
}

void watch_verdict(struct cli *cli, const json_t *constellation)
{
    static const char *const states[] = { "succeeded", "failed", "skipped", "cancelled" };
    const char *state = json_text(constellation, "state");
    const char *id = json_text(constellation, "id");
    char span[OUTPUT_SPAN_BYTES];
    output_seconds(json_object_get(constellation, "duration"), span);
    struct buf line = { 0 };
    output_safe(&line, str_of(id));
    buf_printf(&line, " %s%s%s in %s", output_colour(cli->colour, state), state,
               output_plain(cli->colour), span);
    const json_t *counts = json_object_get(constellation, "counts");
    const char *between = ": ";
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        if (json_number(counts, states[i]) > 0) {
            buf_printf(&line, "%s%lld %s", between, (long long)json_number(counts, states[i]),
                       states[i]);
            between = ", ";
        }
    }
    buf_append_text(&line, "\n");
    output_flush(&line);
    buf_done(&line);
    if (json_number(counts, "failed") > 0) {
        print_failures(cli, id);
    }
}

bool watch_deadline(const struct cli *cli, int64_t *ret_deadline_ms)
{
    const char *text = options_get(&cli->options, "timeout");
    int64_t ms = 0;
    if (text != NULL && !str_to_duration_ms(str_of(text), &ms)) {
        cli_fail(CLI_USAGE, "--timeout: \"%s\" is not a duration such as 90s, 5m or 1h", text);
        return false;
    }
    *ret_deadline_ms = text == NULL ? 0 : clock_boot_ms() + ms;
    return true;
}
