/* The daemon's outside as a whole: its libwebsockets context, what its callbacks mean, and the end.
 */
#include "orchestrator/net/net.h"

#include <event2/event.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <string.h>
#include <sys/resource.h>

#include "common/base/check.h"
#include "common/base/mem.h"
#include "common/net/lws_nest.h"
#include "common/net/nest.h"
#include "orchestrator/net/net_private.h"
#include "proto/wire.h"

enum { SECOND_MS = 1000, HOSTS_MAX = 64 };

static int on_http_or_socket(struct conn *conn, enum lws_callback_reasons what, void *in,
                             size_t bytes)
{
    struct str piece = { in, bytes };
    switch ((int)what) {
    case LWS_CALLBACK_HTTP:
        return http_request(conn);
    case LWS_CALLBACK_HTTP_BODY:
        return http_body(conn, piece);
    case LWS_CALLBACK_HTTP_BODY_COMPLETION:
        return http_body_complete(conn);
    case LWS_CALLBACK_HTTP_WRITEABLE:
        return http_writable(conn);
    case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
        return channel_upgrade(conn, in);
    case LWS_CALLBACK_FILTER_PROTOCOL_CONNECTION:
        return conn->allowed ? 0 : -1;
    case LWS_CALLBACK_ESTABLISHED:
        return channel_open(conn);
    case LWS_CALLBACK_RECEIVE:
        return channel_receive(conn, piece);
    case LWS_CALLBACK_SERVER_WRITEABLE:
        return channel_writable(conn);
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
        channel_peer_closes(conn, piece);
        return 0;
    case LWS_CALLBACK_RAW_ADOPT: /* CONNECT makes libwebsockets leave HTTP: nothing for us */
    case LWS_CALLBACK_RAW_RX:
        return -1;
    case LWS_CALLBACK_CLOSED:
    case LWS_CALLBACK_CLOSED_HTTP:
        conn_ended(conn, "the connection was cut");
        return 0;
    case LWS_CALLBACK_WSI_DESTROY:
        conn_ended(conn, "the connection was cut");
        conn_free(conn);
        return 0;
    default:
        return 0;
    }
}

static int callback(struct lws *wsi, enum lws_callback_reasons what, void *user, void *in,
                    size_t bytes)
{
    (void)user;
    if (what == LWS_CALLBACK_OPENSSL_PERFORM_CLIENT_CERT_VERIFICATION ||
        what == LWS_CALLBACK_OPENSSL_PERFORM_SERVER_CERT_VERIFICATION) {
        /* Returning 0 would overrule OpenSSL and accept any certificate; `bytes` is its verdict. */
        return bytes == 0;
    }
    if (wsi == NULL) {
        return 0;
    }
    /* By number, not by pointer: a connection whose adoption failed still gets callbacks later. */
    struct net *net = lws_context_user(lws_get_context(wsi));
    struct conn *conn = map_get(&net->conns, (uintptr_t)lws_get_opaque_user_data(wsi));
    if (conn == NULL) {
        return 0;
    }
    conn->wsi = wsi;
    return on_http_or_socket(conn, what, in, bytes);
}

enum { FRAME_PIECE_BYTES = 4096 };

/* tx_packet_size: what the socket takes goes out at once. Else libwebsockets sends 4 KiB and keeps the
   rest, so that a client can have all of an answer, and ask again, before we have been told that it is out:
   then the connection is closed. rx_buffer_size: each WebSocket has such a buffer of its own. */
static const struct lws_protocols protocols[] = {
    { .name = WIRE_SUBPROTOCOL,
      .callback = callback,
      .per_session_data_size = 1,
      .rx_buffer_size = FRAME_PIECE_BYTES,
      .tx_packet_size = OUTBOX_FRAME_BYTES_MAX },
    { .name = NULL },
};

/* A mount of this kind makes libwebsockets go on reading while a request waits for its answer,
   which is how a client that leaves is noticed; without it, such input would spin the loop. */
static const struct lws_http_mount everything = {
    .mountpoint = "/",
    .mountpoint_len = 1,
    .origin = WIRE_SUBPROTOCOL,
    .origin_protocol = LWSMPRO_CALLBACK,
};

/* libwebsockets would serve without TLS, or log, where this says what is wrong. */
static enum err check_certificate(const struct net_config *config, struct reason *reason)
{
    enum err err = ERR_NONE;
    EVP_PKEY *key = NULL;
    X509 *certificate = NULL;
    BIO *bio = BIO_new_file(config->cert_file, "r");
    if (bio != NULL) {
        certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
        BIO_free(bio);
    }
    bio = BIO_new_file(config->key_file, "r");
    if (bio != NULL) {
        static char no_password[] = "";
        key = PEM_read_bio_PrivateKey(bio, NULL, NULL, no_password);
        BIO_free(bio);
    }
    if (certificate == NULL) {
        err = reason_set(reason, ERR_INVALID, "TLS: %s cannot be read as a PEM certificate",
                         config->cert_file);
    } else if (key == NULL) {
        err = reason_set(reason, ERR_INVALID,
                         "TLS: %s cannot be read as a PEM key without password", config->key_file);
    } else if (X509_check_private_key(certificate, key) != 1) {
        err = reason_set(reason, ERR_INVALID, "TLS: the key in %s does not belong to %s",
                         config->key_file, config->cert_file);
    }
    X509_free(certificate);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return err;
}

enum { CONNECTIONS_LEAST = 8 };

/* Whoever connects must not take what the store opens its files with: that would fail a turn. Once
   libwebsockets has its context the process' limit is final. */
static void leave_descriptors(struct net *net)
{
    struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };
    (void)getrlimit(RLIMIT_NOFILE, &limit);
    rlim_t kept = net->config.descriptors_kept;
    rlim_t room = limit.rlim_cur > kept + CONNECTIONS_LEAST ? limit.rlim_cur - kept
                                                            : (rlim_t)CONNECTIONS_LEAST;
    if (net->config.connections_max > room) {
        net->config.connections_max = (unsigned)room;
    }
}

/* A connection is read once or twice a pass, and a pass may have a turn of 20 ms: by the 4 KiB that
   libwebsockets reads else, a large body would take minutes while the engine has much to do. */
enum { READ_BYTES = 64 * 1024 };

static enum err make_vhost(struct net *net, struct reason *reason)
{
    struct lws_context_creation_info info = { 0 };
    /* Our own limits are shorter; libwebsockets must only never cut in before them. */
    unsigned limit_s = (unsigned)(net->config.request_timeout_ms / SECOND_MS) + 10;
    info.user = net;
    info.timeout_secs = limit_s;
    info.max_http_header_data2 = NET_HEADER_BYTES_MAX;
    info.pt_serv_buf_size = READ_BYTES;
    enum err err = lws_nest_new(net->nest, &info, &net->lws, reason);
    if (err != ERR_NONE) {
        return err;
    }
    leave_descriptors(net);
    info = (struct lws_context_creation_info){ 0 };
    info.vhost_name = "asterism";
    info.port = CONTEXT_PORT_NO_LISTEN_SERVER;
    info.protocols = protocols;
    info.mounts = &everything;
    info.keepalive_timeout = (int)limit_s;
    info.timeout_secs_ah_idle = limit_s;
    info.timeout_secs = limit_s;
    info.max_http_header_data2 = NET_HEADER_BYTES_MAX;
    if (net->tls) {
        /* The system's authorities would only cost memory: nobody shows us a certificate. */
        info.options = LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT | LWS_SERVER_OPTION_DISABLE_OS_CA_CERTS;
        info.ssl_cert_filepath = net->config.cert_file;
        info.ssl_private_key_filepath = net->config.key_file;
        /* Over HTTP/2 libwebsockets shows neither Host nor the headers of our own. */
        info.alpn = "http/1.1";
        info.ssl_options_set = SSL_OP_NO_TLSv1 | SSL_OP_NO_TLSv1_1 | SSL_OP_NO_RENEGOTIATION;
    }
    net->vhost = lws_create_vhost(net->lws, &info);
    if (net->vhost == NULL) {
        return reason_set(reason, ERR_IO, "libwebsockets cannot set up the server");
    }
    return ERR_NONE;
}

static char *lower_copy(const char *text)
{
    char *copy = mem_copy_text(text);
    for (char *at = copy; *at != 0; at++) {
        if (*at >= 'A' && *at <= 'Z') {
            *at = (char)(*at - 'A' + 'a');
        }
    }
    return copy;
}

/* The names that may stand in Host, with what `listen` names last. */
static enum err copy_hosts(struct net *net, const struct net_config *config, struct reason *reason)
{
    static const char *const always[] = { "localhost", "127.0.0.1", "[::1]" };
    enum { ALWAYS = sizeof always / sizeof always[0] };
    size_t count = 0;
    while (config->hosts != NULL && config->hosts[count] != NULL) {
        count++;
        if (count > HOSTS_MAX) {
            return reason_set(reason, ERR_LIMIT, "more than %d host names", HOSTS_MAX);
        }
    }
    net->hosts = mem_array(count + ALWAYS + 2, sizeof *net->hosts);
    for (size_t i = 0; i < count; i++) {
        net->hosts[i] = lower_copy(config->hosts[i]);
    }
    for (size_t i = 0; i < ALWAYS; i++) {
        net->hosts[count + i] = mem_copy_text(always[i]);
    }
    const char *colon = config->listen == NULL ? NULL : strrchr(config->listen, ':');
    if (colon != NULL) {
        char *host = lower_copy(config->listen);
        host[colon - config->listen] = 0;
        net->hosts[count + ALWAYS] = host;
    }
    return ERR_NONE;
}

static const char *copy_or_null(const char *text)
{
    return text == NULL ? NULL : mem_copy_text(text);
}

/* Frees what copy_or_null made. */
static void free_copy(const char *text)
{
    union {
        const char *borrowed;
        char *owned;
    } pointer = { text };
    mem_free(pointer.owned);
}

enum err net_new(struct nest *nest, const struct net_config *config,
                 const struct net_handlers *handlers, struct net **ret_net, struct reason *reason)
{
    struct net *net = mem_alloc(sizeof *net);
    net->nest = nest;
    net->handlers = *handlers;
    net->config = *config;
    net->config.hosts = NULL;
    net->config.listen = NULL;
    net->config.unix_path = NULL; /* set when it is ours to remove */
    net->config.cert_file = copy_or_null(config->cert_file);
    net->config.key_file = copy_or_null(config->key_file);
    net->config.static_dir = copy_or_null(config->static_dir);
    net->tls = config->cert_file != NULL && config->key_file != NULL;
    net->tcp = (struct listener){ .net = net, .fd = -1 };
    net->admin = (struct listener){ .net = net, .fd = -1, .is_unix = true };
    struct event_base *base = nest_base(nest);
    int64_t limit_ms = config->request_timeout_ms;
    deadlines_init(&net->request_deadlines, base, limit_ms, conn_expired);
    deadlines_init(&net->frame_deadlines, base, config->frame_timeout_ms, conn_expired);
    deadlines_init(&net->linger_deadlines, base,
                   limit_ms < NET_LINGER_MS ? limit_ms : NET_LINGER_MS, conn_expired);
    net->accept_again = event_new(base, -1, 0, accept_again, net);
    CHECK(net->accept_again != NULL);

    enum err err = ERR_NONE;
    if (!net->tls && (config->cert_file != NULL || config->key_file != NULL)) {
        err = reason_set(reason, ERR_INVALID, "TLS needs a certificate file and a key file");
    } else if (net->tls) {
        err = check_certificate(&net->config, reason);
    }
    if (err == ERR_NONE) {
        err = copy_hosts(net, config, reason);
    }
    if (err == ERR_NONE) {
        err = make_vhost(net, reason);
    }
    if (err == ERR_NONE && config->listen != NULL) {
        err = listen_tcp(net, config->listen, reason);
    }
    if (err == ERR_NONE && config->unix_path != NULL) {
        err = listen_unix(net, config->unix_path, reason);
    }
    if (err != ERR_NONE) {
        net_free(net);
        return err;
    }
    *ret_net = net;
    return ERR_NONE;
}

void net_free(struct net *net)
{
    if (net == NULL) {
        return;
    }
    net->freeing = true;
    net_stop_listening(net);
    lws_nest_free(net->nest, &net->lws);
    CHECK(net->conns.count == 0);
    event_free(net->accept_again);
    deadlines_done(&net->request_deadlines);
    deadlines_done(&net->frame_deadlines);
    deadlines_done(&net->linger_deadlines);
    buf_pool_done(&net->pool);
    map_done(&net->conns);
    map_done(&net->exchanges);
    map_done(&net->channels);
    for (char **host = net->hosts; host != NULL && *host != NULL; host++) {
        mem_free(*host);
    }
    mem_free(net->hosts);
    free_copy(net->config.cert_file);
    free_copy(net->config.key_file);
    free_copy(net->config.static_dir);
    free_copy(net->config.unix_path);
    mem_free(net);
}

unsigned net_port(const struct net *net)
{
    return net->port;
}

void net_stop_listening(struct net *net)
{
    listener_close(&net->tcp);
    listener_close(&net->admin);
}

struct net_stats net_stats(const struct net *net)
{
    struct net_stats stats = net->stats;
    stats.connections = net->tcp_count + net->admin_count;
    stats.channels = net->channels.count;
    return stats;
}
