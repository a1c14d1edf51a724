#include "cli/tasks.h"

#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/output.h"

enum { PAGE = 1000 };

int tasks_name_of(const char *text, struct tasks_name *ret_name)
{
    size_t id = strcspn(text, "/");
    const char *key = text[id] == '/' ? text + id + 1 : "";
    if (id == 0) {
        return cli_fail(CLI_USAGE, "\"%s\" names no constellation", text);
    }
    if (text[id] == '/' && (*key == 0 || strchr(key, '/') != NULL)) {
        return cli_fail(CLI_USAGE, "\"%s\" is not of the form ID/task", text);
    }
    if (id >= sizeof ret_name->id || strlen(key) >= sizeof ret_name->key) {
        return cli_fail(CLI_USAGE, "a name has at most %d bytes", TASKS_NAME_BYTES_MAX - 1);
    }
    memcpy(ret_name->id, text, id);
    ret_name->id[id] = 0;
    memcpy(ret_name->key, key, strlen(key) + 1);
    return CLI_OK;
}

void tasks_path(struct buf *to, const char *id, const char *rest)
{
    buf_append_text(to, "/api/v1/constellations/");
    http_escape(to, id);
    buf_append_text(to, rest);
}

void tasks_key_path(struct buf *to, const struct tasks_name *name, const char *rest)
{
    tasks_path(to, name->id, "/tasks/");
    http_escape(to, name->key);
    buf_append_text(to, rest);
}

int tasks_constellation(struct http *http, const char *id, json_t **ret_constellation)
{
    struct buf path = { 0 };
    tasks_path(&path, id, "");
    int code = http_get(http, buf_text(&path), ret_constellation);
    buf_done(&path);
    return code;
}

int tasks_full_id(struct http *http, const char *text, char ret_id[TASKS_NAME_BYTES_MAX])
{
    struct tasks_name name = { .id = "" };
    int code = tasks_name_of(text, &name);
    if (code == CLI_OK && *name.key != 0) {
        return cli_fail(CLI_USAGE, "\"%s\" names a task; a constellation is wanted", text);
    }
    json_t *constellation = NULL;
    code = code != CLI_OK ? code : tasks_constellation(http, name.id, &constellation);
    if (code == CLI_OK) {
        snprintf(ret_id, TASKS_NAME_BYTES_MAX, "%s", json_text(constellation, "id"));
    }
    json_decref(constellation);
    return code;
}

bool tasks_output_cut(const json_t *task)
{
    return json_is_true(json_object_get(task, "output_truncated"));
}

void tasks_cut_words(const json_t *task, struct buf *to)
{
    char size[OUTPUT_SPAN_BYTES];
    output_size(json_number(task, "stdout_bytes") + json_number(task, "stderr_bytes"), size);
    buf_printf(to, "%s of output kept, the rest was dropped", size);
}

static int get_page(struct http *http, const struct tasks_query *query, int64_t after, int64_t left,
                    json_t **ret_page)
{
    struct buf path = { 0 };
    tasks_path(&path, query->id, "/tasks?limit=");
    buf_printf(&path, "%lld", (long long)(left < PAGE ? left : PAGE));
    if (query->state != NULL) {
        buf_append_text(&path, "&state=");
        http_escape(&path, query->state);
    }
    if (after >= 0) {
        buf_printf(&path, "&after=%lld", (long long)after);
    }
    int code = http_get(http, buf_text(&path), ret_page);
    buf_done(&path);
    return code;
}

int tasks_get(struct http *http, const struct tasks_query *query, json_t **ret_answer)
{
    json_t *answer = NULL;
    int code = get_page(http, query, -1, query->limit, &answer);
    if (code != CLI_OK) {
        return code;
    }
    json_t *tasks = json_object_get(answer, "tasks");
    const json_t *next = json_object_get(answer, "next");
    while (json_is_integer(next) && (int64_t)json_array_size(tasks) < query->limit) {
        json_t *page = NULL;
        code = get_page(http, query, json_integer_value(next),
                        query->limit - (int64_t)json_array_size(tasks), &page);
        if (code != CLI_OK) {
            json_decref(answer);
            return code;
        }
        json_array_extend(tasks, json_object_get(page, "tasks"));
        json_object_set(answer, "next", json_object_get(page, "next"));
        next = json_object_get(answer, "next");
        json_decref(page);
    }
    *ret_answer = answer;
    return CLI_OK;
}
