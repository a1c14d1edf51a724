#include "orchestrator/prepare.h"

#include "orchestrator/spec/resolve.h"
#include "proto/wire.h"

struct lookup {
    struct store *store;
    int64_t constellation_id;
    size_t work;  /* bytes that were read */
    enum err err; /* of the store: no fault of the task */
};

static enum err look_up(void *context, struct str key, struct arena *arena,
                        struct resolve_task *ret_task)
{
    struct lookup *lookup = context;
    struct store_outcome outcome;
    enum err err = store_task_outcome(lookup->store, lookup->constellation_id, key,
                                      RESOLVE_STREAM_BYTES_MAX + 1, arena, &outcome);
    if (err != ERR_NONE) {
        lookup->err = err == ERR_NOT_FOUND ? ERR_NONE : err;
        return err;
    }
    lookup->work += outcome.stdout_data.length + outcome.stderr_data.length + outcome.result.length;
    *ret_task = (struct resolve_task){
        .state = str_of(task_state_name(outcome.state)),
        .has_run = outcome.has_run,
        .has_exit_code = outcome.has_exit_code,
        .device = outcome.device,
        .exit_code = outcome.exit_code,
        .stdout_bytes = outcome.stdout_bytes,
        .stderr_bytes = outcome.stderr_bytes,
        .stdout_data = outcome.stdout_data,
        .stderr_data = outcome.stderr_data,
        .result = outcome.result,
    };
    return ERR_NONE;
}

enum err prepare_task(struct store *store, int64_t constellation_id, int64_t task_id,
                      struct arena *arena, size_t *work, uint32_t *ret_body_bytes,
                      struct reason *reason)
{
    struct str name;
    struct str bytes;
    enum err err = store_task_body(store, task_id, arena, &name, &bytes);
    if (err != ERR_NONE) {
        return reason_set(reason, ERR_IO, "the task's body cannot be read");
    }
    struct msg_body body;
    err = wire_decode_body(bytes, arena, &body, reason);
    if (err != ERR_NONE) {
        return ERR_INVALID;
    }
    struct lookup lookup = { store, constellation_id, bytes.length, ERR_NONE };
    struct resolve_source source = { &lookup, look_up };
    struct msg_body resolved;
    err = resolve_body(&body, &source, arena, &resolved, reason);
    *work += lookup.work;
    if (lookup.err != ERR_NONE) {
        return reason_set(reason, ERR_IO, "what a task has put out cannot be read");
    }
    if (err != ERR_NONE) {
        return ERR_INVALID;
    }
    struct buf encoded = { 0 };
    err = wire_encode_body(&resolved, &encoded, reason);
    if (err == ERR_NONE) {
        struct str inputs = { (const char *)encoded.data, encoded.length };
        err = store_put_inputs(store, task_id, inputs, reason);
        err = err == ERR_INVALID ? ERR_IO : err;
        *ret_body_bytes = (uint32_t)encoded.length;
        *work += encoded.length;
    } else {
        err = ERR_INVALID;
    }
    buf_done(&encoded);
    return err;
}
