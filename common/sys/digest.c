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

/* One of OpenSSL's, by another name. */
static EVP_MD_CTX *context_of(struct digest *digest)
{
    return (EVP_MD_CTX *)digest;
}

struct digest *digest_new(void)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    CHECK(context != NULL && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1);
    return (struct digest *)context;
}

void digest_add(struct digest *digest, const void *data, size_t bytes)
{
    int ok = EVP_DigestUpdate(context_of(digest), data, bytes);
    CHECK(ok == 1);
}

void digest_end(struct digest *digest, uint8_t ret_digest[DIGEST_BYTES])
{
    unsigned length = 0;
    int ok = EVP_DigestFinal_ex(context_of(digest), ret_digest, &length);
    CHECK(ok == 1 && length == DIGEST_BYTES);
}

void digest_free(struct digest *digest)
{
    EVP_MD_CTX_free(context_of(digest));
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
