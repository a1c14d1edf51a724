#include "orchestrator/api/change_words.h"

#include "orchestrator/api/edit_lookup.h"
#include "orchestrator/spec/spec_nearest.h"
#include "orchestrator/store/query_task.h"

enum {
    NEAREST_KEYS_MAX = 20000, /* looked at */
    NEAREST_PAGE = 500,
};

enum err change_say_nearest(struct api *api, int64_t constellation_id, struct str key,
                            struct buf *words, struct reason *reason)
{
    struct str *keys = arena_array(&api->arena, NEAREST_PAGE, sizeof(*keys));
    int64_t *ids = arena_array(&api->arena, NEAREST_PAGE, sizeof(*ids));
    int64_t after = 0;
    size_t got = NEAREST_PAGE;
    struct spec_nearest nearest;
    char hint[SPEC_HINT_BYTES_MAX];
    spec_nearest_init(&nearest, key);
    for (int looked = 0; got == NEAREST_PAGE && looked < NEAREST_KEYS_MAX; looked += NEAREST_PAGE) {
        enum err err = edit_lookup_keys(api->config.store, constellation_id, after, &api->arena,
                                        keys, ids, NEAREST_PAGE, &got, reason);
        if (err != ERR_NONE) {
            return err;
        }
        for (size_t i = 0; i < got; i++) {
            spec_nearest_offer(&nearest, keys[i]);
        }
        after = got > 0 ? ids[got - 1] : after;
    }
    buf_append_text(words, spec_nearest_hint(&nearest, hint));
    return ERR_NONE;
}

void change_say_tasks(struct api *api, int64_t constellation_id, enum task_state state,
                      struct buf *words)
{
    int64_t ids[CHANGE_NAMED_MAX + 1];
    size_t count = engine_list_tasks(api->config.engine, constellation_id, UINT32_C(1) << state,
                                     ids, CHANGE_NAMED_MAX + 1);
    for (size_t i = 0; i < count && i < CHANGE_NAMED_MAX; i++) {
        struct str key = STR("?");
        struct reason reason;
        query_task_key(api->config.store, ids[i], &api->arena, &key, &reason);
        buf_printf(words, "%s%.*s", i == 0 ? "" : ", ", STR_ARG(key));
    }
    if (count > CHANGE_NAMED_MAX) {
        buf_append_text(words, ", …");
    }
}

void change_say_counts(struct api *api, int64_t constellation_id, struct buf *words)
{
    struct engine_counts counts = { 0 };
    engine_constellation_counts(api->config.engine, constellation_id, &counts);
    const struct {
        uint32_t count;
        const char *state;
    } states[] = {
        { counts.waiting, "waiting" },     { counts.ready, "ready" },
        { counts.assigned, "assigned" },   { counts.running, "running" },
        { counts.backoff, "backoff" },     { counts.unknown, "unknown" },
        { counts.succeeded, "succeeded" }, { counts.failed, "failed" },
        { counts.cancelled, "cancelled" }, { counts.skipped, "skipped" },
    };
    bool is_first = true;
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        if (states[i].count > 0) {
            buf_printf(words, "%s%u %s", is_first ? "" : ", ", (unsigned)states[i].count,
                       states[i].state);
            is_first = false;
        }
    }
}
