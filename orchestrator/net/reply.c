/* Answers going out: whole ones, refusals, and bodies in pieces. Everything is queued and sent when
   the socket takes it; whoever takes nothing for the length of the request timeout is dropped. */
#include <stdio.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/mem.h"
#include "common/net/nest.h"
#include "common/sys/digest.h"
#include "orchestrator/net/exchange.h"

enum { ANSWER_PIECE_BYTES = 4 * OUTBOX_FRAME_BYTES_MAX };

/* What goes out at once: of a longer answer a client can have all, and ask again, before we have been told
   that it is out, and behind a body that cannot be taken (behind.c). */
enum { KEPT_ANSWER_BYTES_MAX = OUTBOX_FRAME_BYTES_MAX };

static const struct {
    int status;
    const char *title;
} titles[] = {
    { 200, "OK" },
    { 201, "Created" },
    { 202, "Accepted" },
    { 204, "No Content" },
    { 206, "Partial Content" },
    { 304, "Not Modified" },
    { 400, "Bad Request" },
    { 401, "Unauthorized" },
    { 403, "Forbidden" },
    { 404, "Not Found" },
    { 405, "Method Not Allowed" },
    { 406, "Not Acceptable" },
    { 408, "Request Timeout" },
    { 409, "Conflict" },
    { 410, "Gone" },
    { 411, "Length Required" },
    { 412, "Precondition Failed" },
    { 413, "Content Too Large" },
    { 415, "Unsupported Media Type" },
    { 416, "Range Not Satisfiable" },
    { 421, "Misdirected Request" },
    { 422, "Unprocessable Content" },
    { 428, "Precondition Required" },
    { 429, "Too Many Requests" },
    { 500, "Internal Server Error" },
    { 501, "Not Implemented" },
    { 503, "Service Unavailable" },
    { 507, "Insufficient Storage" },
};

static const char *title_of(int status)
{
    for (size_t i = 0; i < sizeof titles / sizeof titles[0]; i++) {
        if (titles[i].status == status) {
            return titles[i].title;
        }
    }
    return "Other";
}

static bool is_bodiless(int status)
{
    return status == 204 || status == 304;
}

/* A header's value as text that cannot end its line. */
static void add_value(struct buf *to, struct str value)
{
    for (size_t i = 0; i < value.length; i++) {
        unsigned char c = (unsigned char)value.data[i];
        if (c < ' ' || c == 0x7f) {
            c = '?';
        }
        buf_append(to, &c, 1);
    }
}

/* A page may load what this server serves and be framed by nobody; data is no page at all. */
static void begin_head(struct buf *to, int status, const char *content_type, bool is_page)
{
    buf_printf(to, "HTTP/1.1 %d %s\r\n", status, title_of(status));
    if (content_type != NULL) {
        buf_printf(to, "Content-Type: %s\r\n", content_type);
    }
    buf_append_text(to, "X-Content-Type-Options: nosniff\r\n"
                        "Referrer-Policy: no-referrer\r\n"
                        "Cross-Origin-Resource-Policy: same-origin\r\n");
    if (is_page) {
        buf_append_text(to, "Cache-Control: no-cache\r\n"
                            "Content-Security-Policy: default-src 'none'; script-src 'self'; "
                            "style-src 'self'; img-src 'self' data:; font-src 'self'; "
                            "connect-src 'self'; base-uri 'none'; form-action 'none'; "
                            "frame-ancestors 'none'\r\n");
    } else {
        buf_append_text(to, "Cache-Control: no-store\r\n"
                            "Content-Security-Policy: default-src 'none'; "
                            "frame-ancestors 'none'\r\n");
    }
    if (status == 401) {
        buf_append_text(to, "WWW-Authenticate: Bearer realm=\"asterism\"\r\n");
    }
}

static void add_to_queue(struct exchange *exchange, struct str bytes)
{
    while (bytes.length > 0) {
        size_t part = bytes.length < OUTBOX_FRAME_BYTES_MAX ? bytes.length : OUTBOX_FRAME_BYTES_MAX;
        outbox_append(&exchange->out, &exchange->conn->net->pool, (struct str){ bytes.data, part });
        bytes.data += part;
        bytes.length -= part;
    }
}

static void send_soon(struct exchange *exchange)
{
    struct conn *conn = exchange->conn;
    if (conn->deadline.list == NULL) {
        deadline_start(&conn->deadline, &conn->net->request_deadlines);
    }
    conn_write_soon(conn);
}

void exchange_free(struct exchange *exchange)
{
    struct conn *conn = exchange->conn;
    if (map_get(&conn->net->exchanges, exchange->id) != NULL) {
        map_remove(&conn->net->exchanges, exchange->id);
    }
    outbox_done(&exchange->out, &conn->net->pool);
    buf_done(&exchange->text);
    buf_done(&exchange->body);
    digest_free(exchange->body_digest);
    buf_done(&exchange->answer);
    conn->net->bodies_bytes -= exchange->body_bytes;
    conn->exchange = NULL;
    mem_free(exchange);
}

/* The next piece of an answer that was given away whole. */
static void queue_answer(struct exchange *exchange)
{
    size_t left = exchange->answer.length - exchange->answer_queued;
    size_t bytes = left < ANSWER_PIECE_BYTES ? left : ANSWER_PIECE_BYTES;
    const char *data = (const char *)exchange->answer.data + exchange->answer_queued;
    add_to_queue(exchange, (struct str){ data, bytes });
    exchange->answer_queued += bytes;
}

static bool has_more(const struct exchange *exchange)
{
    return exchange->answer_queued < exchange->answer.length;
}

/* The head of an answer, up to its body. */
static void queue_head(struct exchange *exchange, int status, const char *content_type,
                       const struct net_header *headers, size_t headers_count, size_t body_bytes,
                       bool is_page)
{
    struct buf head = { 0 };
    begin_head(&head, status, content_type, is_page);
    for (size_t i = 0; i < headers_count; i++) {
        add_value(&head, headers[i].name);
        buf_append_text(&head, ": ");
        add_value(&head, headers[i].value);
        buf_append_text(&head, "\r\n");
    }
    if (!is_bodiless(status)) {
        buf_printf(&head, "Content-Length: %zu\r\n", body_bytes);
    }
    if (exchange->body_bytes > 0 && body_bytes > KEPT_ANSWER_BYTES_MAX) {
        exchange->keep_alive = false;
    }
    buf_printf(&head, "Connection: %s\r\n\r\n", exchange->keep_alive ? "keep-alive" : "close");
    outbox_append(&exchange->out, &exchange->conn->net->pool,
                  (struct str){ (const char *)head.data, head.length });
    buf_done(&head);
}

static void end_reply(struct exchange *exchange)
{
    exchange->state = EXCHANGE_ENDING;
    map_remove(&exchange->conn->net->exchanges, exchange->id);
    send_soon(exchange);
}

void exchange_reply(struct exchange *exchange, int status, const char *content_type,
                    const struct net_header *headers, size_t headers_count, struct str body,
                    bool is_page)
{
    queue_head(exchange, status, content_type, headers, headers_count, body.length, is_page);
    if (!is_bodiless(status) && strcmp(exchange->method, "HEAD") != 0) {
        add_to_queue(exchange, body);
    }
    end_reply(exchange);
}

void net_reply(struct net *net, uint64_t id, int status, const char *content_type,
               const struct net_header *headers, size_t headers_count, struct str body)
{
    struct exchange *exchange = map_get(&net->exchanges, id);
    if (exchange == NULL) {
        return;
    }
    CHECK(exchange->state == EXCHANGE_WAITING);
    exchange_reply(exchange, status, content_type, headers, headers_count, body, false);
}

void net_reply_take(struct net *net, uint64_t id, int status, const char *content_type,
                    struct buf *body)
{
    struct exchange *exchange = map_get(&net->exchanges, id);
    if (exchange == NULL) {
        buf_done(body);
        return;
    }
    CHECK(exchange->state == EXCHANGE_WAITING);
    queue_head(exchange, status, content_type, NULL, 0, body->length, false);
    if (!is_bodiless(status) && strcmp(exchange->method, "HEAD") != 0) {
        exchange->answer = *body;
        *body = (struct buf){ 0 };
        queue_answer(exchange);
    }
    buf_done(body);
    end_reply(exchange);
}

int http_refuse(struct conn *conn, int status, const char *code, const char *detail, bool has_body)
{
    conn->net->stats.refused++;
    struct buf body = { 0 };
    buf_printf(&body, "{\"title\":\"%s\",\"status\":%d,\"code\":\"%s\",\"detail\":\"%s\"}\n",
               title_of(status), status, code, detail);
    struct buf all = { 0 };
    buf_reserve(&all, LWS_PRE);
    all.length = LWS_PRE;
    begin_head(&all, status, "application/problem+json", false);
    buf_printf(&all, "Content-Length: %zu\r\nConnection: close\r\n\r\n", body.length);
    buf_append(&all, body.data, body.length);
    size_t bytes = all.length - LWS_PRE;
    int sent = lws_write(conn->wsi, all.data + LWS_PRE, bytes, LWS_WRITE_HTTP);
    buf_done(&body);
    buf_done(&all);
    if (sent < (int)bytes || !has_body) {
        return -1;
    }
    /* Closing with a body unread would reset the connection and take the answer with it. */
    conn->lingering = true;
    deadline_start(&conn->deadline, &conn->net->linger_deadlines);
    return 0;
}

/* The answer has gone out whole. */
static int finish(struct conn *conn)
{
    struct exchange *exchange = conn->exchange;
    bool keep_alive = exchange->keep_alive;
    if (keep_alive && exchange->pass == nest_passes(conn->net->nest)) {
        /* What was read behind the request has not been shown to us yet: it is at the next pass, before
           anything else. */
        conn_write_soon(conn);
        return 0;
    }
    exchange_free(exchange);
    if (!keep_alive || lws_http_transaction_completed(conn->wsi)) {
        return -1;
    }
    deadline_start(&conn->deadline, &conn->net->request_deadlines);
    /* It reads the next request once it has heard that the socket takes bytes. */
    conn_write_soon(conn);
    return 0;
}

int http_writable(struct conn *conn)
{
    struct exchange *exchange = conn->exchange;
    if (exchange == NULL || exchange->state < EXCHANGE_STREAMING) {
        return 0;
    }
    struct net *net = conn->net;
    uint8_t *piece;
    size_t bytes;
    if (outbox_next(&exchange->out, &piece, &bytes)) {
        if (lws_write(conn->wsi, piece, bytes, LWS_WRITE_HTTP) < (int)bytes) {
            return -1;
        }
        net->stats.bytes_out += bytes;
        outbox_advance(&exchange->out, &net->pool);
        deadline_start(&conn->deadline, &net->request_deadlines);
    }
    if (outbox_queued(&exchange->out) == 0 && has_more(exchange)) {
        queue_answer(exchange);
    }
    if (outbox_queued(&exchange->out) > 0 || lws_partial_buffered(conn->wsi)) {
        conn_write_soon(conn);
        return 0;
    }
    if (exchange->state == EXCHANGE_ENDING) {
        return finish(conn);
    }
    deadline_stop(&conn->deadline);
    net->handlers.stream_drained(net->handlers.context, exchange->id);
    return 0;
}

void net_stream_begin(struct net *net, uint64_t id, int status, const char *content_type)
{
    struct exchange *exchange = map_get(&net->exchanges, id);
    if (exchange == NULL) {
        return;
    }
    CHECK(exchange->state == EXCHANGE_WAITING);
    exchange->keep_alive = exchange->keep_alive && exchange->body_bytes == 0;
    struct buf head = { 0 };
    begin_head(&head, status, content_type, false);
    if (exchange->is_http_1_1) {
        buf_append_text(&head, "Transfer-Encoding: chunked\r\n");
    }
    buf_printf(&head, "Connection: %s\r\n\r\n", exchange->keep_alive ? "keep-alive" : "close");
    add_to_queue(exchange, (struct str){ (const char *)head.data, head.length });
    buf_done(&head);
    exchange->state = EXCHANGE_STREAMING;
    if (strcmp(exchange->method, "HEAD") == 0) {
        exchange->state = EXCHANGE_ENDING;
        map_remove(&net->exchanges, id);
    }
    send_soon(exchange);
}

bool net_stream_write(struct net *net, uint64_t id, struct str bytes)
{
    struct exchange *exchange = map_get(&net->exchanges, id);
    if (exchange == NULL) {
        return false;
    }
    CHECK(exchange->state == EXCHANGE_STREAMING);
    if (bytes.length == 0) {
        return true; /* an empty chunk would end the stream */
    }
    size_t queued = outbox_queued(&exchange->out);
    size_t limit = net->config.stream_queue_bytes_max;
    if (queued > limit || bytes.length > limit - queued) {
        struct conn *conn = exchange->conn;
        net->stats.refused++;
        exchange_free(exchange);
        conn_kill(conn);
        return false;
    }
    if (exchange->is_http_1_1) {
        char size[20];
        int length = snprintf(size, sizeof size, "%zx\r\n", bytes.length);
        add_to_queue(exchange, (struct str){ size, (size_t)length });
    }
    add_to_queue(exchange, bytes);
    if (exchange->is_http_1_1) {
        add_to_queue(exchange, STR("\r\n"));
    }
    send_soon(exchange);
    return true;
}

size_t net_stream_queued(const struct net *net, uint64_t id)
{
    const struct exchange *exchange = map_get(&net->exchanges, id);
    return exchange == NULL ? 0 : outbox_queued(&exchange->out);
}

void net_stream_end(struct net *net, uint64_t id)
{
    struct exchange *exchange = map_get(&net->exchanges, id);
    if (exchange == NULL) {
        return;
    }
    CHECK(exchange->state == EXCHANGE_STREAMING);
    if (exchange->is_http_1_1) {
        add_to_queue(exchange, STR("0\r\n\r\n"));
    }
    exchange->state = EXCHANGE_ENDING;
    map_remove(&net->exchanges, id);
    send_soon(exchange);
}
