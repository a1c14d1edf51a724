/* SHA-256, its keyed form, hexadecimal, and a comparison that does not tell by its time where two
   secrets differ. */
#ifndef COMMON_SYS_DIGEST_H
#define COMMON_SYS_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    DIGEST_BYTES = 32,
};

void digest_sha256(const void *data, size_t bytes, uint8_t ret_digest[DIGEST_BYTES]);
/* The same of bytes that come in pieces. */
struct digest;
struct digest *digest_new(void);
void digest_add(struct digest *digest, const void *data, size_t bytes);
void digest_end(struct digest *digest,
                uint8_t ret_digest[DIGEST_BYTES]); /* nothing is added after it */
void digest_free(struct digest *digest);
void digest_hmac_sha256(const void *key, size_t key_bytes, const void *data, size_t bytes,
                        uint8_t ret_digest[DIGEST_BYTES]);
/* Lower case, with a NUL: `to` has room for 2 * bytes + 1. */
void digest_hex(const void *data, size_t bytes, char *to);
bool digest_equal(const void *a, const void *b, size_t bytes);

#endif
