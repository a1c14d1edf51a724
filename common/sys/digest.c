#include "common/sys/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <limits.h>

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

bool digest_equal(const void *a, const void *b, size_t bytes)
{
    return CRYPTO_memcmp(a, b, bytes) == 0;
}
