#include "orchestrator/api/attention.h"

#include <stdlib.h>

#include "orchestrator/api/api_inner.h"
#include "orchestrator/api/view.h"
#include "orchestrator/engine/attention.h"
#include "orchestrator/store/query_attention.h"
#include "orchestrator/store/query_hold.h"

enum { UNKNOWN_LIST_MAX = 100, EXPIRING_MS = 10 * 60 * 1000, ENDED_MS = 24 * 60 * 60 * 1000 };

const char *attention_name(enum attention_reason reason)
{
    static const char *const names[ATTENTION_REASONS] = {
        [ATTENTION_BLOCKED] = "blocked",           [ATTENTION_CLONED_IDENTITY] = "cloned_identity",
        [ATTENTION_UNKNOWN] = "unknown",           [ATTENTION_APPROVAL] = "approval",
        [ATTENTION_FAILURE_HELD] = "failure_held", [ATTENTION_HOLD_EXPIRING] = "hold_expiring",
        [ATTENTION_EDIT_STUCK] = "edit_stuck",     [ATTENTION_CONDITION_ERROR] = "condition_error",
        [ATTENTION_NO_DEVICE] = "no_device",       [ATTENTION_CERTIFICATE] = "certificate",
    };
    return names[reason];
}

/* False: enough has been looked at. */
static bool look(struct attention *attention)
{
    attention->more = attention->more || attention->looked >= ATTENTION_SCAN_MAX;
    attention->looked++;
    return !attention->more;
}

/* The item of this cause, begun if there is none yet; NULL: there are too many. */
static struct attention_item *item_of(struct api *api, struct attention *attention,
                                      enum attention_reason reason, struct str cause)
{
    struct buf key = { NULL, 0, 0 };
    buf_printf(&key, "%d %.*s", (int)reason, STR_ARG(cause));
    struct str name = { (const char *)key.data, key.length };
    struct attention_item *item = strmap_get(&attention->by_cause, name);
    if (item == NULL && attention->count < ATTENTION_ITEMS_MAX) {
        item = &attention->list[attention->count++];
        *item = (struct attention_item){ .reason = reason, .cause = arena_str(&api->arena, cause) };
        strmap_put(&attention->by_cause, arena_str(&api->arena, name), item);
    }
    attention->more = attention->more || item == NULL;
    buf_done(&key);
    return item;
}

static void add(struct api *api, struct attention *attention, enum attention_reason reason,
                struct str cause, uint64_t count, const struct attention_ref *ref,
                int64_t since_wall_ms, int64_t until_wall_ms)
{
    attention->counts[reason] += count;
    struct attention_item *item = item_of(api, attention, reason, cause);
    if (item == NULL) {
        return;
    }
    item->count += count;
    if (item->since_wall_ms == 0 || (since_wall_ms != 0 && since_wall_ms < item->since_wall_ms)) {
        item->since_wall_ms = since_wall_ms;
    }
    if (item->until_wall_ms == 0 || (until_wall_ms != 0 && until_wall_ms < item->until_wall_ms)) {
        item->until_wall_ms = until_wall_ms;
    }
    if (item->refs_count < ATTENTION_REFS_MAX) {
        item->refs[item->refs_count++] = *ref;
    }
}

static void gather_unknown(struct api *api, struct attention *attention, int64_t constellation_id)
{
    struct engine_counts counts;
    if (!engine_constellation_counts(api->config.engine, constellation_id, &counts) ||
        counts.unknown == 0) {
        return;
    }
    int64_t ids[UNKNOWN_LIST_MAX];
    size_t found = engine_list_tasks(api->config.engine, constellation_id,
                                     UINT32_C(1) << TASK_UNKNOWN, ids, UNKNOWN_LIST_MAX);
    for (size_t i = 0; i < found; i++) {
        struct attention_ref ref = { constellation_id, ids[i], 0, 0 };
        /* What could not be listed counts with the last one. */
        uint64_t count = i + 1 == found ? counts.unknown - i : 1;
        add(api, attention, ATTENTION_UNKNOWN, STR(""), count, &ref,
            engine_unknown_since_wall_ms(api->config.engine, constellation_id, ids[i]), 0);
    }
}

static void add_hold(struct api *api, struct attention *attention,
                     enum attention_reason attention_reason, const struct hold_view *hold,
                     const char *otherwise, uint64_t count)
{
    const struct hold_record *record = hold->record;
    struct query_hold words;
    view_hold_words(api, record, &words);
    struct attention_ref ref = { record->constellation_id, record->root_task_id, 0, record->id };
    struct str cause = words.reason.length > 0 ? words.reason : str_of(otherwise);
    add(api, attention, attention_reason, cause, count, &ref, record->created_wall_ms,
        record->deadline_wall_ms);
}

static void gather_holds(struct api *api, struct attention *attention, int64_t constellation_id)
{
    struct engine *engine = api->config.engine;
    struct hold_view hold = { .record = NULL };
    int64_t now_ms = api_now(api).wall_ms;
    bool edits_stand = engine_bulks_stand_ms(engine, api_now(api)) >= ATTENTION_EDIT_MS;
    while (engine_next_hold(engine, constellation_id, &hold) && look(attention)) {
        const struct hold_record *record = hold.record;
        if (record->origin == HOLD_APPROVAL) {
            /* Nobody needs to think of it before its turn has come. */
            if (engine_task_is_ready(engine, constellation_id, record->root_task_id)) {
                add_hold(api, attention, ATTENTION_APPROVAL, &hold, "", 1);
            }
        } else if (record->origin == HOLD_FAILURE) {
            struct attention_ref ref = { constellation_id, record->root_task_id, 0, record->id };
            add(api, attention, ATTENTION_FAILURE_HELD, STR(""), 1, &ref, record->created_wall_ms,
                record->deadline_wall_ms);
        } else if (record->origin == HOLD_BULK) {
            if (edits_stand) {
                add_hold(api, attention, ATTENTION_EDIT_STUCK, &hold, "", 1);
            }
        } else if (record->on_expiry == HOLD_EXPIRY_FAIL && record->deadline_wall_ms != 0 &&
                   record->deadline_wall_ms - now_ms <= EXPIRING_MS) {
            add_hold(api, attention, ATTENTION_HOLD_EXPIRING, &hold, "", 1);
        }
    }
}

static void append_list(struct buf *words, const char *before, const struct str *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        buf_printf(words, "%s%.*s", i == 0 ? before : ", ", STR_ARG(list[i]));
    }
}

/* "a device with gpu, tool ffmpeg" */
static void append_needs(const struct plan_class *plan, struct buf *words)
{
    if (plan->device.length > 0) {
        buf_printf(words, "device %.*s", STR_ARG(plan->device));
    } else if (plan->selector.length > 0) {
        buf_printf(words, "device with %.*s", STR_ARG(plan->selector));
    } else {
        buf_printf(words, "device with executor %s", executor_name(plan->executor));
    }
    append_list(words, ", tool ", plan->tools, plan->tools_count);
    for (size_t i = 0; i < plan->resources_count; i++) {
        buf_printf(words, ", %.*s %.10g", STR_ARG(plan->resources[i].name),
                   (double)plan->resources[i].amount_milli / 1000.0);
    }
}

static void gather_ready(struct api *api, struct attention *attention, int64_t constellation_id)
{
    struct moment now = api_now(api);
    struct ready_view ready = { .constellation_id = constellation_id };
    while (engine_next_ready(api->config.engine, &ready) && look(attention)) {
        int64_t waited_ms = now.boot_ms - ready.since_boot_ms;
        if (ready.wait == WAIT_NOTHING || waited_ms < ATTENTION_WAIT_MS) {
            continue;
        }
        struct buf words = { NULL, 0, 0 };
        append_needs(&ready.class->plan, &words);
        buf_append_text(&words, ready.wait == WAIT_NO_DEVICE ? " is known"
                                : ready.wait == WAIT_DRAINED ? " is not drained"
                                                             : " is connected");
        struct attention_ref ref = { constellation_id, ready.task_id, 0, 0 };
        add(api, attention, ATTENTION_NO_DEVICE,
            (struct str){ (const char *)words.data, words.length }, ready.count, &ref,
            now.wall_ms - waited_ms, 0);
        buf_done(&words);
    }
}

static void gather_devices(struct api *api, struct attention *attention)
{
    struct moment now = api_now(api);
    struct device_view device;
    size_t at = 0;
    while (engine_each_device(api->config.engine, &at, now, &device)) {
        int64_t wall_ms =
            engine_device_contested_wall_ms(api->config.engine, device.record->id, now);
        if (wall_ms != 0) {
            struct attention_ref ref = { 0, 0, device.record->id, 0 };
            add(api, attention, ATTENTION_CLONED_IDENTITY, device.record->name, 1, &ref, wall_ms,
                0);
        }
    }
}

static void gather_certificate(struct api *api, struct attention *attention)
{
    static const int64_t day_ms = INT64_C(24) * 60 * 60 * 1000;
    struct api_metrics metrics = { .turns_total = 0 };
    api->config.host.metrics(api->config.host.context, &metrics);
    int64_t left_ms = metrics.certificate_wall_ms - api_now(api).wall_ms;
    if (metrics.certificate_wall_ms == 0 || left_ms >= API_CERTIFICATE_WARN_MS) {
        return;
    }
    struct buf words = { NULL, 0, 0 };
    if (left_ms < day_ms) {
        buf_append_text(&words, left_ms <= 0 ? "has expired" : "expires today");
    } else {
        int64_t days = left_ms / day_ms;
        buf_printf(&words, "expires in %lld day%s", (long long)days, days == 1 ? "" : "s");
    }
    struct attention_ref none = { 0, 0, 0, 0 };
    add(api, attention, ATTENTION_CERTIFICATE,
        (struct str){ (const char *)words.data, words.length }, 1, &none, 0,
        metrics.certificate_wall_ms);
    buf_done(&words);
}

/* Somebody may still do something about it: what has ended since the error has ended otherwise than it
   was meant to, and nobody may have looked meanwhile. */
static bool is_of_use(const struct query_edge_error *error, int64_t now_ms)
{
    return error->state == CONSTELLATION_RUNNING ||
           ((error->state == CONSTELLATION_SUCCEEDED || error->state == CONSTELLATION_FAILED) &&
            now_ms - error->finished_wall_ms < ENDED_MS);
}

static enum err gather_conditions(struct api *api, struct attention *attention,
                                  struct reason *reason)
{
    struct query_edge_error list[QUERY_EDGE_ERRORS_MAX];
    size_t count = 0;
    enum err err = query_edge_errors(api->config.store, &api->arena, list, QUERY_EDGE_ERRORS_MAX,
                                     &count, reason);
    for (size_t i = 0; i < count && err == ERR_NONE; i++) {
        if (is_of_use(&list[i], api_now(api).wall_ms)) {
            struct attention_ref ref = { list[i].constellation_id, list[i].task_id, 0, 0 };
            add(api, attention, ATTENTION_CONDITION_ERROR, list[i].reason, 1, &ref,
                list[i].finished_wall_ms, 0);
        }
    }
    return err;
}

static int compare(const void *a, const void *b)
{
    const struct attention_item *x = a;
    const struct attention_item *y = b;
    if (x->reason != y->reason) {
        return x->reason < y->reason ? -1 : 1;
    }
    if (x->count != y->count) {
        return x->count > y->count ? -1 : 1;
    }
    return 0;
}

enum err attention_gather(struct api *api, struct attention *ret_attention, struct reason *reason)
{
    struct attention attention = { .count = 0 };
    attention.list = arena_array(&api->arena, ATTENTION_ITEMS_MAX, sizeof(*attention.list));
    if (engine_is_blocked(api->config.engine)) {
        struct attention_ref none = { 0, 0, 0, 0 };
        add(api, &attention, ATTENTION_BLOCKED, STR(""), 1, &none, 0, 0);
    }
    gather_devices(api, &attention);
    gather_certificate(api, &attention);
    int64_t id = 0;
    while (engine_next_constellation(api->config.engine, &id) && look(&attention)) {
        gather_unknown(api, &attention, id);
        gather_holds(api, &attention, id);
        gather_ready(api, &attention, id);
    }
    enum err err = gather_conditions(api, &attention, reason);
    strmap_done(&attention.by_cause);
    qsort(attention.list, attention.count, sizeof(*attention.list), compare);
    *ret_attention = attention;
    return err;
}
