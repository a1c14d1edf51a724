/* Reading a server's address. Strict: an address that is half understood sends a token astray. */
#include "common/net/ws_url.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "common/base/str.h"

static const struct {
    struct str prefix;
    bool tls;
} schemes[] = {
    { { "ws://", 5 }, false },
    { { "wss://", 6 }, true },
    { { "http://", 7 }, false },
    { { "https://", 8 }, true },
};

static bool name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == '_';
}

/* The host's bytes, without brackets; what follows it is left in *rest. */
static enum err split_host(struct str *rest, struct ws_url *url, struct reason *reason)
{
    struct str host = *rest;
    size_t skip = 0;
    if (rest->length > 0 && rest->data[0] == '[') {
        const char *end = memchr(rest->data, ']', rest->length);
        if (end == NULL) {
            return reason_set(reason, ERR_INVALID, "server url: no ']' after the IPv6 address");
        }
        host = (struct str){ rest->data + 1, (size_t)(end - rest->data) - 1 };
        skip = 2;
        url->is_ipv6 = true;
    } else {
        host.length = 0;
        while (host.length < rest->length && name_char(host.data[host.length])) {
            host.length++;
        }
    }
    if (host.length == 0 || host.length >= sizeof url->host) {
        return reason_set(reason, ERR_INVALID, "server url: no host name, or one that is too long");
    }
    memcpy(url->host, host.data, host.length);
    url->host[host.length] = 0;
    struct in6_addr address;
    if (url->is_ipv6 && inet_pton(AF_INET6, url->host, &address) != 1) {
        return reason_set(reason, ERR_INVALID, "server url: '%s' is not an IPv6 address",
                          url->host);
    }
    rest->data += host.length + skip;
    rest->length -= host.length + skip;
    return ERR_NONE;
}

static enum err read_port(struct str *rest, struct ws_url *url, struct reason *reason)
{
    if (rest->length == 0 || rest->data[0] != ':') {
        return ERR_NONE;
    }
    size_t digits = 0;
    while (digits + 1 < rest->length && rest->data[digits + 1] >= '0' &&
           rest->data[digits + 1] <= '9') {
        digits++;
    }
    uint64_t port;
    if (!str_to_uint64((struct str){ rest->data + 1, digits }, 65535, &port) || port == 0) {
        return reason_set(reason, ERR_INVALID, "server url: the port must be 1 to 65535");
    }
    url->port = (int)port;
    rest->data += digits + 1;
    rest->length -= digits + 1;
    return ERR_NONE;
}

enum err ws_url_parse(const char *text, struct ws_url *ret_url, struct reason *reason)
{
    struct ws_url url = { 0 };
    struct str rest = str_of(text);
    size_t i = 0;
    while (i < sizeof schemes / sizeof schemes[0] && !str_starts_with(rest, schemes[i].prefix)) {
        i++;
    }
    if (i == sizeof schemes / sizeof schemes[0]) {
        return reason_set(reason, ERR_INVALID,
                          "server url: must begin with ws://, wss://, http:// or https://");
    }
    url.tls = schemes[i].tls;
    url.port = url.tls ? 443 : 80;
    rest.data += schemes[i].prefix.length;
    rest.length -= schemes[i].prefix.length;

    enum err err = split_host(&rest, &url, reason);
    if (err == ERR_NONE) {
        err = read_port(&rest, &url, reason);
    }
    if (err != ERR_NONE) {
        return err;
    }
    if (rest.length > 0 && !str_is(rest, "/")) {
        return reason_set(reason, ERR_INVALID,
                          "server url: only a host and a port are allowed, not '%.*s'",
                          STR_ARG(rest));
    }
    snprintf(url.host_port, sizeof url.host_port, url.is_ipv6 ? "[%s]:%d" : "%s:%d", url.host,
             url.port);
    *ret_url = url;
    return ERR_NONE;
}
