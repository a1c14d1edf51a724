/* Requests over libcurl, answers read with jansson. */
#include "tests/bench/http.h"

#include <curl/curl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "tests/bench/bench.h"

static const double WAIT_MAX_S = 300;
static const double PAUSE_MAX_S = 0.5;

struct http {
    CURL *curl;
    char url[128];
    struct curl_slist *headers;
    struct buf answer;
    char error[CURL_ERROR_SIZE];
};

static size_t take(char *data, size_t size, size_t count, void *context)
{
    buf_append(context, data, size * count);
    return size * count;
}

struct http *http_new(const char *url)
{
    struct http *http = mem_alloc(sizeof *http);
    snprintf(http->url, sizeof http->url, "%s", url);
    http->curl = curl_easy_init();
    /* The daemon does not answer Expect: libcurl would wait a second for it. */
    http->headers = curl_slist_append(NULL, "Expect:");
    http->headers = curl_slist_append(http->headers, "Content-Type: application/json");
    if (http->curl == NULL || http->headers == NULL) {
        bench_die("libcurl cannot be used");
    }
    curl_easy_setopt(http->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(http->curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(http->curl, CURLOPT_TIMEOUT, 120L);
    curl_easy_setopt(http->curl, CURLOPT_UPLOAD_BUFFERSIZE, 512L * 1024);
    curl_easy_setopt(http->curl, CURLOPT_HTTPHEADER, http->headers);
    curl_easy_setopt(http->curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(http->curl, CURLOPT_WRITEDATA, &http->answer);
    curl_easy_setopt(http->curl, CURLOPT_ERRORBUFFER, http->error);
    return http;
}

void http_free(struct http *http)
{
    if (http != NULL) {
        curl_easy_cleanup(http->curl);
        curl_slist_free_all(http->headers);
        buf_done(&http->answer);
        mem_free(http);
    }
}

static void request(struct http *http, const char *path, const struct buf *body, long status)
{
    char url[512];
    snprintf(url, sizeof url, "%s%s", http->url, path);
    buf_clear(&http->answer);
    curl_easy_setopt(http->curl, CURLOPT_URL, url);
    if (body == NULL) {
        curl_easy_setopt(http->curl, CURLOPT_HTTPGET, 1L);
    } else {
        curl_easy_setopt(http->curl, CURLOPT_POST, 1L);
        curl_easy_setopt(http->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body->length);
        curl_easy_setopt(http->curl, CURLOPT_POSTFIELDS, (const char *)body->data);
    }
    if (curl_easy_perform(http->curl) != CURLE_OK) {
        bench_die("%s: %s", path, http->error);
    }
    long code = 0;
    curl_easy_getinfo(http->curl, CURLINFO_RESPONSE_CODE, &code);
    if (code != status) {
        bench_die("%s: status %ld: %.300s", path, code, buf_text(&http->answer));
    }
}

static json_t *request_json(struct http *http, const char *path, const struct buf *body,
                            long status)
{
    request(http, path, body, status);
    json_error_t error;
    json_t *json = json_loadb((const char *)http->answer.data, http->answer.length, 0, &error);
    if (json == NULL) {
        bench_die("%s: not JSON: %s", path, error.text);
    }
    return json;
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text == NULL ? "" : text;
}

double http_submit(struct http *http, const struct buf *spec, char ret_uid[UID_BYTES])
{
    http_connected(http); /* opens the connection, which is not what is measured */
    double began = now_s();
    request(http, "/api/v1/constellations", spec, 201);
    double took = now_s() - began;
    json_t *json = json_loadb((const char *)http->answer.data, http->answer.length, 0, NULL);
    snprintf(ret_uid, UID_BYTES, "%s", text_of(json, "id"));
    json_decref(json);
    return took;
}

double http_post(struct http *http, const char *path, const struct buf *body, long status)
{
    double began = now_s();
    request(http, path, body, status);
    return now_s() - began;
}

static json_t *constellation(struct http *http, const char *uid)
{
    char path[256];
    snprintf(path, sizeof path, "/api/v1/constellations/%s", uid);
    return request_json(http, path, NULL, 200);
}

static int64_t succeeded_of(const json_t *json)
{
    return json_integer_value(json_object_get(json_object_get(json, "counts"), "succeeded"));
}

int64_t http_succeeded(struct http *http, const char *uid)
{
    json_t *json = constellation(http, uid);
    int64_t count = succeeded_of(json);
    json_decref(json);
    return count;
}

/* Of `tasks`, as many as `done` have ended in so many seconds. */
static double pause_s(size_t tasks, int64_t done, double elapsed_s, double every_s)
{
    double left = (double)tasks - (double)done;
    double half_s = done > 0 && left > 0 ? elapsed_s * left / (double)done / 2 : 0;
    return half_s > PAUSE_MAX_S ? PAUSE_MAX_S : half_s > every_s ? half_s : every_s;
}

double http_wait_succeeded(struct http *http, const char *uid, size_t tasks, double every_s)
{
    double began = now_s();
    double limit = began + WAIT_MAX_S;
    for (;;) {
        json_t *json = constellation(http, uid);
        double at = now_s();
        const char *state = text_of(json, "state");
        bool running = strcmp(state, "running") == 0;
        if (!running && strcmp(state, "succeeded") != 0) {
            bench_die("%s has %s", uid, state);
        }
        int64_t done = succeeded_of(json);
        json_decref(json);
        if (!running) {
            return at;
        }
        if (at > limit) {
            bench_die("%s has not ended in %.0f s", uid, WAIT_MAX_S);
        }
        sleep_s(pause_s(tasks, done, at - began, every_s));
    }
}

void http_metrics(struct http *http, const char *const *names, double *ret_values)
{
    request(http, "/metrics", NULL, 200);
    const char *text = buf_text(&http->answer);
    for (size_t i = 0; names[i] != NULL; i++) {
        size_t length = strlen(names[i]);
        const char *line = text;
        while (line != NULL && (strncmp(line, names[i], length) != 0 || line[length] != ' ')) {
            line = strchr(line, '\n');
            line = line != NULL ? line + 1 : NULL;
        }
        if (line == NULL) {
            bench_die("/metrics has no %s", names[i]);
        }
        ret_values[i] = strtod(line + length, NULL);
    }
}

size_t http_connected(struct http *http)
{
    json_t *json = request_json(http, "/api/v1/devices", NULL, 200);
    size_t connected = 0;
    size_t i = 0;
    json_t *device = NULL;
    json_array_foreach(json_object_get(json, "devices"), i, device)
    {
        connected += strcmp(text_of(device, "status"), "connected") == 0;
    }
    json_decref(json);
    return connected;
}
