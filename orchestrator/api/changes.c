/* /changes: the last state per task, for screens. Each stream keeps the ids of what has changed since it
   was last written to, at most four times a second, and reads their state when it writes. A reader
   that does not keep up costs a set of ids; if even that grows too large it gets a fresh snapshot. */
#include <stdlib.h>

#include "common/base/mem.h"
#include "orchestrator/api/api_inner.h"
#include "orchestrator/api/handlers.h"
#include "orchestrator/api/poll.h"
#include "orchestrator/api/view.h"
#include "orchestrator/store/query_event.h"

enum {
    CHANGES_INTERVAL_MS = 250,
    DIRTY_TASKS_MAX = 20000,    /* of one constellation: above, a snapshot is cheaper */
    DIRTY_TASKS_ALL_MAX = 1000, /* without one: a busy daemon has more than a screen can show */
    DIRTY_CONSTELLATIONS_MAX = 1000,
    DIRTY_DEVICES_MAX = 1000,
    SNAPSHOT_SLICE = 250,
    CHANGE_BYTES = 48 * 1024, /* a change event is ended above this; more go into the next */
};

struct changes_stream {
    struct api_stream stream;
    int64_t constellation_id; /* 0: all */
    bool wants_snapshot;      /* or is in the middle of one */
    int64_t snapshot_task_id; /* written so far */
    bool is_too_slow; /* too much has changed while it read its snapshot: it may come again */
    int64_t next_ms;  /* boot time before which nothing is written */
    struct map tasks; /* ids; the values are the constellation's id */
    struct map constellations;
    struct map devices;
    bool is_poll;     /* one answer, whatever its size */
    uint64_t omitted; /* tasks that found no room in the set */
};

static void forget(struct changes_stream *changes)
{
    map_done(&changes->tasks);
    map_done(&changes->constellations);
    map_done(&changes->devices);
    changes->omitted = 0;
}

static void changes_free(struct api_stream *stream)
{
    forget((struct changes_stream *)stream);
    mem_free(stream);
}

static bool is_clean(const struct changes_stream *changes)
{
    return changes->tasks.count == 0 && changes->constellations.count == 0 &&
           changes->devices.count == 0 && changes->omitted == 0;
}

/* --- Writing. --- */

static enum err write_task(struct api *api, struct json_out *out, struct str uid, int64_t task_id,
                           struct reason *reason)
{
    struct query_task task;
    enum err err = query_task(api->config.store, task_id, &api->arena, &task, reason);
    if (err != ERR_NONE) {
        return err;
    }
    bool has_exit_code = task.has_attempt && task.attempt.record.outcome == OUTCOME_EXITED;
    json_out_object(out, NULL);
    json_out_str_or_null(out, "constellation", uid);
    json_out_str(out, "key", task.key);
    json_out_text(out, "state", view_task_state(api, task.constellation_id, &task.record));
    json_out_str_or_null(out, "device", task.attempt.device);
    json_out_uint(out, "attempt", task.attempt.record.number);
    if (has_exit_code) {
        json_out_int(out, "exit_code", task.attempt.record.exit_code);
    } else {
        json_out_null(out, "exit_code");
    }
    json_out_object_end(out);
    return ERR_NONE;
}

static bool send_text(struct api *api, struct changes_stream *changes, struct buf *text)
{
    bool written =
        stream_write(api, &changes->stream, (struct str){ (const char *)text->data, text->length });
    buf_done(text);
    return written;
}

/* The next piece of the snapshot; the event is written in as many as it takes. */
static enum err snapshot_piece(struct api *api, struct changes_stream *changes,
                               struct reason *reason)
{
    struct query_constellation constellation = { .first_seq = 0 };
    struct buf text = { NULL, 0, 0 };
    struct json_out out = { .buf = &text };
    enum err err = ERR_NONE;
    if (changes->constellation_id != 0) {
        err = query_constellation(api->config.store, changes->constellation_id, &api->arena,
                                  &constellation, reason);
    }
    if (err != ERR_NONE) {
        return err;
    }
    if (!changes->stream.is_mid_event) {
        buf_append_text(&text, "event: snapshot\ndata: ");
        json_out_object(&out, NULL);
        json_out_int(&out, "seq", api->seq);
        if (changes->constellation_id != 0) {
            view_constellation(api, &out, "constellation", &constellation);
            json_out_object_end(&out);
        } else {
            json_out_null(&out, "constellation");
        }
        json_out_array(&out, "tasks");
        changes->snapshot_task_id = 0;
    } else {
        out.comma = true; /* there was a task before: a piece without one is the last */
    }
    struct query_task_state slice[SNAPSHOT_SLICE];
    size_t count = 0;
    if (changes->constellation_id != 0) {
        err = query_task_scan(api->config.store, &constellation, changes->snapshot_task_id, slice,
                              SNAPSHOT_SLICE, &count, reason);
    }
    for (size_t i = 0; i < count && err == ERR_NONE; i++) {
        err = write_task(api, &out, constellation.uid, slice[i].id, reason);
        changes->snapshot_task_id = slice[i].id;
    }
    changes->wants_snapshot = count == SNAPSHOT_SLICE;
    changes->stream.is_mid_event = changes->wants_snapshot;
    if (!changes->wants_snapshot) {
        json_out_array_end(&out);
        json_out_object_end(&out);
        buf_append_text(&text, "\n\n");
    }
    if (err == ERR_NONE) {
        send_text(api, changes, &text);
    }
    buf_done(&text);
    return err;
}

static int compare_slots(const void *a, const void *b)
{
    uint64_t x = ((const struct map_slot *)a)->key;
    uint64_t y = ((const struct map_slot *)b)->key;
    return (x > y) - (x < y);
}

/* Empties the set into a sorted array. */
static struct map_slot *take(struct api *api, struct map *map, size_t *ret_count)
{
    struct map_slot *list = NULL;
    size_t count = 0;
    size_t at = 0;
    if (map->count > 0) {
        list = arena_array(&api->arena, map->count, sizeof(*list));
        while (count < map->count && map_each(map, &at, &list[count].key, &list[count].value)) {
            count++;
        }
        qsort(list, count, sizeof(*list), compare_slots);
    }
    map_done(map);
    *ret_count = count;
    return list;
}

static void write_constellations(struct api *api, struct changes_stream *changes,
                                 struct json_out *out)
{
    size_t count = 0;
    struct map_slot *list = take(api, &changes->constellations, &count);
    json_out_array(out, "constellations");
    for (size_t i = 0; i < count; i++) {
        struct query_constellation constellation;
        struct reason reason;
        if (!changes->is_poll && out->buf->length > CHANGE_BYTES) {
            map_put(&changes->constellations, list[i].key, list[i].value);
            continue;
        }
        /* One that has been deleted, or is not all in yet, is not shown. */
        if (query_constellation(api->config.store, (int64_t)list[i].key, &api->arena,
                                &constellation, &reason) == ERR_NONE) {
            view_constellation(api, out, NULL, &constellation);
            json_out_object_end(out);
        }
    }
    json_out_array_end(out);
}

static void write_devices(struct api *api, struct changes_stream *changes, struct json_out *out)
{
    size_t count = 0;
    struct map_slot *list = take(api, &changes->devices, &count);
    struct moment now = api_now(api);
    json_out_array(out, "devices");
    for (size_t i = 0; i < count; i++) {
        struct device_view device;
        if (!changes->is_poll && out->buf->length > CHANGE_BYTES) {
            map_put(&changes->devices, list[i].key, list[i].value);
        } else if (engine_find_device_id(api->config.engine, (int64_t)list[i].key, now, &device)) {
            view_device(api, out, NULL, &device);
            json_out_object_end(out);
        }
    }
    json_out_array_end(out);
}

static void write_tasks(struct api *api, struct changes_stream *changes, struct json_out *out)
{
    size_t count = 0;
    struct map_slot *list = take(api, &changes->tasks, &count);
    struct reason reason;
    struct str uid = { NULL, 0 };
    void *uid_of = NULL; /* the constellation that `uid` is of: neighbours mostly share it */
    json_out_array(out, "tasks");
    for (size_t i = 0; i < count; i++) {
        if (!changes->is_poll && out->buf->length > CHANGE_BYTES) {
            map_put(&changes->tasks, list[i].key, list[i].value);
            continue;
        }
        if (list[i].value != uid_of) {
            uid = (struct str){ NULL, 0 };
            uid_of = list[i].value;
            query_constellation_uid(api->config.store, (int64_t)(intptr_t)uid_of, &api->arena, &uid,
                                    &reason);
        }
        write_task(api, out, uid, (int64_t)list[i].key, &reason); /* a deleted one: nothing */
    }
    json_out_array_end(out);
}

static void write_marked(struct api *api, struct changes_stream *changes, struct json_out *out)
{
    json_out_int(out, "seq", api->seq);
    write_constellations(api, changes, out);
    write_devices(api, changes, out);
    write_tasks(api, changes, out);
}

static void write_change(struct api *api, struct changes_stream *changes)
{
    struct buf data = { NULL, 0, 0 };
    struct buf text = { NULL, 0, 0 };
    struct json_out out = { .buf = &data };
    json_out_object(&out, NULL);
    write_marked(api, changes, &out);
    if (changes->omitted > 0) {
        json_out_uint(&out, "tasks_omitted", changes->omitted);
        changes->omitted = 0;
    }
    json_out_object_end(&out);
    stream_event(&text, (struct str){ NULL, 0 }, "change",
                 (struct str){ (const char *)data.data, data.length });
    buf_done(&data);
    send_text(api, changes, &text);
}

/* The end of the stream, when its constellation is final and all of it has been written. */
static void end_if_final(struct api *api, struct changes_stream *changes)
{
    struct query_constellation constellation;
    struct reason reason;
    if (changes->constellation_id == 0 || changes->wants_snapshot || !is_clean(changes)) {
        return;
    }
    enum err err = query_constellation(api->config.store, changes->constellation_id, &api->arena,
                                       &constellation, &reason);
    if (err == ERR_NONE && !constellation_state_is_final(constellation.record.state)) {
        return;
    }
    struct buf data = { NULL, 0, 0 };
    struct buf text = { NULL, 0, 0 };
    struct json_out out = { .buf = &data };
    json_out_object(&out, NULL);
    json_out_int(&out, "seq", api->seq);
    if (err == ERR_NONE) {
        view_constellation(api, &out, "constellation", &constellation);
        json_out_object_end(&out);
    } else {
        json_out_null(&out, "constellation"); /* deleted */
    }
    json_out_object_end(&out);
    stream_event(&text, (struct str){ NULL, 0 }, "end",
                 (struct str){ (const char *)data.data, data.length });
    buf_done(&data);
    if (send_text(api, changes, &text)) {
        stream_end(api, &changes->stream);
    }
}

static void changes_pump(struct api *api, struct api_stream *stream)
{
    struct changes_stream *changes = (struct changes_stream *)stream;
    int64_t now_ms = api_now(api).boot_ms;
    if (!stream_has_room(api, stream)) {
        return; /* called again when it has been read */
    }
    if (changes->wants_snapshot) {
        struct reason reason;
        if (snapshot_piece(api, changes, &reason) != ERR_NONE) {
            stream_end(api, stream);
            return;
        }
        if (changes->wants_snapshot) {
            stream_due(api, stream, now_ms);
            return;
        }
        changes->next_ms = now_ms + CHANGES_INTERVAL_MS;
    }
    if (!is_clean(changes)) {
        if (now_ms < changes->next_ms) {
            stream_due(api, stream, changes->next_ms);
            return;
        }
        write_change(api, changes);
        if (!is_clean(changes)) { /* what did not fit into one event follows at once */
            stream_due(api, stream, now_ms);
            return;
        }
        changes->next_ms = now_ms + CHANGES_INTERVAL_MS;
    }
    end_if_final(api, changes);
}

static const struct stream_kind changes_kind = {
    .index = STREAM_CHANGES,
    .has_heartbeat = true,
    .pump = changes_pump,
    .free = changes_free,
};

/* --- Noticing. --- */

static void *id_value(int64_t id)
{
    return (void *)(intptr_t)id;
}

static void mark_constellation(struct changes_stream *changes, int64_t id)
{
    if (id != 0 && (changes->constellation_id == 0 || changes->constellation_id == id) &&
        changes->constellations.count < DIRTY_CONSTELLATIONS_MAX) {
        map_put(&changes->constellations, (uint64_t)id, id_value(id));
    }
}

static void mark_task(struct changes_stream *changes, int64_t constellation_id, int64_t task_id)
{
    mark_constellation(changes, constellation_id);
    if (constellation_id == 0 || task_id == 0) {
        return;
    }
    if (changes->constellation_id == 0) {
        if (changes->tasks.count < DIRTY_TASKS_ALL_MAX ||
            map_get(&changes->tasks, (uint64_t)task_id) != NULL) {
            map_put(&changes->tasks, (uint64_t)task_id, id_value(constellation_id));
        } else {
            changes->omitted++;
        }
        return;
    }
    if (changes->constellation_id != constellation_id) {
        return;
    }
    if (changes->tasks.count >= DIRTY_TASKS_MAX) {
        forget(changes);
        changes->is_too_slow = changes->stream.is_mid_event;
        changes->wants_snapshot = true;
        return;
    }
    /* What a snapshot has not reached yet it will show as it is by then. */
    if (!changes->wants_snapshot ||
        (changes->stream.is_mid_event && task_id <= changes->snapshot_task_id)) {
        map_put(&changes->tasks, (uint64_t)task_id, id_value(constellation_id));
    }
}

static void mark_device(struct changes_stream *changes, int64_t id)
{
    if (id != 0 && changes->devices.count < DIRTY_DEVICES_MAX) {
        map_put(&changes->devices, (uint64_t)id, id_value(id));
    }
}

static void mark_effect(struct changes_stream *changes, const struct effect *effect)
{
    if (effect->kind == EFFECT_ADD_TASK || effect->kind == EFFECT_SAVE_TASK) {
        mark_task(changes, effect->task.constellation_id, effect->task.record->id);
    } else if (effect->kind == EFFECT_ADD_ATTEMPT || effect->kind == EFFECT_SAVE_ATTEMPT) {
        mark_task(changes, effect->attempt->constellation_id, effect->attempt->task_id);
        mark_device(changes, effect->attempt->device_id);
    } else if (effect->kind == EFFECT_ADD_CONSTELLATION ||
               effect->kind == EFFECT_SAVE_CONSTELLATION) {
        mark_constellation(changes, effect->constellation.record->id);
    } else if (effect->kind == EFFECT_SAVE_DEVICE) {
        mark_device(changes, effect->device->id);
    } else if (effect->kind == EFFECT_HISTORY &&
               (effect->history.kind == HISTORY_DEVICE_CONNECTED ||
                effect->history.kind == HISTORY_DEVICE_DISCONNECTED)) {
        mark_device(changes, effect->history.device_id);
    } else if (effect->kind == EFFECT_HISTORY &&
               (effect->history.kind == HISTORY_CONSTELLATION_DELETED ||
                effect->history.kind == HISTORY_HOLD_PLACED ||
                effect->history.kind == HISTORY_HOLD_RELEASED)) {
        mark_constellation(changes, effect->history.constellation_id);
    }
}

/* An edit of its constellation has removed tasks: what is there is told anew. */
static bool has_removed(const struct changes_stream *changes, const struct effects *effects)
{
    bool removed = false;
    bool edited = false;
    for (size_t i = 0; i < effects->count && changes->constellation_id != 0; i++) {
        const struct effect *effect = &effects->list[i];
        removed = removed || effect->kind == EFFECT_REMOVE_TASK;
        edited = edited || (effect->kind == EFFECT_HISTORY &&
                            effect->history.kind == HISTORY_CONSTELLATION_EDITED &&
                            effect->history.constellation_id == changes->constellation_id);
    }
    return removed && edited;
}

void changes_write_since(struct api *api, const struct query_events *events,
                         int64_t constellation_id, struct json_out *out)
{
    struct changes_stream marked = { .constellation_id = constellation_id, .is_poll = true };
    for (size_t i = 0; i < events->count; i++) {
        const struct history *history = &events->list[i];
        mark_task(&marked, history->constellation_id, history->task_id);
        mark_device(&marked, history->device_id);
    }
    write_marked(api, &marked, out);
}

void changes_committed(struct api *api, const struct effects *effects)
{
    struct streams *streams = &api->streams;
    if (streams->open[STREAM_CHANGES] == 0) {
        return;
    }
    for (size_t i = 0; i < streams->count; i++) {
        struct api_stream *stream = streams->list[i];
        if (stream->kind != &changes_kind || stream->is_gone) {
            continue;
        }
        struct changes_stream *changes = (struct changes_stream *)stream;
        for (size_t k = 0; k < effects->count; k++) {
            mark_effect(changes, &effects->list[k]);
        }
        if (has_removed(changes, effects)) {
            forget(changes);
            changes->is_too_slow = changes->stream.is_mid_event;
            changes->wants_snapshot = true;
        }
        if (changes->is_too_slow) {
            stream_end(api, stream);
            continue;
        }
        if ((!is_clean(changes) || changes->wants_snapshot) && stream->due_ms == INT64_MAX) {
            stream_due(api, stream, changes->next_ms);
        }
    }
}

void changes_follow(struct api *api, const struct api_call *call)
{
    struct query_constellation constellation = { .first_seq = 0 };
    struct str id;
    if (args_get(&call->args, "constellation", &id) &&
        !api_find_constellation(api, call, id, &constellation)) {
        return;
    }
    int64_t at = 0;
    int64_t wait_ms = 0;
    if (!poll_wanted(api, call, &wait_ms)) {
        return;
    }
    if (wait_ms > 0) {
        if (events_find_start(api, call, constellation.first_seq, &at)) {
            poll_changes(api, call, constellation.record.id, at, wait_ms);
        }
        return;
    }
    if (!stream_may_begin(api, call->request->id)) {
        return;
    }
    struct changes_stream *changes = mem_alloc(sizeof(*changes));
    changes->constellation_id = constellation.record.id;
    changes->wants_snapshot = true;
    stream_begin_take(api, &changes->stream, &changes_kind, call->request, STREAM_SSE);
    stream_pump(api, &changes->stream);
}
