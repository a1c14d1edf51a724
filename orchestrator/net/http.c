/* A request coming in: its checks, its texts, its body, and handing it over. */
#include <string.h>

#include "common/base/mem.h"
#include "common/net/nest.h"
#include "common/sys/digest.h"
#include "orchestrator/net/exchange.h"
#include "orchestrator/net/query.h"

enum { LENGTH_TEXT_MAX = 24, TOKEN_TEXT_MAX = 2048 };

/* In the order of what lws_http_get_uri_and_method returns. */
static const char *const methods[] = { "GET",   "POST",   "OPTIONS", "PUT",
                                       "PATCH", "DELETE", "CONNECT", "HEAD" };

static struct str text_of(const struct exchange *exchange, enum request_text which)
{
    size_t from = which == 0 ? 0 : exchange->text_ends[which - 1];
    return (struct str){ (const char *)exchange->text.data + from,
                         exchange->text_ends[which] - from };
}

static void add_header(struct exchange *exchange, enum request_text which,
                       enum lws_token_indexes token)
{
    struct lws *wsi = exchange->conn->wsi;
    int length = lws_hdr_total_length(wsi, token);
    if (length > 0) {
        char *to = (char *)buf_reserve(&exchange->text, (size_t)length + 1);
        int copied = lws_hdr_copy(wsi, to, length + 1, token);
        exchange->text.length += copied > 0 ? (size_t)copied : 0;
    }
    exchange->text_ends[which] = exchange->text.length;
}

static void add_custom(struct exchange *exchange, enum request_text which, const char *name)
{
    struct lws *wsi = exchange->conn->wsi;
    int name_length = (int)strlen(name);
    int length = lws_hdr_custom_length(wsi, name, name_length);
    if (length > 0) {
        char *to = (char *)buf_reserve(&exchange->text, (size_t)length + 1);
        int copied = lws_hdr_custom_copy(wsi, to, length + 1, name, name_length);
        exchange->text.length += copied > 0 ? (size_t)copied : 0;
    }
    exchange->text_ends[which] = exchange->text.length;
}

/* libwebsockets has split the query at its '&' and decoded it; this makes it what came. */
static void add_query(struct exchange *exchange)
{
    struct lws *wsi = exchange->conn->wsi;
    int total = lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_URI_ARGS);
    if (total > 0) {
        char *part = mem_alloc((size_t)total + 1);
        for (int i = 0;; i++) {
            int length = lws_hdr_copy_fragment(wsi, part, total + 1, WSI_TOKEN_HTTP_URI_ARGS, i);
            if (length < 0) {
                break;
            }
            if (i > 0) {
                buf_append_text(&exchange->text, "&");
            }
            query_encode((struct str){ part, (size_t)length }, &exchange->text);
        }
        mem_free(part);
    }
    exchange->text_ends[TEXT_QUERY] = exchange->text.length;
}

void http_identify(struct conn *conn, struct net_identity *ret_identity)
{
    static const char scheme[] = "bearer ";
    char text[TOKEN_TEXT_MAX];
    struct str token = { "", 0 };
    int length = lws_hdr_copy(conn->wsi, text, sizeof text, WSI_TOKEN_HTTP_AUTHORIZATION);
    if (length > (int)sizeof scheme - 1 && strncasecmp(text, scheme, sizeof scheme - 1) == 0) {
        token = (struct str){ text + sizeof scheme - 1, (size_t)length - (sizeof scheme - 1) };
        while (token.length > 0 && token.data[0] == ' ') {
            token.data++;
            token.length--;
        }
    }
    struct net *net = conn->net;
    struct net_identity identity = { 0 };
    /* Some Authorization that is no bearer token must not count as none at all. */
    bool odd =
        token.length == 0 && lws_hdr_total_length(conn->wsi, WSI_TOKEN_HTTP_AUTHORIZATION) > 0;
    if (!odd) {
        net->handlers.identify(net->handlers.context, token, conn->over_unix, conn->uid, &identity);
    }
    explicit_bzero(text, sizeof text);
    *ret_identity = identity;
}

struct framing {
    bool has_body;
    bool has_length;
    uint64_t bytes;
};

/* How long the body is; 0, or the status of the refusal. */
static int read_framing(struct conn *conn, struct framing *framing, const char **ret_code,
                        const char **ret_detail)
{
    struct lws *wsi = conn->wsi;
    if (lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_TRANSFER_ENCODING) > 0) {
        framing->has_body = true;
        *ret_code = "length_required";
        *ret_detail = "send the body with a Content-Length instead of a Transfer-Encoding";
        return 411;
    }
    if (lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH) == 0) {
        return 0;
    }
    char text[LENGTH_TEXT_MAX];
    int length = lws_hdr_copy(wsi, text, sizeof text, WSI_TOKEN_HTTP_CONTENT_LENGTH);
    framing->has_length = true;
    framing->has_body = true;
    /* Also refuses two lengths, which libwebsockets joins into one value. */
    if (length <= 0 ||
        !str_to_uint64((struct str){ text, (size_t)length }, INT64_MAX, &framing->bytes)) {
        *ret_code = "bad_request";
        *ret_detail = "Content-Length is not one number";
        return 400;
    }
    framing->has_body = framing->bytes > 0;
    if (framing->bytes > conn->net->config.body_bytes_max) {
        *ret_code = "body_too_large";
        *ret_detail = "the body is larger than this daemon accepts";
        return 413;
    }
    return 0;
}

static void read_version(struct exchange *exchange)
{
    struct lws *wsi = exchange->conn->wsi;
    char version[16];
    char connection[64];
    exchange->is_http_1_1 = lws_hdr_copy(wsi, version, sizeof version, WSI_TOKEN_HTTP) > 0 &&
                            version[5] == '1' && version[7] == '1';
    bool asks_close = false;
    if (lws_hdr_total_length(wsi, WSI_TOKEN_CONNECTION) > 0) {
        /* Too long to read is taken as a wish to close. */
        asks_close = lws_hdr_copy(wsi, connection, sizeof connection, WSI_TOKEN_CONNECTION) <= 0 ||
                     strcasestr(connection, "close") != NULL;
    }
    exchange->keep_alive = exchange->is_http_1_1 && !asks_close;
}

static void deliver(struct exchange *exchange)
{
    struct conn *conn = exchange->conn;
    struct net *net = conn->net;
    struct buf body = exchange->body;
    uint8_t body_sha256[DIGEST_BYTES];
    bool is_keyed = exchange->body_digest != NULL;
    if (is_keyed) {
        digest_end(exchange->body_digest, body_sha256);
    }
    exchange->body = (struct buf){ 0 };
    struct net_request request = {
        .id = exchange->id,
        .identity = &conn->identity,
        .method = str_of(exchange->method),
        .path = text_of(exchange, TEXT_PATH),
        .query = text_of(exchange, TEXT_QUERY),
        .body = { (const char *)body.data, body.length },
        .whole = &body,
        .content_type = text_of(exchange, TEXT_CONTENT_TYPE),
        .idempotency_key = text_of(exchange, TEXT_IDEMPOTENCY_KEY),
        .body_sha256 = is_keyed ? body_sha256 : NULL,
        .last_event_id = text_of(exchange, TEXT_LAST_EVENT_ID),
        .if_match = text_of(exchange, TEXT_IF_MATCH),
        .range = text_of(exchange, TEXT_RANGE),
        .accept = text_of(exchange, TEXT_ACCEPT),
    };
    /* The handler may answer from inside; the answer keeps neither text nor body. */
    struct buf text = exchange->text;
    exchange->text = (struct buf){ 0 };
    exchange->state = EXCHANGE_WAITING;
    deadline_stop(&conn->deadline);
    lws_set_timeout(conn->wsi, NO_PENDING_TIMEOUT, 0);
    map_put(&net->exchanges, exchange->id, exchange);
    net->handlers.request(net->handlers.context, &request);
    buf_done(&text);
    buf_done(&body);
}

static struct exchange *exchange_new(struct conn *conn, int method, struct str path)
{
    struct exchange *exchange = mem_alloc(sizeof *exchange);
    exchange->conn = conn;
    exchange->id = ++conn->net->last_id;
    exchange->method = methods[method];
    exchange->pass = nest_passes(conn->net->nest);
    read_version(exchange);
    buf_append(&exchange->text, path.data, path.length);
    exchange->text_ends[TEXT_PATH] = exchange->text.length;
    add_query(exchange);
    add_header(exchange, TEXT_CONTENT_TYPE, WSI_TOKEN_HTTP_CONTENT_TYPE);
    add_custom(exchange, TEXT_IDEMPOTENCY_KEY, "idempotency-key:");
    add_custom(exchange, TEXT_LAST_EVENT_ID, "last-event-id:");
    add_header(exchange, TEXT_IF_MATCH, WSI_TOKEN_HTTP_IF_MATCH);
    add_header(exchange, TEXT_IF_NONE_MATCH, WSI_TOKEN_HTTP_IF_NONE_MATCH);
    add_header(exchange, TEXT_RANGE, WSI_TOKEN_HTTP_RANGE);
    add_header(exchange, TEXT_ACCEPT, WSI_TOKEN_HTTP_ACCEPT);
    if (text_of(exchange, TEXT_IDEMPOTENCY_KEY).length > 0) {
        exchange->body_digest = digest_new();
    }
    conn->exchange = exchange;
    return exchange;
}

static bool try_static(struct exchange *exchange)
{
    struct str path = text_of(exchange, TEXT_PATH);
    bool reads = strcmp(exchange->method, "GET") == 0 || strcmp(exchange->method, "HEAD") == 0;
    return reads && exchange->conn->net->config.static_dir != NULL &&
           !str_starts_with(path, STR("/api/")) &&
           static_file_serve(exchange, path, text_of(exchange, TEXT_IF_NONE_MATCH));
}

static bool is_open(const struct net *net, struct str path)
{
    const char *const *open = net->config.open_paths;
    while (open != NULL && *open != NULL && !str_is(path, *open)) {
        open++;
    }
    return open != NULL && *open != NULL;
}

/* Nobody who may only read, or only be an agent, has a large body to send; and all bodies together must
   fit into memory. */
static int begin_body(struct conn *conn, struct exchange *exchange, uint64_t bytes)
{
    struct net *net = conn->net;
    bool may_submit =
        conn->identity.role == NET_ROLE_OPERATOR || conn->identity.role == NET_ROLE_ADMIN;
    if (!may_submit && bytes > NET_SMALL_BODY_BYTES_MAX) {
        exchange_free(exchange);
        return http_refuse(conn, 413, "body_too_large", "the body is larger than its role may send",
                           true);
    }
    if (bytes > NET_BODIES_BYTES_MAX - net->bodies_bytes) {
        exchange_free(exchange);
        return http_refuse(conn, 503, "too_many", "too many large requests at a time", true);
    }
    exchange->body_bytes = (size_t)bytes;
    net->bodies_bytes += bytes;
    return 0;
}

int http_request(struct conn *conn)
{
    if (conn->exchange != NULL || conn->lingering) {
        /* Bytes behind a request that is not answered yet. Nobody who means well sends them; kept,
           they would be memory that a peer can make grow. */
        return -1;
    }
    const char *code = NULL;
    const char *detail = NULL;
    struct framing framing = { 0 };
    int status = read_framing(conn, &framing, &code, &detail);
    if (status == 0) {
        status = origin_check(conn, &code, &detail);
    }
    if (status != 0) {
        return http_refuse(conn, status, code, detail, framing.has_body);
    }
    char *uri = NULL;
    int uri_length = 0;
    int method = lws_http_get_uri_and_method(conn->wsi, &uri, &uri_length);
    if (method < 0 || method >= (int)(sizeof methods / sizeof methods[0])) {
        return http_refuse(conn, 405, "bad_request", "unknown method", framing.has_body);
    }
    struct str path = { uri, (size_t)uri_length };
    if (path.length == 0 || path.data[0] != '/' || !str_is_utf8(path)) {
        return http_refuse(conn, 400, "bad_request", "the path is not UTF-8", framing.has_body);
    }

    struct exchange *exchange = exchange_new(conn, method, path);
    if (!framing.has_length &&
        (method == LWSHUMETH_POST || method == LWSHUMETH_PUT || method == LWSHUMETH_PATCH)) {
        /* An empty body, by RFC 9112; libwebsockets waits for one without end all the same, so the
           connection cannot take another request. */
        exchange->keep_alive = false;
    }
    if (!framing.has_body && try_static(exchange)) {
        return 0;
    }
    http_identify(conn, &conn->identity);
    if (conn->identity.role == NET_ROLE_NONE && (framing.has_body || !is_open(conn->net, path))) {
        exchange_free(exchange);
        return http_refuse(conn, 401, "unauthorized",
                           "a valid token is needed: Authorization: Bearer TOKEN",
                           framing.has_body);
    }
    if (framing.has_body) {
        return begin_body(conn, exchange, framing.bytes);
    }
    deliver(exchange);
    return 0;
}

int http_body(struct conn *conn, struct str piece)
{
    struct exchange *exchange = conn->exchange;
    if (conn->lingering || piece.length == 0) {
        return 0;
    }
    if (exchange == NULL || exchange->state != EXCHANGE_BODY ||
        piece.length > exchange->body_bytes - exchange->body.length) {
        return -1;
    }
    conn->net->stats.bytes_in += piece.length;
    buf_append(&exchange->body, piece.data, piece.length);
    if (exchange->body_digest != NULL) {
        digest_add(exchange->body_digest, piece.data, piece.length);
    }
    return 0;
}

/* libwebsockets says it again for whatever it reads behind the body. */
int http_body_complete(struct conn *conn)
{
    struct exchange *exchange = conn->exchange;
    if (exchange == NULL) {
        return -1; /* refused and answered; now that the body has been read it can end */
    }
    if (exchange->body_bytes == 0) {
        return 0; /* of an empty body, which was delivered with its head */
    }
    if (exchange->state != EXCHANGE_BODY) {
        return http_behind(conn);
    }
    if (exchange->body.length != exchange->body_bytes) {
        return -1;
    }
    exchange->pass = nest_passes(conn->net->nest);
    deliver(exchange);
    return 0;
}
