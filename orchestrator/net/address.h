/* An address to listen on, as a person writes it. */
#ifndef ORCHESTRATOR_NET_ADDRESS_H
#define ORCHESTRATOR_NET_ADDRESS_H

#include <stdbool.h>

#include "common/base/err.h"

struct net_address {
    char host[256]; /* a name or an address, without brackets */
    char port[8];   /* digits; "0" is a free one */
    bool
        is_loopback; /* can only be reached from this machine: an address, or localhost, no other name */
};

/* "HOST:PORT" or "[IPV6]:PORT". ERR_INVALID with the reason; no name is looked up. */
enum err net_address_parse(const char *text, struct net_address *ret_address,
                           struct reason *reason);

#endif
