/* The nested loops: libevent sleeps, watching the uv loop's descriptor; uv runs without blocking
   before each sleep (which also makes what callbacks asked of it happen) and after it. */
#include "common/net/nest.h"

#include <event2/event.h>
#include <time.h>

#include "common/base/check.h"
#include "common/base/mem.h"
#include "common/net/nest_private.h"
#include "common/net/ws_context.h"

static int64_t nest_monotonic_ms(void)
{
    struct timespec now;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* There is something for the uv loop; nest_run_once does the work. */
static void wake(evutil_socket_t fd, short what, void *nest)
{
    (void)fd;
    (void)what;
    ((struct nest *)nest)->is_uv_ready = true;
}

static void end_sleep(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    (void)context;
}

static void serve_sendings(uv_prepare_t *before_poll)
{
    sendings_serve(&((struct nest *)before_poll->data)->sendings);
}

enum err nest_new(struct nest **ret_nest, struct reason *reason)
{
    struct event_config *config = event_config_new();
    CHECK(config != NULL);
    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
    struct event_base *base = event_base_new_with_config(config);
    event_config_free(config);
    if (base == NULL) {
        return reason_set(reason, ERR_IO, "no event loop: the system offers no usable poll method");
    }

    struct nest *nest = mem_alloc(sizeof *nest);
    int rc = uv_loop_init(&nest->uv);
    if (rc != 0) {
        mem_free(nest);
        event_base_free(base);
        return reason_set(reason, ERR_IO, "no event loop: %s", uv_strerror(rc));
    }
    nest->base = base;
    CHECK(uv_prepare_init(&nest->uv, &nest->before_poll) == 0);
    nest->before_poll.data = nest;
    CHECK(uv_prepare_start(&nest->before_poll, serve_sendings) == 0);
    uv_unref((uv_handle_t *)&nest->before_poll); /* alone it is nothing to wait for */
    nest->uv_ready = event_new(base, uv_backend_fd(&nest->uv), EV_READ | EV_PERSIST, wake, nest);
    nest->uv_timeout = event_new(base, -1, 0, wake, nest);
    CHECK(nest->uv_ready != NULL && nest->uv_timeout != NULL);
    CHECK(event_add(nest->uv_ready, NULL) == 0);
    *ret_nest = nest;
    return ERR_NONE;
}

void nest_free(struct nest *nest)
{
    if (nest == NULL) {
        return;
    }
    ws_context_free(nest->ws_context);
    CHECK(nest->sendings.count == 0);
    uv_close((uv_handle_t *)&nest->before_poll, NULL);
    /* Closed handles are only forgotten when the loop has run their callbacks; a name that is being
       looked up keeps its handle until the resolver answers. */
    uv_run(&nest->uv, UV_RUN_DEFAULT);
    CHECK(uv_loop_close(&nest->uv) == 0);
    event_free(nest->uv_ready);
    event_free(nest->uv_timeout);
    event_base_free(nest->base);
    mem_free(nest);
}

struct event_base *nest_base(struct nest *nest)
{
    return nest->base;
}

struct uv_loop_s *nest_uv(struct nest *nest)
{
    return &nest->uv;
}

uint64_t nest_passes(const struct nest *nest)
{
    return nest->passes;
}

static void pass(struct nest *nest)
{
    nest->passes++;
    uv_run(&nest->uv, UV_RUN_NOWAIT);
}

void nest_run_once(struct nest *nest, bool may_sleep)
{
    pass(nest);
    int timeout_ms = uv_backend_timeout(&nest->uv); /* -1: none; 0: it wants to run again at once */
    if (timeout_ms > 0) {
        struct timeval timeout = { timeout_ms / 1000, timeout_ms % 1000 * 1000L };
        event_add(nest->uv_timeout, &timeout);
    } else {
        event_del(nest->uv_timeout);
    }
    int flags = EVLOOP_ONCE;
    if (!may_sleep || timeout_ms == 0 || nest->sendings.count > 0) {
        flags |= EVLOOP_NONBLOCK;
    }
    nest->is_uv_ready = false;
    event_base_loop(nest->base, flags);
    /* What arrived meanwhile is read in this pass, not in the caller's next turn; so is what libevent's own
       callbacks want sent. */
    if (nest->is_uv_ready || nest->sendings.count > 0) {
        pass(nest);
    }
}

void nest_write_now(struct nest *nest)
{
    sendings_write(&nest->sendings);
}

void nest_drain(struct nest *nest, bool (*idle)(void *context), void *context, int64_t limit_ms)
{
    int64_t end_ms = nest_monotonic_ms() + limit_ms;
    struct event *limit = event_new(nest->base, -1, 0, end_sleep, NULL);
    CHECK(limit != NULL);
    while (!idle(context)) {
        int64_t left_ms = end_ms - nest_monotonic_ms();
        if (left_ms <= 0) {
            break;
        }
        struct timeval timeout = { left_ms / 1000, (left_ms % 1000) * 1000 };
        event_add(limit, &timeout);
        nest_run_once(nest, true);
    }
    event_free(limit);
}
