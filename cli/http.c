#include "cli/http.h"
#include "cli/http_words.h"

#include <curl/curl.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/output.h"
#include "common/base/check.h"
#include "common/base/mem.h"
#include "common/sys/file.h"

struct http {
    CURLM *multi;
    struct http_target target;
    char *ca_file;
    char *authorization; /* the whole header; NULL: no token */
    int signals;         /* a signalfd, or -1 */
    bool interrupted;
    bool resized;
};

struct http_transfer {
    CURL *easy;
    struct curl_slist *headers;
    struct http_exchange *exchange;
    bool too_large;
    char error[CURL_ERROR_SIZE];
};

enum err http_new(const char *url, const char *token_file, const char *ca_file,
                  struct http **ret_http, struct reason *reason)
{
    struct http_target target;
    enum err err = http_target_of(url, &target, reason);
    if (err != ERR_NONE) {
        return err;
    }
    char token[FILE_SECRET_BYTES_MAX] = "";
    if (token_file != NULL) {
        bool exposed = false;
        err = file_read_secret(token_file, token, &exposed, reason);
        if (err != ERR_NONE) {
            return err;
        }
        if (exposed) {
            cli_note("others can read %s; chmod 600 it", token_file);
        }
        if (!target.is_tls && !target.is_loopback) {
            return reason_set(reason, ERR_DENIED,
                              "a token is not sent in the clear to another machine: use https://");
        }
    }
    if (ca_file != NULL && access(ca_file, R_OK) != 0) {
        return reason_set(reason, ERR_INVALID, "cannot read the certificates in %s: %s", ca_file,
                          strerror(errno));
    }
    curl_global_init(CURL_GLOBAL_DEFAULT);
    struct http *http = mem_alloc(sizeof *http);
    http->multi = curl_multi_init();
    CHECK(http->multi != NULL);
    http->target = target;
    http->signals = -1;
    http->ca_file = ca_file == NULL ? NULL : mem_copy_text(ca_file);
    http->authorization = *token == 0 ? NULL : mem_format("Authorization: Bearer %s", token);
    explicit_bzero(token, sizeof token);
    *ret_http = http;
    return ERR_NONE;
}

void http_free(struct http *http)
{
    if (http == NULL) {
        return;
    }
    curl_multi_cleanup(http->multi);
    if (http->signals >= 0) {
        close(http->signals);
    }
    if (http->authorization != NULL) {
        explicit_bzero(http->authorization, strlen(http->authorization));
    }
    mem_free(http->authorization);
    mem_free(http->ca_file);
    mem_free(http);
    curl_global_cleanup();
}

const char *http_url(const struct http *http)
{
    return *http->target.unix_path != 0 ? http->target.unix_path : http->target.base;
}

void http_watch_signals(struct http *http)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGWINCH);
    sigprocmask(SIG_BLOCK, &set, NULL);
    if (http->signals < 0) {
        http->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    }
}

bool http_interrupted(const struct http *http)
{
    return http->interrupted;
}

bool http_resized(struct http *http)
{
    bool resized = http->resized;
    http->resized = false;
    return resized;
}

static size_t take_bytes(char *data, size_t size, size_t count, void *context)
{
    struct http_transfer *transfer = context;
    struct http_exchange *exchange = transfer->exchange;
    size_t bytes = size * count;
    long status = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    exchange->status = (int)status;
    if (exchange->data != NULL && status / 100 == 2) {
        exchange->data(exchange->context, (struct str){ data, bytes });
        return bytes;
    }
    if (bytes > HTTP_ANSWER_BYTES_MAX - exchange->answer.length) {
        transfer->too_large = true;
        return 0;
    }
    buf_append(&exchange->answer, data, bytes);
    return bytes;
}

static void add_header(struct http_transfer *transfer, const char *name, const char *value)
{
    char *line = mem_format("%s: %s", name, value);
    transfer->headers = curl_slist_append(transfer->headers, line);
    CHECK(transfer->headers != NULL);
    mem_free(line);
}

static void set_headers(const struct http *http, struct http_transfer *transfer)
{
    const struct http_exchange *exchange = transfer->exchange;
    /* The daemon never answers "Expect: 100-continue", for which libcurl would wait a second. */
    transfer->headers = curl_slist_append(NULL, "Expect:");
    CHECK(transfer->headers != NULL);
    if (http->authorization != NULL) {
        transfer->headers = curl_slist_append(transfer->headers, http->authorization);
        CHECK(transfer->headers != NULL);
    }
    if (exchange->content_type != NULL) {
        add_header(transfer, "Content-Type", exchange->content_type);
    }
    if (exchange->idempotency_key != NULL) {
        add_header(transfer, "Idempotency-Key", exchange->idempotency_key);
    }
    if (exchange->last_event_id != NULL && *exchange->last_event_id != 0) {
        add_header(transfer, "Last-Event-ID", exchange->last_event_id);
    }
    if (exchange->range_from > 0) {
        char range[64];
        snprintf(range, sizeof range, "bytes=%lld-", (long long)exchange->range_from);
        add_header(transfer, "Range", range);
    }
    curl_easy_setopt(transfer->easy, CURLOPT_HTTPHEADER, transfer->headers);
}

static void set_method(struct http_transfer *transfer)
{
    const struct http_exchange *exchange = transfer->exchange;
    if (strcmp(exchange->method, "POST") == 0) {
        curl_easy_setopt(transfer->easy, CURLOPT_POST, 1L);
        curl_easy_setopt(transfer->easy, CURLOPT_POSTFIELDSIZE_LARGE,
                         (curl_off_t)exchange->body.length);
        curl_easy_setopt(transfer->easy, CURLOPT_POSTFIELDS,
                         exchange->body.length == 0 ? "" : exchange->body.data);
    } else if (strcmp(exchange->method, "GET") != 0) {
        curl_easy_setopt(transfer->easy, CURLOPT_CUSTOMREQUEST, exchange->method);
    }
}

void http_begin(struct http *http, struct http_exchange *exchange)
{
    exchange->is_over = false;
    exchange->reached = false;
    exchange->status = 0;
    exchange->words[0] = 0;
    buf_clear(&exchange->answer);
    struct http_transfer *transfer = mem_alloc(sizeof *transfer);
    transfer->exchange = exchange;
    transfer->easy = curl_easy_init();
    CHECK(transfer->easy != NULL);
    exchange->transfer = transfer;
    CURL *easy = transfer->easy;
    char *url = mem_format("%s%s", http->target.base, exchange->path);
    curl_easy_setopt(easy, CURLOPT_URL, url);
    mem_free(url);
    if (*http->target.unix_path != 0) {
        curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, http->target.unix_path);
    }
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    /* Not CURLOPT_NOSIGNAL: without it libcurl holds off the SIGPIPE of a dead TLS connection, and
       one of a closed pipe on stdout still ends us quietly. */
    curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, 15L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, 5L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, 5000L);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "asterism/" ASTERISM_VERSION);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->error);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_bytes);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
    if (!exchange->streamed) {
        curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)HTTP_TIMEOUT_MS);
    }
    if (http->ca_file != NULL) {
        curl_easy_setopt(easy, CURLOPT_CAINFO, http->ca_file);
    }
    set_method(transfer);
    set_headers(http, transfer);
    CURLMcode rc = curl_multi_add_handle(http->multi, easy);
    CHECK(rc == CURLM_OK);
}

static void release(struct http *http, struct http_exchange *exchange)
{
    struct http_transfer *transfer = exchange->transfer;
    if (transfer == NULL) {
        return;
    }
    curl_multi_remove_handle(http->multi, transfer->easy);
    curl_easy_cleanup(transfer->easy);
    curl_slist_free_all(transfer->headers);
    mem_free(transfer);
    exchange->transfer = NULL;
}

static void finish(struct http *http, CURL *easy, CURLcode code)
{
    char *private = NULL;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private);
    struct http_transfer *transfer = (struct http_transfer *)(void *)private;
    struct http_exchange *exchange = transfer->exchange;
    long status = 0;
    long bytes = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(easy, CURLINFO_REQUEST_SIZE, &bytes);
    exchange->status = code == CURLE_OK ? (int)status : 0;
    exchange->reached = bytes > 0;
    exchange->is_over = true;
    if (transfer->too_large) {
        snprintf(exchange->words, sizeof exchange->words, "the answer is larger than %d MiB",
                 HTTP_ANSWER_BYTES_MAX / 1024 / 1024);
    } else if (code != CURLE_OK) {
        snprintf(exchange->words, sizeof exchange->words, "%s",
                 *transfer->error != 0 ? transfer->error : curl_easy_strerror(code));
        http_failed_words(&http->target, easy, code, exchange->words);
    }
    release(http, exchange);
}

static void read_signals(struct http *http)
{
    struct signalfd_siginfo info;
    while (http->signals >= 0 && read(http->signals, &info, sizeof info) == sizeof info) {
        if (info.ssi_signo == SIGWINCH) {
            http->resized = true;
        } else {
            http->interrupted = true;
        }
    }
}

void http_poll(struct http *http, int timeout_ms)
{
    int running = 0;
    curl_multi_perform(http->multi, &running);
    /* libcurl holds SIGPIPE off while it calls us: what a callback could not write has not ended us. */
    output_end_if_unread();
    int left = 0;
    bool finished = false;
    for (CURLMsg *message = curl_multi_info_read(http->multi, &left); message != NULL;
         message = curl_multi_info_read(http->multi, &left)) {
        if (message->msg == CURLMSG_DONE) {
            finish(http, message->easy_handle, message->data.result);
            finished = true;
        }
    }
    if (!finished) {
        struct curl_waitfd extra = { .fd = http->signals, .events = CURL_WAIT_POLLIN };
        curl_multi_poll(http->multi, &extra, http->signals >= 0 ? 1 : 0, timeout_ms, NULL);
    }
    read_signals(http);
}

void http_perform(struct http *http, struct http_exchange *exchange)
{
    http_begin(http, exchange);
    while (!exchange->is_over && !http->interrupted) {
        http_poll(http, 1000);
    }
    if (!exchange->is_over) {
        snprintf(exchange->words, sizeof exchange->words, "interrupted");
        release(http, exchange);
        exchange->is_over = true;
        exchange->reached = true;
    }
}

void http_exchange_done(struct http *http, struct http_exchange *exchange)
{
    release(http, exchange);
    buf_done(&exchange->answer);
}
