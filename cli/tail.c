#include "cli/tail.h"

#include "cli/cli.h"
#include "cli/follow.h"
#include "common/sys/clock.h"

static void take_bytes(void *context, struct str bytes)
{
    struct tail *tail = context;
    if (tail->to_skip > 0) {
        size_t skip = tail->to_skip < (int64_t)bytes.length ? (size_t)tail->to_skip : bytes.length;
        /* A partial answer begins where it was asked to. */
        if (tail->exchange.status == 206) {
            skip = 0;
            tail->to_skip = 0;
        }
        tail->to_skip -= (int64_t)skip;
        bytes.data += skip;
        bytes.length -= skip;
    }
    if (bytes.length > 0) {
        tail->pause_ms = 0;
        tail->received += (int64_t)bytes.length;
        tail->sink(tail->context, tail, bytes);
    }
}

void tail_init(struct tail *tail, struct http *http, const struct tasks_name *name,
               const char *stream)
{
    *tail = (struct tail){ .http = http, .name = *name, .stream = stream };
    tail->exchange.method = "GET";
    tail->exchange.streamed = true;
    tail->exchange.data = take_bytes;
    tail->exchange.context = tail;
}

static void open_stream(struct tail *tail, bool is_rest)
{
    buf_clear(&tail->path);
    tasks_key_path(&tail->path, &tail->name, "/output?stream=");
    buf_printf(&tail->path, "%s&attempt=%lld%s", tail->stream, (long long)tail->attempt,
               is_rest ? "" : "&follow=1");
    tail->exchange.path = buf_text(&tail->path);
    tail->exchange.range_from = is_rest ? tail->received : 0;
    tail->to_skip = tail->received;
    tail->is_rest = is_rest;
    tail->rest_from = tail->received;
    tail->open = true;
    http_begin(tail->http, &tail->exchange);
}

static void try_later(struct tail *tail)
{
    tail->next_try_ms = clock_boot_ms() + follow_pause(&tail->pause_ms);
}

/* The rest of this attempt has come. */
static void attempt_over(struct tail *tail, int64_t latest_attempt)
{
    if (tail->attempt >= latest_attempt) {
        tail->ended = true;
        return;
    }
    tail->attempt++;
    tail->received = 0;
    tail->next_try_ms = 0;
    if (tail->next_attempt != NULL) {
        tail->next_attempt(tail->context, tail);
    }
}

/* An exchange is over: 200 and 206 brought all they had; 416: there is no more; 404: there is none
   (yet). The end of a followed stream proves nothing, since a daemon that dies ends it too. */
static void look_at_end(struct tail *tail, int64_t latest_attempt, bool is_over)
{
    int status = tail->exchange.status;
    tail->open = false;
    bool good = status == 200 || status == 206 || status == 404 || status == 416;
    if (!good && status / 100 == 4 && status != 429) {
        tail->refused = http_refused(tail->http, &tail->exchange);
    } else if (good && is_over && tail->is_rest) {
        /* One answer may hold a part only: it is over when one brings nothing new. */
        if (tail->received == tail->rest_from) {
            attempt_over(tail, latest_attempt);
        }
    } else {
        try_later(tail);
    }
}

void tail_step(struct tail *tail, int64_t latest_attempt, bool is_final)
{
    if (tail->ended || tail->refused != 0) {
        return;
    }
    if (latest_attempt == 0) {
        tail->ended = is_final;
        return;
    }
    if (tail->attempt == 0) {
        tail->attempt = latest_attempt;
    }
    bool is_over = is_final || latest_attempt > tail->attempt;
    if (tail->open && tail->exchange.is_over) {
        look_at_end(tail, latest_attempt, is_over);
    }
    if (tail->open || tail->ended || tail->refused != 0) {
        return;
    }
    is_over = is_final || latest_attempt > tail->attempt;
    if (is_over || clock_boot_ms() >= tail->next_try_ms) {
        if (is_over && clock_boot_ms() < tail->next_try_ms && tail->exchange.status == 0) {
            return; /* The daemon is away: no hurry. */
        }
        open_stream(tail, is_over);
    }
}

void tail_done(struct tail *tail)
{
    http_exchange_done(tail->http, &tail->exchange);
    buf_done(&tail->path);
}
