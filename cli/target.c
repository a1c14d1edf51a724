/* Which daemon a URL names. */
#include <stdio.h>
#include <string.h>

#include "cli/http.h"

static bool host_is_loopback(struct str host)
{
    return str_is(host, "localhost") || str_is(host, "[::1]") ||
           (str_starts_with(host, STR("127.")) && strspn(host.data, "0123456789.") >= host.length);
}

static enum err unix_target(const char *path, struct http_target *target, struct reason *reason)
{
    if (*path == 0) {
        return reason_set(reason, ERR_INVALID, "unix: needs the path of a socket");
    }
    if (strlen(path) >= sizeof target->unix_path) {
        return reason_set(reason, ERR_INVALID, "a socket's path has at most %zu bytes",
                          sizeof target->unix_path - 1);
    }
    memcpy(target->unix_path, path, strlen(path) + 1);
    memcpy(target->base, "http://localhost", sizeof "http://localhost");
    target->is_loopback = true;
    return ERR_NONE;
}

static enum err authority_of(const char *from, struct str *ret_host, size_t *ret_length,
                             struct reason *reason)
{
    size_t length = strcspn(from, "/?#");
    if (length == 0) {
        return reason_set(reason, ERR_INVALID, "the URL names no host");
    }
    if (memchr(from, '@', length) != NULL) {
        return reason_set(reason, ERR_INVALID,
                          "a URL must not hold a name or a password; use --token-file");
    }
    if (from[length] != 0 && strcmp(from + length, "/") != 0) {
        return reason_set(reason, ERR_INVALID, "the URL must end after host and port");
    }
    for (size_t i = 0; i < length; i++) {
        if (from[i] <= ' ' || from[i] > '~') {
            return reason_set(reason, ERR_INVALID, "the URL holds a character that it must not");
        }
    }
    size_t host = from[0] == '[' ? strcspn(from, "]") + 1 : strcspn(from, ":/?#");
    *ret_host = (struct str){ from, host < length ? host : length };
    *ret_length = length;
    return ERR_NONE;
}

/* Where the port of "HOST:PORT" begins; 0: it is not of that form. */
static size_t port_at(const char *text)
{
    const char *colon = strrchr(text, ':');
    size_t digits = colon == NULL ? 0 : strspn(colon + 1, "0123456789");
    bool good = digits > 0 && digits <= 5 && colon[1 + digits] == 0 && colon != text;
    return good ? (size_t)(colon + 1 - text) : 0;
}

enum err http_target_of(const char *url, struct http_target *ret_target, struct reason *reason)
{
    struct http_target target = { .base = "" };
    if (strncmp(url, "unix:", 5) == 0) {
        enum err err = unix_target(url + 5, &target, reason);
        if (err == ERR_NONE) {
            *ret_target = target;
        }
        return err;
    }
    target.is_tls = strncmp(url, "https://", 8) == 0;
    const char *end = strstr(url, "://");
    bool is_http = strncmp(url, "http://", 7) == 0;
    size_t port = end == NULL ? port_at(url) : 0;
    if (!target.is_tls && !is_http && port == 0) {
        return reason_set(reason, ERR_INVALID,
                          "a URL is http://HOST:PORT, https://HOST:PORT, HOST:PORT or unix:PATH");
    }
    size_t scheme = target.is_tls ? 8 : is_http ? 7 : 0;
    struct str host = { "", 0 };
    size_t length = 0;
    enum err err = authority_of(url + scheme, &host, &length, reason);
    if (err != ERR_NONE) {
        return err;
    }
    const char *before = scheme == 0 ? "http://" : "";
    if (strlen(before) + scheme + length >= sizeof target.base) {
        return reason_set(reason, ERR_INVALID, "the URL is too long");
    }
    snprintf(target.base, sizeof target.base, "%s%.*s", before, (int)(scheme + length), url);
    target.is_loopback = host_is_loopback(host);
    *ret_target = target;
    return ERR_NONE;
}
