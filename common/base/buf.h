/* A growing run of bytes. Zero-initialised is empty and ready. */
#ifndef COMMON_BASE_BUF_H
#define COMMON_BASE_BUF_H

#include <stddef.h>
#include <stdint.h>

struct buf {
    uint8_t *data;
    size_t length;
    size_t capacity;
};

/* Room for `bytes` more; returns where they go. The caller adds what it used to `length`. */
uint8_t *buf_reserve(struct buf *buf, size_t bytes);
void buf_append(struct buf *buf, const void *data, size_t bytes);
void buf_append_text(struct buf *buf, const char *text);
void buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A NUL behind the last byte, not counted; returns the bytes as text, owned by the buf. */
const char *buf_text(struct buf *buf);
void buf_consume(struct buf *buf, size_t bytes); /* drops the first bytes */
void buf_clear(struct buf *buf);                 /* keeps the memory */
void buf_done(struct buf *buf);                  /* frees the memory; empty again */

#endif
