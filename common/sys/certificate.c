#include "common/sys/certificate.h"

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <stdbool.h>
#include <time.h>

enum err certificate_expires(const char *path, int64_t *ret_wall_ms, struct reason *reason)
{
    BIO *file = BIO_new_file(path, "r");
    X509 *certificate = file == NULL ? NULL : PEM_read_bio_X509(file, NULL, NULL, NULL);
    struct tm date = { 0 };
    bool is_read =
        certificate != NULL && ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &date) == 1;
    X509_free(certificate);
    BIO_free(file);
    if (!is_read) {
        return reason_set(reason, ERR_INVALID, "%s holds no certificate that can be read", path);
    }
    *ret_wall_ms = (int64_t)timegm(&date) * 1000;
    return ERR_NONE;
}
