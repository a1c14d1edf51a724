/* An address to listen on, as a person writes it. */
#include "orchestrator/net/address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "common/base/str.h"

/* A name such as 127.0.0.1.example may lead anywhere: only what is an address is taken for one. */
static bool host_is_loopback(const char *host)
{
    struct in_addr v4;
    struct in6_addr v6;
    if (inet_pton(AF_INET, host, &v4) == 1) {
        return ntohl(v4.s_addr) >> 24 == 127;
    }
    if (inet_pton(AF_INET6, host, &v6) == 1) {
        return IN6_IS_ADDR_LOOPBACK(&v6);
    }
    return strcmp(host, "localhost") == 0;
}

enum err net_address_parse(const char *text, struct net_address *ret_address, struct reason *reason)
{
    struct net_address address = { .is_loopback = false };
    const char *colon = strrchr(text, ':');
    size_t length = colon == NULL ? 0 : (size_t)(colon - text);
    const char *from = text;
    if (length >= 2 && text[0] == '[' && text[length - 1] == ']') {
        from++;
        length -= 2;
    } else if (memchr(text, ':', length) != NULL) {
        return reason_set(reason, ERR_INVALID, "--listen: write an IPv6 address as [%.*s]:PORT",
                          (int)length, text);
    }
    uint64_t port;
    if (length == 0 || length >= sizeof address.host ||
        !str_to_uint64(str_of(colon + 1), 65535, &port)) {
        return reason_set(reason, ERR_INVALID,
                          "--listen: \"%s\" is not HOST:PORT, such as 127.0.0.1:7350", text);
    }
    memcpy(address.host, from, length);
    snprintf(address.port, sizeof address.port, "%u", (unsigned)port);
    address.is_loopback = host_is_loopback(address.host);
    *ret_address = address;
    return ERR_NONE;
}
