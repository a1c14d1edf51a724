#include "tests/e2e/ask.h"

#include <curl/curl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/mem.h"

enum { LIMIT_MS = 30000 };

struct taking {
    struct buf body;
    const char *until;
};

static size_t take(char *data, size_t size, size_t count, void *context)
{
    struct taking *taking = context;
    buf_append(&taking->body, data, size * count);
    buf_append(&taking->body, "", 1);
    taking->body.length--;
    bool enough = taking->until != NULL && strstr((char *)taking->body.data, taking->until) != NULL;
    return enough ? 0 : size * count;
}

static struct curl_slist *headers_of(const struct fleet *fleet, const struct ask *question)
{
    struct curl_slist *headers = curl_slist_append(NULL, "Expect:");
    for (size_t i = 0; i < ASK_HEADERS_MAX && question->headers[i] != NULL; i++) {
        headers = curl_slist_append(headers, question->headers[i]);
    }
    if (fleet->token_file != NULL && !question->without_token) {
        char *token = file_text(fleet->token_file);
        token[strcspn(token, "\n")] = 0;
        char *line = mem_format("Authorization: Bearer %s", token);
        headers = curl_slist_append(headers, line);
        mem_free(line);
        free(token);
    }
    return headers;
}

struct answer ask(struct fleet *fleet, const struct ask *question)
{
    CURL *easy = curl_easy_init();
    assert_non_null(easy);
    struct taking taking = { .until = question->until };
    struct curl_slist *headers = headers_of(fleet, question);
    char *url = mem_format("%s%s", fleet_url(fleet), question->path);
    const char *method = question->method == NULL ? "GET" : question->method;
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, &taking);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS,
                     (long)(question->limit_ms == 0 ? LIMIT_MS : question->limit_ms));
    if (fleet->ca_file != NULL) {
        curl_easy_setopt(easy, CURLOPT_CAINFO, fleet->ca_file);
    }
    if (question->body != NULL) {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, question->body);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)strlen(question->body));
    }
    struct answer answer = { 0 };
    curl_easy_perform(easy);
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &answer.status);
    curl_easy_cleanup(easy);
    curl_slist_free_all(headers);
    mem_free(url);
    buf_append(&taking.body, "", 1);
    answer.length = taking.body.length - 1;
    answer.body = (char *)taking.body.data;
    answer.json = json_loadb(answer.body, answer.length, JSON_REJECT_DUPLICATES, NULL);
    return answer;
}

void answer_done(struct answer *answer)
{
    mem_free(answer->body);
    json_decref(answer->json);
    *answer = (struct answer){ 0 };
}

json_t *ask_json(struct fleet *fleet, const char *path)
{
    struct answer answer = ask(fleet, &(struct ask){ .path = path });
    json_t *json = answer.status == 200 ? json_incref(answer.json) : NULL;
    answer_done(&answer);
    return json;
}

long ask_status(struct fleet *fleet, const char *method, const char *path, const char *body)
{
    struct answer answer =
        ask(fleet, &(struct ask){ .method = method, .path = path, .body = body });
    long status = answer.status;
    answer_done(&answer);
    return status;
}

const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text == NULL ? "" : text;
}

int64_t number_of(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

enum { RING = 8, RING_BYTES = 256 };

static char *ring(void)
{
    static char texts[RING][RING_BYTES];
    static unsigned next;
    return texts[next++ % RING];
}

const char *state_of(struct fleet *fleet, const char *id, const char *key)
{
    char *path = key == NULL ? mem_format("/api/v1/constellations/%s", id)
                             : mem_format("/api/v1/constellations/%s/tasks/%s", id, key);
    json_t *json = ask_json(fleet, path);
    char *state = ring();
    snprintf(state, RING_BYTES, "%s", text_of(json, "state"));
    json_decref(json);
    mem_free(path);
    return state;
}

const char *submitted(struct fleet *fleet, const char *spec_path)
{
    struct said said = cli(fleet, "submit", spec_path, NULL);
    if (said.code != 0) {
        fail_msg("submit: exit %d, %s", said.code, said.err);
    }
    char *id = ring();
    snprintf(id, RING_BYTES, "%.*s", (int)strcspn(said.out, "\n"), said.out);
    said_done(&said);
    return id;
}
