/* Is this request meant for us, and from a page of ours? A name that an attacker made to resolve to
   127.0.0.1 (DNS rebinding) fails by its Host; a page of another site fails by its Origin. */
#include <string.h>

#include "orchestrator/net/net_private.h"

enum { NAME_BYTES_MAX = 256, ORIGIN_BYTES_MAX = 300 };

/* The header's value in lower case; -1 if it is missing, empty, given twice or too long. */
static int read_lower(struct lws *wsi, enum lws_token_indexes token, char *to, int bytes)
{
    int length = lws_hdr_copy(wsi, to, bytes, token);
    if (length <= 0) {
        return -1;
    }
    for (int i = 0; i < length; i++) {
        if (to[i] >= 'A' && to[i] <= 'Z') {
            to[i] = (char)(to[i] - 'A' + 'a');
        }
    }
    return length;
}

/* Cuts a port off "name", "name:port" or "[v6]:port"; false if it is none of them. */
static bool split_port(struct str authority, struct str *ret_name, struct str *ret_port)
{
    size_t end = 0;
    if (authority.length > 0 && authority.data[0] == '[') {
        const char *bracket = memchr(authority.data, ']', authority.length);
        if (bracket == NULL) {
            return false;
        }
        end = (size_t)(bracket - authority.data) + 1;
    } else {
        while (end < authority.length && authority.data[end] != ':') {
            end++;
        }
    }
    struct str port = { authority.data + end, authority.length - end };
    if (port.length > 0) {
        uint64_t number;
        port.data++;
        port.length--;
        if (authority.data[end] != ':' || !str_to_uint64(port, 65535, &number)) {
            return false;
        }
    }
    *ret_name = (struct str){ authority.data, end };
    *ret_port = port;
    return end > 0;
}

static bool host_allowed(const struct net *net, struct str host)
{
    struct str name;
    struct str port;
    if (!split_port(host, &name, &port)) {
        return false;
    }
    /* Any port: it may be a tunnel's. Only the name can be an attacker's. */
    for (char **allowed = net->hosts; *allowed != NULL; allowed++) {
        if (str_is(name, *allowed)) {
            return true;
        }
    }
    return false;
}

/* "https://name:443" and Host "name" are the same place. */
static bool same_place(struct str origin, struct str host)
{
    struct str default_port = STR("80");
    if (str_starts_with(origin, STR("http://"))) {
        origin.data += 7;
        origin.length -= 7;
    } else if (str_starts_with(origin, STR("https://"))) {
        origin.data += 8;
        origin.length -= 8;
        default_port = STR("443");
    } else {
        return false;
    }
    struct str names[2];
    struct str ports[2];
    if (!split_port(origin, &names[0], &ports[0]) || !split_port(host, &names[1], &ports[1])) {
        return false;
    }
    for (int i = 0; i < 2; i++) {
        if (ports[i].length == 0) {
            ports[i] = default_port;
        }
    }
    return str_equal(names[0], names[1]) && str_equal(ports[0], ports[1]);
}

int origin_check(struct conn *conn, const char **ret_code, const char **ret_detail)
{
    if (conn->over_unix) {
        return 0; /* no page and no name leads here */
    }
    char host_bytes[NAME_BYTES_MAX];
    int length = read_lower(conn->wsi, WSI_TOKEN_HOST, host_bytes, sizeof host_bytes);
    struct str host = { host_bytes, length < 0 ? 0 : (size_t)length };
    if (!host_allowed(conn->net, host)) {
        *ret_code = "host_not_allowed";
        *ret_detail = "the Host header names nothing that this daemon answers for; start it with "
                      "--host and that name";
        return 421;
    }
    if (lws_hdr_total_length(conn->wsi, WSI_TOKEN_ORIGIN) == 0) {
        return 0; /* no browser, or one that asks for what any page may ask */
    }
    char origin_bytes[ORIGIN_BYTES_MAX];
    length = read_lower(conn->wsi, WSI_TOKEN_ORIGIN, origin_bytes, sizeof origin_bytes);
    if (length < 0 || !same_place((struct str){ origin_bytes, (size_t)length }, host)) {
        *ret_code = "origin_not_allowed";
        *ret_detail = "the Origin header names another site";
        return 403;
    }
    return 0;
}
