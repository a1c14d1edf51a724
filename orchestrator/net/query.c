/* Query strings: writing one part, reading one parameter. */
#include "orchestrator/net/query.h"

#include <string.h>

#include "orchestrator/net/net.h"

static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != 0 && strchr("-._~,:/@!*()", c) != NULL);
}

void query_encode(struct str part, struct buf *to)
{
    bool in_value = false;
    for (size_t i = 0; i < part.length; i++) {
        char c = part.data[i];
        if (c == '=' && !in_value) {
            in_value = true;
            buf_append(to, &c, 1);
        } else if (is_plain(c)) {
            buf_append(to, &c, 1);
        } else {
            buf_printf(to, "%%%02X", (unsigned char)c);
        }
    }
}

static int hex(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return -1;
}

/* Into `to` with a NUL; false if it does not fit or hides a NUL. '+' is a blank, as forms write it;
   a '%' that begins no escape stands for itself. */
static bool decode(struct str text, char *to, size_t bytes)
{
    size_t length = 0;
    for (size_t i = 0; i < text.length; i++) {
        char c = text.data[i];
        if (c == '+') {
            c = ' ';
        } else if (c == '%' && i + 2 < text.length && hex(text.data[i + 1]) >= 0 &&
                   hex(text.data[i + 2]) >= 0) {
            c = (char)(hex(text.data[i + 1]) * 16 + hex(text.data[i + 2]));
            i += 2;
        }
        if (c == 0 || length + 1 >= bytes) {
            return false;
        }
        to[length] = c;
        length++;
    }
    to[length] = 0;
    return true;
}

bool net_query_get(struct str query, const char *name, char *to, size_t bytes)
{
    char found[128];
    while (query.length > 0) {
        const char *end = memchr(query.data, '&', query.length);
        size_t length = end == NULL ? query.length : (size_t)(end - query.data);
        const char *equals = memchr(query.data, '=', length);
        size_t name_length = equals == NULL ? length : (size_t)(equals - query.data);
        struct str value = { query.data + name_length, length - name_length };
        if (value.length > 0) { /* the '=' */
            value.data++;
            value.length--;
        }
        if (decode((struct str){ query.data, name_length }, found, sizeof found) &&
            strcmp(found, name) == 0) {
            return decode(value, to, bytes);
        }
        size_t step = end == NULL ? length : length + 1;
        query.data += step;
        query.length -= step;
    }
    return false;
}
