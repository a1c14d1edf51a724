/* The address of a server as a person writes it. */
#ifndef COMMON_NET_WS_URL_H
#define COMMON_NET_WS_URL_H

#include <stdbool.h>

#include "common/base/err.h"

struct ws_url {
    char host[256];      /* a name or an address, without brackets */
    char host_port[272]; /* what the Host header says */
    int port;
    bool tls;
    bool is_ipv6;
};

/* ws, wss, http or https; a name, an IPv4 address or a bracketed IPv6 address; an optional port.
   Anything else, such as a path, a query or a user, is ERR_INVALID with the reason. */
enum err ws_url_parse(const char *text, struct ws_url *ret_url, struct reason *reason);

#endif
