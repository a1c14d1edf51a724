#include "common/sys/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <limits.h>
#include <string.h>

#include "common/base/check.h"

void digest_sha256(const void *data, size_t bytes, uint8_t ret_digest[DIGEST_BYTES])
{
    unsigned length = 0;
    int ok = EVP_Digest(data, bytes, ret_digest, &length, EVP_sha256(), NULL);
    CHECK(ok == 1 && length == DIGEST_BYTES);
}

void digest_hmac_sha256(const void *key, size_t key_bytes, const void *data, size_t bytes,
                        uint8_t ret_digest[DIGEST_BYTES])
{
    CHECK(key_bytes <= INT_MAX);
    unsigned length = 0;
    /* A NULL key would mean "the key of last time". */
    const void *given = key_bytes == 0 ? "" : key;
    const unsigned char *ok =
        HMAC(EVP_sha256(), given, (int)key_bytes, data, bytes, ret_digest, &length);
    CHECK(ok != NULL && length == DIGEST_BYTES);
}

void digest_hex(const void *data, size_t bytes, char *to)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *from = data;
    for (size_t i = 0; i < bytes; i++) {
        to[2 * i] = digits[from[i] >> 4];
        to[2 * i + 1] = digits[from[i] & 15U];
    }
    to[2 * bytes] = 0;
}

static int hex_value(char digit)
{
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    if (digit >= 'a' && digit <= 'f') {
        return digit - 'a' + 10;
    }
    if (digit >= 'A' && digit <= 'F') {
        return digit - 'A' + 10;
    }
    return -1;
}

bool digest_from_hex(const char *text, void *to, size_t bytes)
{
    if (strlen(text) != 2 * bytes) {
        return false;
    }
    for (size_t i = 0; i < 2 * bytes; i++) {
        if (hex_value(text[i]) < 0) {
            return false;
        }
    }
    uint8_t *at = to;
    for (size_t i = 0; i < bytes; i++) {
        at[i] = (uint8_t)(hex_value(text[2 * i]) * 16 + hex_value(text[2 * i + 1]));
    }
    return true;
}

bool digest_equal(const void *a, const void *b, size_t bytes)
{
    return CRYPTO_memcmp(a, b, bytes) == 0;
}
