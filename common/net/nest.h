/* The loop that both programs run: libevent is the master; a libuv loop, on which libwebsockets
   lives, is nested in it (Debian's libwebsockets is built without libevent support, and its own
   poll loop scans every connection at every message). One thread. Floor 3. */
#ifndef COMMON_NET_NEST_H
#define COMMON_NET_NEST_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"

struct event_base;
struct uv_loop_s;
struct nest;

/* ERR_IO if the system has no epoll or the like for us. */
enum err nest_new(struct nest **ret_nest, struct reason *reason);
/* After everything that lives on the loops has been closed; checks that the uv loop is empty. */
void nest_free(struct nest *nest);
struct event_base *nest_base(struct nest *nest);
struct uv_loop_s *nest_uv(struct nest *nest); /* give this to lws as its foreign loop */

/* One pass: services what is ready in both loops. Sleeps until something is, unless `may_sleep` is
   false. */
void nest_run_once(struct nest *nest, bool may_sleep);
/* What connections have been given to send and can take at once goes out now, and not with the next pass. Nobody
   is called back. */
void nest_write_now(struct nest *nest);
/* How often the uv loop has been run: what libwebsockets leaves for its next pass is done before anything of
   that pass. */
uint64_t nest_passes(const struct nest *nest);

/* Services both loops until `idle` says so or `limit_ms` has passed: for closing down. */
void nest_drain(struct nest *nest, bool (*idle)(void *context), void *context, int64_t limit_ms);

/* The one timer of a program: fires `callback` at a time of CLOCK_BOOTTIME in ms, by a timerfd, so
   that it keeps its time over a suspend. INT64_MAX disarms. */
struct nest_timer;
struct nest_timer *nest_timer_new(struct nest *nest, void (*callback)(void *context),
                                  void *context);
void nest_timer_arm(struct nest_timer *timer, int64_t boot_ms);
void nest_timer_free(struct nest_timer *timer);

#endif
