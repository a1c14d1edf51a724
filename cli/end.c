#include "cli/end.h"

#include "cli/follow.h"
#include "cli/live.h"
#include "cli/tasks.h"
#include "cli/watch.h"
#include "common/sys/clock.h"

enum {
    ASK_MS = 55 * 1000, /* the daemon waits no longer with an answer */
    ANSWER_MS = 2000, /* what an answer may take when the time is over: it is wanted all the same */
};

struct ending {
    struct cli *cli;
    const char *id;
    int64_t deadline_ms;
    json_t *constellation;
    int64_t pause_ms;
    bool lost_said;
};

static int64_t left_ms(const struct ending *ending, int64_t most_ms)
{
    int64_t left = ending->deadline_ms - clock_boot_ms();
    return ending->deadline_ms == 0 || left > most_ms ? most_ms : left > 0 ? left : 0;
}

/* False: the time is over before there is an answer, or there was a signal. */
static bool perform(struct ending *ending, struct http_exchange *exchange)
{
    struct http *http = ending->cli->http;
    int64_t until_ms = clock_boot_ms() + left_ms(ending, ASK_MS) + ANSWER_MS;
    http_begin(http, exchange);
    while (!exchange->is_over && !http_interrupted(http)) {
        int64_t now = clock_boot_ms();
        if (ending->deadline_ms != 0 && now >= until_ms) {
            return false;
        }
        http_poll(http,
                  ending->deadline_ms != 0 && until_ms - now < 1000 ? (int)(until_ms - now) : 1000);
    }
    return !http_interrupted(http);
}

/* Nobody has answered, or not now. */
static void lost(struct ending *ending, const struct http_exchange *exchange)
{
    struct http *http = ending->cli->http;
    if (!ending->lost_said) {
        ending->lost_said = true;
        follow_say_lost(http, exchange);
    }
    int64_t until_ms = clock_boot_ms() + left_ms(ending, follow_pause(&ending->pause_ms));
    for (int64_t now = clock_boot_ms(); now < until_ms && !http_interrupted(http);
         now = clock_boot_ms()) {
        http_poll(http, (int)(until_ms - now));
    }
}

static void take(struct ending *ending, struct http_exchange *exchange)
{
    if (ending->lost_said) {
        ending->lost_said = false;
        cli_note("connected again");
    }
    ending->pause_ms = 0;
    json_t *json =
        json_loadb((const char *)exchange->answer.data, exchange->answer.length, 0, NULL);
    if (*json_text(json, "state") == 0) {
        /* The status is sent before the wait: that it has been deleted meanwhile only the words say. */
        exchange->status = json == NULL ? 200 : 404;
    }
    json_decref(ending->constellation);
    ending->constellation = json;
}

/* Once. -1: it has not ended. */
static int ask(struct ending *ending)
{
    struct http *http = ending->cli->http;
    struct buf path = { 0 };
    int64_t wait_ms = left_ms(ending, ASK_MS);
    tasks_path(&path, ending->id, "");
    if (wait_ms > 0) {
        buf_printf(&path, "?wait=%lldms", (long long)wait_ms);
    }
    struct http_exchange exchange = { .method = "GET", .path = buf_text(&path) };
    bool is_answered = perform(ending, &exchange);
    int code = -1;
    if (is_answered && exchange.status == 200) {
        take(ending, &exchange);
    }
    if (http_interrupted(http)) {
        code = watch_detached(ending->id);
    } else if (exchange.status / 100 == 4 && exchange.status != 429) {
        code = http_refused(http, &exchange);
    } else if (is_answered && live_state_is_final(json_text(ending->constellation, "state"))) {
        code = live_exit(json_text(ending->constellation, "state"));
    } else if (ending->deadline_ms != 0 && clock_boot_ms() >= ending->deadline_ms) {
        code = watch_timed_out(ending->cli, ending->id);
    } else if (exchange.status != 200 || ending->constellation == NULL) {
        lost(ending, &exchange);
    }
    http_exchange_done(http, &exchange);
    buf_done(&path);
    return code;
}

int end_wait(struct cli *cli, const char *id, int64_t deadline_ms, json_t **ret_constellation)
{
    struct ending ending = { .cli = cli, .id = id, .deadline_ms = deadline_ms };
    http_watch_signals(cli->http);
    int code = -1;
    while (code < 0) {
        code = ask(&ending);
    }
    if (ret_constellation != NULL) {
        *ret_constellation = json_incref(ending.constellation);
    }
    json_decref(ending.constellation);
    return code;
}
