#include "cli/follow.h"

#include <stdio.h>

#include "cli/cli.h"
#include "common/sys/clock.h"
#include "common/sys/random.h"

enum { PAUSE_FIRST_MS = 100, PAUSE_LONGEST_MS = 5000 };

int64_t follow_pause(int64_t *pause_ms)
{
    int64_t pause = *pause_ms < PAUSE_FIRST_MS ? PAUSE_FIRST_MS : *pause_ms * 2;
    *pause_ms = pause > PAUSE_LONGEST_MS ? PAUSE_LONGEST_MS : pause;
    return *pause_ms - (int64_t)(random_uint64() % (uint64_t)(*pause_ms / 2));
}

static void take_bytes(void *context, struct str bytes)
{
    struct follow *follow = context;
    if (!follow->connected) {
        follow->connected = true;
        follow->pause_ms = 0;
        if (follow->lost_said) {
            follow->lost_said = false;
            cli_note("connected again");
        }
    }
    sse_add(&follow->sse, bytes);
}

void follow_init(struct follow *follow, struct http *http, const char *path,
                 void (*event)(void *context, const char *name, struct str data), void *context)
{
    *follow = (struct follow){ .http = http };
    snprintf(follow->path, sizeof follow->path, "%s", path);
    follow->sse.event = event;
    follow->sse.context = context;
    follow->exchange.method = "GET";
    follow->exchange.path = follow->path;
    follow->exchange.streamed = true;
    follow->exchange.data = take_bytes;
    follow->exchange.context = follow;
}

void follow_say_lost(const struct http *http, const struct http_exchange *exchange)
{
    if (exchange->status == 0) {
        cli_note("lost the daemon at %s (%s); trying again until it is back", http_url(http),
                 exchange->words);
    } else {
        cli_note("the daemon at %s answers with HTTP status %d; trying again until it serves",
                 http_url(http), exchange->status);
    }
}

/* A connection is over that the caller did not end. */
static void lost(struct follow *follow)
{
    struct http_exchange *exchange = &follow->exchange;
    int status = exchange->status;
    bool stood = follow->connected;
    follow->connected = false;
    if (status / 100 == 4 && status != 429) {
        follow->refused = http_refused(follow->http, exchange);
        return;
    }
    if (!stood && !follow->lost_said) {
        follow->lost_said = true;
        follow_say_lost(follow->http, exchange);
    }
    follow->next_try_ms = clock_boot_ms() + follow_pause(&follow->pause_ms);
}

void follow_step(struct follow *follow)
{
    struct http_exchange *exchange = &follow->exchange;
    if (follow->open && exchange->is_over) {
        follow->open = false;
        lost(follow);
    }
    if (!follow->open && follow->refused == 0 && clock_boot_ms() >= follow->next_try_ms) {
        sse_restart(&follow->sse);
        exchange->last_event_id = follow->sse.id;
        follow->open = true;
        http_begin(follow->http, exchange);
    }
}

int follow_wait_ms(const struct follow *follow, int longest_ms)
{
    if (follow->open) {
        return follow->exchange.is_over ? 0 : longest_ms;
    }
    int64_t left = follow->next_try_ms - clock_boot_ms();
    return left < 0 ? 0 : left < longest_ms ? (int)left : longest_ms;
}

void follow_done(struct follow *follow)
{
    http_exchange_done(follow->http, &follow->exchange);
    sse_done(&follow->sse);
}
