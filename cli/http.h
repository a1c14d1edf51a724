/* Exchanges with the daemon: any number at one time, over one poll loop that signals wake too. */
#ifndef CLI_HTTP_H
#define CLI_HTTP_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/str.h"

enum {
    HTTP_URL_BYTES_MAX = 2048,
    HTTP_ANSWER_BYTES_MAX = 256 * 1024 * 1024,
    HTTP_TIMEOUT_MS = 120 * 1000, /* for a whole answer that is not streamed */
};

struct http;
struct http_transfer; /* libcurl's side of an exchange */

/* One request and its answer. The caller fills in the first half, zero for the rest, and calls
   http_exchange_done() in the end. */
struct http_exchange {
    const char *method; /* "GET" */
    const char *path;   /* "/api/v1/…" with its query; borrowed while it lasts */
    struct str body;    /* borrowed while it lasts */
    const char *content_type;
    const char *idempotency_key;
    const char *last_event_id;
    int64_t range_from; /* > 0: Range: bytes=N- */
    bool streamed;      /* no limit of time; the bytes of a 2xx go to `data` as they come */
    void (*data)(void *context, struct str bytes);
    void *context;

    bool is_over;
    bool reached;    /* a connection stood: what was sent may have been done */
    int status;      /* 0: no answer came */
    char words[256]; /* why not */
    struct buf answer;
    struct http_transfer *transfer;
};

/* What a URL names: "http://host:port", "https://host", "unix:/path"; "host:port" is http. */
struct http_target {
    char base[HTTP_URL_BYTES_MAX]; /* without a '/' at its end */
    char unix_path[108];           /* "": TCP */
    bool is_tls;
    bool is_loopback;
};
enum err http_target_of(const char *url, struct http_target *ret_target, struct reason *reason);

/* token_file and ca_file may be NULL. A token is never sent in the clear to another machine. */
enum err http_new(const char *url, const char *token_file, const char *ca_file,
                  struct http **ret_http, struct reason *reason);
void http_free(struct http *http);
const char *http_url(const struct http *http);

/* From here on SIGINT, SIGTERM and a change of the window's size are told by the two below in place
   of what they do by themselves. */
void http_watch_signals(struct http *http);
bool http_interrupted(const struct http *http);
bool http_resized(struct http *http); /* since the last call */

void http_begin(struct http *http, struct http_exchange *exchange);
/* Moves every exchange on, for at most this long; returns early when anything happened. */
void http_poll(struct http *http, int timeout_ms);
/* begin, and poll until it is over or a signal came. */
void http_perform(struct http *http, struct http_exchange *exchange);
void http_exchange_done(struct http *http, struct http_exchange *exchange);

/* Says on stderr why the exchange did not go well, in the daemon's words; returns the exit code. */
int http_refused(const struct http *http, const struct http_exchange *exchange);
int http_exit_of(int status);

/* GET of a JSON object, whole. CLI_OK, or the exit code after the words on stderr. */
int http_get(struct http *http, const char *path, json_t **ret_json);

/* Appended percent-encoded. */
void http_escape(struct buf *to, const char *text);
/* An object's text, or "" if it is null, absent or no text; never NULL. */
const char *json_text(const json_t *object, const char *key);
int64_t json_number(const json_t *object, const char *key); /* 0 if there is none */

#endif
