#include "common/base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/mem.h"

uint8_t *buf_reserve(struct buf *buf, size_t bytes)
{
    CHECK(bytes <= SIZE_MAX / 2 - buf->length);
    size_t needed = buf->length + bytes;
    if (needed > buf->capacity) {
        size_t capacity = buf->capacity < 64 ? 64 : buf->capacity;
        while (capacity < needed) {
            capacity *= 2;
        }
        buf->data = mem_resize(buf->data, capacity);
        buf->capacity = capacity;
    }
    return buf->data + buf->length;
}

void buf_append(struct buf *buf, const void *data, size_t bytes)
{
    if (bytes == 0) {
        return;
    }
    memcpy(buf_reserve(buf, bytes), data, bytes);
    buf->length += bytes;
}

void buf_append_text(struct buf *buf, const char *text)
{
    buf_append(buf, text, strlen(text));
}

void buf_printf(struct buf *buf, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    size_t room = buf->capacity - buf->length;
    char *end = room == 0 ? NULL : (char *)buf->data + buf->length;
    int length = vsnprintf(end, room, format, args);
    va_end(args);
    CHECK(length >= 0);
    if ((size_t)length >= room) {
        char *to = (char *)buf_reserve(buf, (size_t)length + 1);
        vsnprintf(to, (size_t)length + 1, format, again);
    }
    va_end(again);
    buf->length += (size_t)length;
}

const char *buf_text(struct buf *buf)
{
    *buf_reserve(buf, 1) = 0;
    return (const char *)buf->data;
}

void buf_consume(struct buf *buf, size_t bytes)
{
    CHECK(bytes <= buf->length);
    if (bytes == 0) {
        return;
    }
    memmove(buf->data, buf->data + bytes, buf->length - bytes);
    buf->length -= bytes;
}

void buf_clear(struct buf *buf)
{
    buf->length = 0;
}

void buf_done(struct buf *buf)
{
    mem_free(buf->data);
    *buf = (struct buf){ 0 };
}
