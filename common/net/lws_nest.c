/* Making and ending a libwebsockets context on the nest's uv loop. */
#include "common/net/lws_nest.h"

#include <sys/resource.h>

#include "common/base/check.h"
#include "common/net/nest.h"
#include "common/net/nest_private.h"

enum { DESCRIPTORS_MAX = 65536, TEARDOWN_PASSES_MAX = 1000 };

/* Libraries do not log: what matters reaches the caller as a reason. */
static void swallow(int level, const char *line)
{
    (void)level;
    (void)line;
}

/* libwebsockets sizes its table of descriptors by this limit when a context is made: too high and
   it silently falls back to a few thousand; its own setting for it makes every look-up linear. */
static void set_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max < DESCRIPTORS_MAX ? limit.rlim_max : DESCRIPTORS_MAX;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

enum err lws_nest_new(struct nest *nest, struct lws_context_creation_info *info,
                      struct lws_context **context, struct reason *reason)
{
    lws_set_log_level(0, swallow);
    set_descriptor_limit();
    void *loops[] = { nest_uv(nest) };
    info->options |= LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_EXPLICIT_VHOSTS;
    /* Once a process: a second time, the index under which libwebsockets finds its own data in a
       TLS context changes, and the contexts that are there are never freed. */
    static bool tls_is_ready;
    if (!tls_is_ready) {
        info->options |= LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
        tls_is_ready = true;
    }
    info->foreign_loops = loops;
    info->port = CONTEXT_PORT_NO_LISTEN;
    info->uid = -1;
    info->gid = -1;
    info->pcontext = context;
    *context = lws_create_context(info);
    if (*context == NULL) {
        return reason_set(reason, ERR_IO,
                          "libwebsockets did not start: is libwebsockets-evlib-uv installed?");
    }
    return ERR_NONE;
}

static void count_closing(uv_handle_t *handle, void *count)
{
    if (uv_is_closing(handle)) {
        ++*(unsigned *)count;
    }
}

/* Runs the uv loop until what is being closed has been. Other contexts' handles stay open. */
static void settle(struct uv_loop_s *uv)
{
    for (int i = 0; i < TEARDOWN_PASSES_MAX; i++) {
        uv_run(uv, UV_RUN_NOWAIT);
        unsigned closing = 0;
        uv_walk(uv, count_closing, &closing);
        if (closing == 0) {
            return;
        }
    }
}

void lws_nest_free(struct nest *nest, struct lws_context **context)
{
    if (*context == NULL) {
        return;
    }
    /* The first call closes the connections; the last one frees the context and unloads the library
       that the handles' callbacks are in, so no handle may be closing then. */
    lws_context_destroy(*context);
    settle(nest_uv(nest));
    for (int i = 0; i < TEARDOWN_PASSES_MAX && *context != NULL; i++) {
        lws_context_destroy(*context);
        settle(nest_uv(nest));
    }
    CHECK(*context == NULL);
}
