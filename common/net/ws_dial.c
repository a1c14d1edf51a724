/* From "dial" to an upgraded connection or the reason why not: look up the name, try its addresses
   one after the other, check the certificate and the answer. Redirects are not followed: they would
   carry the token wherever a server says. */
#include "common/net/ws_client_private.h"

#include <arpa/inet.h>
#include <event2/event.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#include "common/base/check.h"

void ws_client_dial(struct ws_client *client)
{
    CHECK(client->state == WS_CLIENT_IDLE);
    client->state = WS_CLIENT_DIALING;
    client->close_code = 0;
    client->close_why[0] = 0;
    client->found = (struct lookup_result){ 0 };
    client->tried = 0;
    client->asked = false;
    client->leaving = false;
    client->was_full = false;
    event_active(client->next_try, EV_TIMEOUT, 0);
}

static void looked_up(void *context, const struct lookup_result *result)
{
    struct ws_client *client = context;
    client->lookup = NULL;
    if (result->count == 0) {
        char why[WS_CLOSE_REASON_BYTES];
        snprintf(why, sizeof why, "cannot resolve %.100s: %s", client->url.host, result->error);
        ws_client_ended(client, 0, why);
        return;
    }
    client->found = *result;
    event_active(client->next_try, EV_TIMEOUT, 0);
}

static bool is_address(const struct ws_url *url)
{
    struct in_addr address;
    return url->is_ipv6 || inet_pton(AF_INET, url->host, &address) == 1;
}

static void connect_to(struct ws_client *client, const char *address)
{
    struct lws_client_connect_info info = { 0 };
    info.context = client->shared->lws;
    info.vhost = client->vhost;
    info.address = address;
    info.port = client->url.port;
    info.path = client->path;
    info.host = client->url.host_port;
    info.protocol = client->subprotocol;
    info.local_protocol_name = "client";
    info.ietf_version_or_minus_one = -1;
    info.alpn = "http/1.1";
    info.opaque_user_data = client;
    info.ssl_connection = LCCSCF_HTTP_NO_FOLLOW_REDIRECT;
    if (client->url.tls) {
        info.ssl_connection |= LCCSCF_USE_SSL;
        if (client->url.is_ipv6) {
            /* libwebsockets cuts the name at its first ':'; ws_dial_headers checks instead. */
            info.ssl_connection |= LCCSCF_SKIP_SERVER_CERT_HOSTNAME_CHECK;
        }
    }
    bool freed = false;
    client->freed = &freed;
    struct lws *wsi = lws_client_connect_via_info(&info);
    if (freed) {
        return;
    }
    client->freed = NULL;
    /* If it failed at once, the callback has told and the state is idle again. */
    if (wsi != NULL && client->state == WS_CLIENT_DIALING) {
        client->wsi = wsi;
    } else if (wsi == NULL && client->state == WS_CLIENT_DIALING &&
               !event_pending(client->next_try, EV_TIMEOUT, NULL)) {
        ws_client_ended(client, 0, "the connection could not be started");
    }
}

void ws_dial_try(int fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct ws_client *client = context;
    if (client->state == WS_CLIENT_CLOSING) { /* closed while it was dialling */
        struct lws *wsi = client->wsi;
        if (wsi != NULL) {
            lws_set_opaque_user_data(wsi, NULL);
            ws_client_kill(client->shared, wsi);
            client->wsi = NULL;
        }
        ws_client_ended(client, client->close_code, client->close_why);
        return;
    }
    if (is_address(&client->url)) {
        client->tried = 1;
        connect_to(client, client->url.host);
    } else if (client->found.count == 0) {
        client->lookup = lookup_start(client->nest, client->url.host, looked_up, client);
    } else {
        CHECK(client->tried < client->found.count);
        const char *address = client->found.addresses[client->tried];
        client->tried++;
        connect_to(client, address);
    }
}

void ws_dial_failed(struct ws_client *client, struct lws *wsi, const char *in, size_t bytes)
{
    if (client->state == WS_CLIENT_CLOSING) {
        ws_client_ended(client, client->close_code, client->close_why);
        return;
    }
    int status = (int)lws_http_client_http_response(wsi);
    if (status == 0 && client->tried < client->found.count) {
        lws_set_opaque_user_data(wsi, NULL);
        client->wsi = NULL;
        client->close_why[0] = 0;
        event_active(client->next_try, EV_TIMEOUT, 0);
        return;
    }
    char why[WS_CLOSE_REASON_BYTES];
    if (client->close_why[0] != 0) {
        snprintf(why, sizeof why, "%s", client->close_why);
    } else if (status != 0) {
        snprintf(why, sizeof why, "the server answered HTTP %d", status);
    } else {
        int length = in == NULL ? 0 : (int)strnlen(in, bytes);
        if (client->url.tls && length > 0 && memmem(in, (size_t)length, "SSL err", 7) != NULL) {
            in = "no TLS is spoken there that both sides know; ws:// if it is plain";
            length = (int)strlen(in);
        }
        snprintf(why, sizeof why, "cannot connect to %.100s: %.*s", client->url.host_port,
                 length == 0 ? 10 : length, length == 0 ? "no details" : in);
    }
    ws_client_ended(client, status == 101 ? 0 : status, why);
}

/* libwebsockets tells of a certificate that OpenSSL refused only that there was an error. */
int ws_dial_check_certificate(struct ws_client *client, void *verdict, bool good)
{
    if (good || client == NULL) {
        return !good;
    }
    char *why = client->close_why;
    int code = X509_STORE_CTX_get_error(verdict);
    switch (code) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        snprintf(why, sizeof client->close_why, "the server's certificate does not name %.100s",
                 client->url.host);
        break;
    case X509_V_ERR_CERT_HAS_EXPIRED:
        snprintf(why, sizeof client->close_why,
                 "the server's certificate has expired: it needs a new one");
        break;
    case X509_V_ERR_CERT_NOT_YET_VALID:
        snprintf(why, sizeof client->close_why,
                 "the server's certificate is not valid yet: is the clock of this machine right?");
        break;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        snprintf(why, sizeof client->close_why,
                 "no authority that is trusted here vouches for the server's certificate: the CA "
                 "file must hold its own");
        break;
    default:
        snprintf(why, sizeof client->close_why, "the server's certificate is refused: %.100s",
                 X509_verify_cert_error_string(code));
    }
    return -1;
}

/* For an IPv6 address: the certificate must name it. The chain was checked by OpenSSL. */
static bool certificate_names(struct lws *wsi, const struct ws_url *url)
{
    X509 *certificate = SSL_get1_peer_certificate(lws_get_ssl(wsi));
    bool named = certificate != NULL && X509_check_ip_asc(certificate, url->host, 0) == 1;
    X509_free(certificate);
    return named;
}

/* Called when the connection (and its TLS) stands and nothing has been sent yet. */
int ws_dial_headers(struct ws_client *client, struct lws *wsi, void *in, size_t bytes)
{
    if (client->url.tls && client->url.is_ipv6 && !certificate_names(wsi, &client->url)) {
        snprintf(client->close_why, sizeof client->close_why,
                 "the server's certificate does not name %.100s", client->url.host);
        return -1;
    }
    if (client->token == NULL) {
        return 0;
    }
    char **at = in;
    int length = snprintf(*at, bytes, "Authorization: Bearer %s\r\n", client->token);
    if (length < 0 || (size_t)length >= bytes) {
        return -1;
    }
    *at += length;
    return 0;
}

int ws_dial_check_reply(struct ws_client *client, struct lws *wsi)
{
    char chosen[64];
    if (lws_hdr_copy(wsi, chosen, sizeof chosen, WSI_TOKEN_PROTOCOL) <= 0 ||
        strcmp(chosen, client->subprotocol) != 0) {
        snprintf(client->close_why, sizeof client->close_why, "the server does not speak %.64s",
                 client->subprotocol);
        return -1;
    }
    return 0;
}
