/* Query strings: libwebsockets hands out decoded parts, the handler gets the string as it came. */
#include "orchestrator/net/query.h"

#include <string.h>

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
