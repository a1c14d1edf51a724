#include "cli/live.h"

#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/http.h"
#include "common/base/mem.h"

bool live_state_is_final(const char *state)
{
    return options_word_in("succeeded failed cancelled skipped", state);
}

int live_exit(const char *state)
{
    return strcmp(state, "succeeded") == 0   ? CLI_OK
           : strcmp(state, "cancelled") == 0 ? CLI_CANCELLED
                                             : CLI_FAILED;
}

const char *live_state(const struct live *live)
{
    return json_text(live->constellation, "state");
}

const char *live_id(const struct live *live)
{
    return json_text(live->constellation, "id");
}

bool live_is_final(const struct live *live)
{
    return live_state_is_final(live_state(live));
}

int64_t live_count(const struct live *live, const char *state)
{
    return json_number(json_object_get(live->constellation, "counts"), state);
}

const struct live_task *live_task(const struct live *live, const char *key)
{
    return strmap_get(&live->tasks, str_of(key));
}

static void take_task(struct live *live, const json_t *json, int64_t now_ms)
{
    const char *key = json_text(json, "key");
    const char *state = json_text(json, "state");
    if (*key == 0 || *state == 0) {
        return;
    }
    struct live_task *task = strmap_get(&live->tasks, str_of(key));
    bool is_new = task == NULL;
    if (is_new) {
        task = mem_alloc(sizeof *task);
        task->key = mem_copy_text(key);
        task->device = mem_copy_text("");
        strmap_put(&live->tasks, str_of(key), task);
    }
    const char *device = json_text(json, "device");
    int64_t attempt = json_number(json, "attempt");
    bool moved = is_new || strcmp(task->state, state) != 0 || attempt != task->attempt ||
                 strcmp(task->device, device) != 0;
    if (strcmp(task->state, state) != 0 || attempt != task->attempt) {
        task->since_ms = now_ms;
    }
    snprintf(task->state, sizeof task->state, "%s", state);
    if (strcmp(task->device, device) != 0) {
        mem_free(task->device);
        task->device = mem_copy_text(device);
    }
    task->attempt = attempt;
    task->has_exit_code = json_is_integer(json_object_get(json, "exit_code"));
    task->exit_code = json_number(json, "exit_code");
    if (moved && live->changed != NULL) {
        live->changed(live->context, task);
    }
}

static void take_constellation(struct live *live, json_t *json, int64_t now_ms)
{
    if (!json_is_object(json)) {
        return;
    }
    /* A stream of one constellation tells of no other; that of another id would be a mistake. */
    if (live->constellation != NULL && strcmp(json_text(json, "id"), live_id(live)) != 0) {
        return;
    }
    bool moved = strcmp(live_state(live), json_text(json, "state")) != 0;
    json_incref(json);
    json_decref(live->constellation);
    live->constellation = json;
    live->told_ms = now_ms;
    if (moved && live->constellation_changed != NULL) {
        live->constellation_changed(live->context, live_state(live));
    }
}

void live_event(struct live *live, const char *name, struct str data, int64_t now_ms)
{
    if (strcmp(name, "end") == 0) {
        live->ended = true;
        return;
    }
    json_t *json = json_loadb(data.data, data.length, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(json)) {
        json_decref(json);
        return;
    }
    live->turn++;
    if (!live->has_snapshot) {
        const json_t *first = json_object_get(json, "constellation");
        live->was_over = live_state_is_final(json_text(first, "state"));
    }
    size_t at = 0;
    json_t *item = NULL;
    /* Tasks first: what is said when the constellation ends is said last. */
    json_array_foreach(json_object_get(json, "tasks"), at, item)
    {
        take_task(live, item, now_ms);
    }
    take_constellation(live, json_object_get(json, "constellation"), now_ms);
    json_array_foreach(json_object_get(json, "constellations"), at, item)
    {
        take_constellation(live, item, now_ms);
    }
    if (strcmp(name, "snapshot") == 0) {
        live->has_snapshot = true;
    }
    json_decref(json);
}

void live_done(struct live *live)
{
    size_t at = 0;
    struct str key;
    void *value = NULL;
    while (strmap_each(&live->tasks, &at, &key, &value)) {
        struct live_task *task = value;
        mem_free(task->key);
        mem_free(task->device);
        mem_free(task);
    }
    strmap_done(&live->tasks);
    json_decref(live->constellation);
    *live = (struct live){ 0 };
}
