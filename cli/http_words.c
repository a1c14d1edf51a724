#include "cli/http_words.h"

#include <errno.h>
#include <openssl/x509_vfy.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* libcurl's words name the port of a URL that the person never wrote, and how long it took. */
static void connect_words(const struct http_target *target, CURL *easy, char to[HTTP_WORDS_BYTES])
{
    long number = 0;
    curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &number);
    const char *path = target->unix_path;
    if (*path != 0) {
        /* libcurl does not tell why of a Unix socket. */
        number = access(path, F_OK) != 0          ? errno
                 : access(path, R_OK | W_OK) != 0 ? errno
                                                  : ECONNREFUSED;
    }
    if (*path != 0 && number == ENOENT) {
        snprintf(to, HTTP_WORDS_BYTES, "there is no such socket; is asterismd running?");
    } else if (*path != 0 && number == EACCES) {
        snprintf(to, HTTP_WORDS_BYTES, "only the user that asterismd runs as may open this socket");
    } else if (number == ECONNREFUSED) {
        snprintf(to, HTTP_WORDS_BYTES, "nothing listens there; is asterismd running?");
    } else if (number != 0) {
        snprintf(to, HTTP_WORDS_BYTES, "%s", strerror((int)number));
    }
}

/* Nothing is said to the daemon before its certificate is good. */
static void certificate_words(CURL *easy, char to[HTTP_WORDS_BYTES])
{
    long verdict = X509_V_OK;
    curl_easy_getinfo(easy, CURLINFO_SSL_VERIFYRESULT, &verdict);
    switch (verdict) {
    case X509_V_OK:
    case X509_V_ERR_UNSPECIFIED: /* libcurl has not got as far as the chain: it is the name */
        snprintf(to, HTTP_WORDS_BYTES,
                 "its certificate does not name it so; --url must be one of the names in it");
        break;
    case X509_V_ERR_CERT_HAS_EXPIRED:
        snprintf(to, HTTP_WORDS_BYTES, "its certificate has expired: it needs a new one");
        break;
    case X509_V_ERR_CERT_NOT_YET_VALID:
        snprintf(to, HTTP_WORDS_BYTES,
                 "its certificate is not valid yet: is the clock of this machine right?");
        break;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        snprintf(to, HTTP_WORDS_BYTES,
                 "no authority that is trusted here vouches for its certificate; --ca-file names "
                 "the file that holds its own");
        break;
    default:
        break;
    }
}

void http_failed_words(const struct http_target *target, CURL *easy, CURLcode code,
                       char to[HTTP_WORDS_BYTES])
{
    long status = 0;
    switch ((int)code) {
    case CURLE_COULDNT_CONNECT:
        connect_words(target, easy, to);
        break;
    case CURLE_PEER_FAILED_VERIFICATION:
        certificate_words(easy, to);
        break;
    case CURLE_SSL_CACERT_BADFILE:
        snprintf(to, HTTP_WORDS_BYTES, "the file of --ca-file holds no certificates in PEM");
        break;
    case CURLE_SSL_CONNECT_ERROR:
        snprintf(to, HTTP_WORDS_BYTES,
                 "no TLS is spoken there that both sides know; is it http:// in --url?");
        break;
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR:
        curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
        if (status == 0 && !target->is_tls && *target->unix_path == 0) {
            snprintf(to, HTTP_WORDS_BYTES,
                     "it closed the connection without an answer; https:// in --url if it speaks "
                     "TLS");
        }
        break;
    default:
        break;
    }
}
