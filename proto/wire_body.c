/* A task's body alone, both ways: it is stored as bytes and travels inside Assign as bytes, so that
   only who makes one and who runs one need to look inside. */
#include "proto/aip.pb-c.h"
#include "proto/wire.h"
#include "proto/wire_check.h"
#include "proto/wire_memory.h"

static void env_write(struct wire_scratch *scratch, const struct msg_body *body, Aip__TaskBody *to)
{
    Aip__Pair *pairs = wire_scratch_array(scratch, body->env_count, sizeof *pairs);
    to->n_env = body->env_count;
    to->env = wire_scratch_pointers(scratch, body->env_count);
    for (size_t i = 0; i < body->env_count; i++) {
        aip__pair__init(&pairs[i]);
        pairs[i].key = wire_bytes(body->env[i].key);
        pairs[i].value = wire_bytes(body->env[i].value);
        to->env[i] = &pairs[i];
    }
}

enum err wire_encode_body(const struct msg_body *body, struct buf *bytes, struct reason *reason)
{
    enum err err = wire_check_body(body, reason);
    if (err != ERR_NONE) {
        return err == ERR_BAD_FRAME ? ERR_INVALID : err;
    }
    struct wire_scratch scratch;
    wire_scratch_init(&scratch);
    Aip__TaskBody to;
    aip__task_body__init(&to);
    to.executor = (Aip__Executor)body->executor;
    to.n_argv = body->argv_count;
    to.argv = wire_scratch_strs(&scratch, body->argv, body->argv_count);
    to.shell = wire_bytes(body->shell);
    to.sleep_ms = body->sleep_ms;
    env_write(&scratch, body, &to);
    if (body->has_cwd) {
        to.cwd_present_case = AIP__TASK_BODY__CWD_PRESENT_CWD;
        to.cwd = wire_bytes(body->cwd);
    }
    if (body->has_stdin) {
        to.stdin_present_case = AIP__TASK_BODY__STDIN_PRESENT_STDIN_DATA;
        to.stdin_data = wire_bytes(body->stdin_data);
    }
    to.run_timeout_ms = body->run_timeout_ms;
    to.kill_grace_ms = body->kill_grace_ms;
    to.output_bytes_max = body->output_bytes_max;
    to.output_json = body->output_json;
    to.on_disconnect = (Aip__OnDisconnect)body->on_disconnect;
    to.silence_timeout_ms = body->silence_timeout_ms;
    to.once = body->once;
    size_t size = aip__task_body__get_packed_size(&to);
    if (size > MSG_BODY_BYTES_MAX) {
        err = reason_set(reason, ERR_LIMIT, "TaskBody has %zu bytes, at most %d are allowed", size,
                         MSG_BODY_BYTES_MAX);
    } else {
        bytes->length += aip__task_body__pack(&to, buf_reserve(bytes, size));
    }
    wire_scratch_done(&scratch);
    return err;
}

static const struct msg_pair *env_read(struct wire_decoder *decoder, const Aip__TaskBody *from)
{
    struct msg_pair *pairs = wire_decoder_array(decoder, from->n_env, sizeof *pairs);
    for (size_t i = 0; pairs != NULL && i < from->n_env; i++) {
        pairs[i].key = wire_str(from->env[i]->key);
        pairs[i].value = wire_str(from->env[i]->value);
    }
    return pairs;
}

enum err wire_decode_body(struct str bytes, struct arena *arena, struct msg_body *ret_body,
                          struct reason *reason)
{
    if (bytes.length > MSG_BODY_BYTES_MAX) {
        return reason_set(reason, ERR_LIMIT, "TaskBody has %zu bytes, at most %d are allowed",
                          bytes.length, MSG_BODY_BYTES_MAX);
    }
    struct wire_decoder decoder;
    wire_decoder_init(&decoder, arena);
    enum err err = ERR_NONE;
    const Aip__TaskBody *from = (const Aip__TaskBody *)wire_decoder_unpack(
        &decoder, &aip__task_body__descriptor, "TaskBody", bytes, &err, reason);
    if (from == NULL) {
        return err;
    }
    struct msg_body body = {
        .executor = (enum executor)from->executor,
        .argv = wire_decoder_strs(&decoder, from->argv, from->n_argv),
        .argv_count = from->n_argv,
        .shell = wire_str(from->shell),
        .sleep_ms = from->sleep_ms,
        .env = env_read(&decoder, from),
        .env_count = from->n_env,
        .has_cwd = from->cwd_present_case == AIP__TASK_BODY__CWD_PRESENT_CWD,
        .has_stdin = from->stdin_present_case == AIP__TASK_BODY__STDIN_PRESENT_STDIN_DATA,
        .run_timeout_ms = from->run_timeout_ms,
        .kill_grace_ms = from->kill_grace_ms,
        .output_bytes_max = from->output_bytes_max,
        .output_json = from->output_json != 0,
        .on_disconnect = (enum on_disconnect)from->on_disconnect,
        .silence_timeout_ms = from->silence_timeout_ms,
        .once = from->once != 0,
    };
    if (body.has_cwd) {
        body.cwd = wire_str(from->cwd);
    }
    if (body.has_stdin) {
        body.stdin_data = wire_str(from->stdin_data);
    }
    err = wire_decoder_result(&decoder, "TaskBody", reason);
    if (err == ERR_NONE) {
        err = wire_check_body(&body, reason);
    }
    if (err == ERR_NONE) {
        *ret_body = body;
    }
    return err;
}
