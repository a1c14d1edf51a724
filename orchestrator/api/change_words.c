#include "orchestrator/api/change_words.h"

#include "orchestrator/api/edit_lookup.h"
#include "orchestrator/spec/spec_nearest.h"
#include "orchestrator/store/query_task.h"

enum {
    NEAREST_KEYS_MAX = 20000, /* looked at */
    NEAREST_PAGE = 500,
    NEAREST_UIDS_MAX = 500, /* the newest: the distance of two long ones takes some microseconds */
    UID_TAIL = 5,           /* "-7k2m" */
};

struct looking {
    struct store *store;
    struct arena *arena;
    int64_t constellation_id;
    struct spec_nearest nearest;
    struct buf few; /* the first keys */
    size_t count;   /* that were looked at */
};

static enum err look_for(struct looking *looking, struct reason *reason)
{
    struct str *keys = arena_array(looking->arena, NEAREST_PAGE, sizeof(*keys));
    int64_t *ids = arena_array(looking->arena, NEAREST_PAGE, sizeof(*ids));
    int64_t after = 0;
    size_t got = NEAREST_PAGE;
    while (got == NEAREST_PAGE && looking->count < NEAREST_KEYS_MAX) {
        enum err err = edit_lookup_keys(looking->store, looking->constellation_id, after,
                                        looking->arena, keys, ids, NEAREST_PAGE, &got, reason);
        if (err != ERR_NONE) {
            return err;
        }
        for (size_t i = 0; i < got; i++) {
            spec_nearest_offer(&looking->nearest, keys[i]);
            if (looking->count++ < CHANGE_NAMED_MAX) {
                buf_printf(&looking->few, "%s%.*s", looking->count == 1 ? "" : ", ",
                           STR_ARG(keys[i]));
            }
        }
        after = got > 0 ? ids[got - 1] : after;
    }
    return ERR_NONE;
}

enum err change_say_nearest(struct api *api, int64_t constellation_id, struct str key,
                            struct buf *words, struct reason *reason)
{
    struct looking looking = { .store = api->config.store,
                               .arena = &api->arena,
                               .constellation_id = constellation_id };
    char hint[SPEC_HINT_BYTES_MAX];
    spec_nearest_init(&looking.nearest, key);
    enum err err = look_for(&looking, reason);
    if (err == ERR_NONE) {
        buf_append_text(words, spec_nearest_hint(&looking.nearest, hint));
    }
    buf_done(&looking.few);
    return err;
}

enum err change_no_task(struct store *store, struct arena *arena,
                        const struct query_constellation *constellation, struct str key,
                        struct reason *reason)
{
    struct looking looking = { .store = store,
                               .arena = arena,
                               .constellation_id = constellation->record.id };
    char hint[SPEC_HINT_BYTES_MAX];
    spec_nearest_init(&looking.nearest, key);
    enum err err = look_for(&looking, reason);
    if (err != ERR_NONE) {
        buf_done(&looking.few);
        return err;
    }
    struct str uid = constellation->uid;
    spec_nearest_hint(&looking.nearest, hint);
    if (hint[0] != '\0') {
        err = reason_set(reason, ERR_NOT_FOUND, "%.*s has no task \"%.*s\"%s", STR_ARG(uid),
                         STR_ARG(key), hint);
    } else {
        err = reason_set(reason, ERR_NOT_FOUND, "%.*s has no task \"%.*s\"; it has %s%s",
                         STR_ARG(uid), STR_ARG(key), buf_text(&looking.few),
                         looking.count > CHANGE_NAMED_MAX ? ", …: asterism show lists them" : "");
    }
    buf_done(&looking.few);
    return err;
}

/* By the whole id, or, if that is nothing like it, by what stands before its four characters. */
static struct str nearest_uid(struct str wanted, const struct str *uids, size_t count)
{
    struct spec_nearest whole;
    struct spec_nearest name;
    spec_nearest_init(&whole, wanted);
    spec_nearest_init(&name, wanted);
    for (size_t i = 0; i < count; i++) {
        spec_nearest_offer(&whole, uids[i]);
        if (uids[i].length > UID_TAIL) {
            spec_nearest_offer(&name, (struct str){ uids[i].data, uids[i].length - UID_TAIL });
        }
    }
    if (whole.best.length > 0 || name.best.length == 0) {
        return whole.best;
    }
    return (struct str){ name.best.data, name.best.length + UID_TAIL };
}

void change_no_constellation(struct api *api, uint64_t request, struct str id,
                             const struct reason *reason)
{
    struct str *uids = arena_array(&api->arena, NEAREST_UIDS_MAX, sizeof(*uids));
    size_t count = 0;
    struct reason detail;
    struct str nearest = { NULL, 0 };
    if (query_newest_uids(api->config.store, NEAREST_UIDS_MAX, &api->arena, uids, &count,
                          &detail) == ERR_NONE) {
        nearest = nearest_uid(id, uids, count);
    }
    if (nearest.length == 0) {
        reply_failed(api, request, ERR_NOT_FOUND, reason);
        return;
    }
    reason_set(&detail, ERR_NOT_FOUND, "%s: did you mean \"%.*s\"?", reason->text,
               STR_ARG(nearest));
    struct problem_item item = { .code = "candidate", .detail = nearest };
    reply_problem_items(api, request, PROBLEM_NOT_FOUND, str_of(detail.text), &item, 1);
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
