/* A libwebsockets context that lives on the nest's uv loop: what server and client share of making
   and ending one. */
#ifndef COMMON_NET_LWS_NEST_H
#define COMMON_NET_LWS_NEST_H

#include <libwebsockets.h>

#include "common/base/err.h"

struct nest;

/* Fills in what every context of ours needs and makes it, without vhosts. *context is written NULL
   by libwebsockets when the context has really ended, so it must stay where it is. */
enum err lws_nest_new(struct nest *nest, struct lws_context_creation_info *info,
                      struct lws_context **context, struct reason *reason);
/* Closes what lives in it and runs the uv loop until it has gone. */
void lws_nest_free(struct nest *nest, struct lws_context **context);

#endif
