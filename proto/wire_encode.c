/* Messages to bytes. The fields are lent to protobuf-c's structs on the stack or in the scratch; only
   the frame is written to. */
#include "common/base/check.h"
#include "proto/aip.pb-c.h"
#include "proto/wire.h"
#include "proto/wire_check.h"
#include "proto/wire_memory.h"

static size_t varint_write(uint8_t *to, uint64_t value)
{
    size_t length = 0;
    while (value >= 0x80) {
        to[length++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    to[length++] = (uint8_t)value;
    return length;
}

/* The envelope itself is two numbers before the message: its field, then the message's length. Written
   by hand, because protobuf-c would size and move every message once more for it. */
static enum err envelope_write(enum msg_kind kind, const ProtobufCMessage *message,
                               struct buf *frame, struct reason *reason)
{
    enum { VARINT_BYTES_MAX = 10, WIRE_TYPE_LENGTH = 2 };
    size_t size = protobuf_c_message_get_packed_size(message);
    uint8_t head[2 * VARINT_BYTES_MAX];
    size_t head_size = varint_write(head, (unsigned)kind << 3 | WIRE_TYPE_LENGTH);
    head_size += varint_write(head + head_size, size);
    if (size + head_size > MSG_ENVELOPE_BYTES_MAX) {
        return reason_set(reason, ERR_LIMIT, "%s has %zu bytes, at most %d are allowed",
                          msg_kind_name(kind), size + head_size, MSG_ENVELOPE_BYTES_MAX);
    }
    uint8_t *to = buf_reserve(frame, VARINT_BYTES_MAX + head_size + size);
    size_t length = varint_write(to, head_size + size);
    for (size_t i = 0; i < head_size; i++) {
        to[length++] = head[i];
    }
    size_t packed = protobuf_c_message_pack(message, to + length);
    CHECK(packed == size);
    frame->length += length + packed;
    return ERR_NONE;
}

static void receipt_write(const struct msg_receipt *receipt, Aip__Receipt *to)
{
    aip__receipt__init(to);
    to->epoch = receipt->epoch;
    to->start_id = wire_bytes(receipt->start_id);
    to->fence = receipt->fence;
    to->hmac = wire_bytes(receipt->hmac);
}

static void profile_write(struct wire_scratch *scratch, const struct msg_profile *profile,
                          Aip__Profile *to)
{
    aip__profile__init(to);
    to->os = wire_bytes(profile->os);
    to->arch = wire_bytes(profile->arch);
    to->hostname = wire_bytes(profile->hostname);
    to->cpus = profile->cpus;
    to->memory_bytes = profile->memory_bytes;
    to->slots = profile->slots;
    to->n_executors = profile->executors_count;
    to->executors = wire_scratch_strs(scratch, profile->executors, profile->executors_count);
    to->n_tools = profile->tools_count;
    to->tools = wire_scratch_strs(scratch, profile->tools, profile->tools_count);
    Aip__Pair *labels = wire_scratch_array(scratch, profile->labels_count, sizeof *labels);
    to->n_labels = profile->labels_count;
    to->labels = wire_scratch_pointers(scratch, profile->labels_count);
    for (size_t i = 0; i < profile->labels_count; i++) {
        aip__pair__init(&labels[i]);
        labels[i].key = wire_bytes(profile->labels[i].key);
        labels[i].value = wire_bytes(profile->labels[i].value);
        to->labels[i] = &labels[i];
    }
    Aip__Resource *resources =
        wire_scratch_array(scratch, profile->resources_count, sizeof *resources);
    to->n_resources = profile->resources_count;
    to->resources = wire_scratch_pointers(scratch, profile->resources_count);
    for (size_t i = 0; i < profile->resources_count; i++) {
        aip__resource__init(&resources[i]);
        resources[i].name = wire_bytes(profile->resources[i].name);
        resources[i].amount_milli = profile->resources[i].amount_milli;
        to->resources[i] = &resources[i];
    }
}

static enum err hello_write(struct wire_scratch *scratch, const struct msg_hello *hello,
                            struct buf *frame, struct reason *reason)
{
    Aip__Hello to;
    aip__hello__init(&to);
    to.device = wire_bytes(hello->device);
    to.agent_version = wire_bytes(hello->agent_version);
    to.boot_id = wire_bytes(hello->boot_id);
    to.process_id = hello->process_id;
    to.journal_id = wire_bytes(hello->journal_id);
    to.session = hello->session;
    Aip__Receipt receipt;
    receipt_write(&hello->receipt, &receipt);
    to.receipt = &receipt;
    Aip__Profile profile;
    profile_write(scratch, &hello->profile, &profile);
    to.profile = &profile;
    Aip__Held *held = wire_scratch_array(scratch, hello->held_count, sizeof *held);
    to.n_held = hello->held_count;
    to.held = wire_scratch_pointers(scratch, hello->held_count);
    for (size_t i = 0; i < hello->held_count; i++) {
        aip__held__init(&held[i]);
        held[i].fence = hello->held[i].fence;
        held[i].state = (Aip__HeldState)hello->held[i].state;
        to.held[i] = &held[i];
    }
    to.n_features = hello->features_count;
    to.features = wire_scratch_strs(scratch, hello->features, hello->features_count);
    return envelope_write(MSG_HELLO, &to.base, frame, reason);
}

static enum err welcome_write(struct wire_scratch *scratch, const struct msg_welcome *welcome,
                              struct buf *frame, struct reason *reason)
{
    Aip__Welcome to;
    aip__welcome__init(&to);
    to.session = welcome->session;
    to.epoch = welcome->epoch;
    Aip__Receipt receipt;
    receipt_write(&welcome->receipt, &receipt);
    to.receipt = &receipt;
    to.lease_ms = welcome->lease_ms;
    to.ping_ms = welcome->ping_ms;
    to.daemon_version = wire_bytes(welcome->daemon_version);
    Aip__Verdict *verdicts = wire_scratch_array(scratch, welcome->verdicts_count, sizeof *verdicts);
    to.n_verdicts = welcome->verdicts_count;
    to.verdicts = wire_scratch_pointers(scratch, welcome->verdicts_count);
    for (size_t i = 0; i < welcome->verdicts_count; i++) {
        aip__verdict__init(&verdicts[i]);
        verdicts[i].fence = welcome->verdicts[i].fence;
        verdicts[i].verdict = (Aip__HeldVerdict)welcome->verdicts[i].verdict;
        verdicts[i].stdout_offset = welcome->verdicts[i].stdout_offset;
        verdicts[i].stderr_offset = welcome->verdicts[i].stderr_offset;
        to.verdicts[i] = &verdicts[i];
    }
    to.n_features = welcome->features_count;
    to.features = wire_scratch_strs(scratch, welcome->features, welcome->features_count);
    return envelope_write(MSG_WELCOME, &to.base, frame, reason);
}

static enum err assign_write(struct wire_scratch *scratch, const struct msg_assign *assign,
                             struct buf *frame, struct reason *reason)
{
    Aip__Assign to;
    aip__assign__init(&to);
    Aip__Task *tasks = wire_scratch_array(scratch, assign->tasks_count, sizeof *tasks);
    to.n_tasks = assign->tasks_count;
    to.tasks = wire_scratch_pointers(scratch, assign->tasks_count);
    for (size_t i = 0; i < assign->tasks_count; i++) {
        aip__task__init(&tasks[i]);
        tasks[i].fence = assign->tasks[i].fence;
        tasks[i].attempt = assign->tasks[i].attempt;
        tasks[i].name = wire_bytes(assign->tasks[i].name);
        tasks[i].body = wire_bytes(assign->tasks[i].body);
        to.tasks[i] = &tasks[i];
    }
    return envelope_write(MSG_ASSIGN, &to.base, frame, reason);
}

static enum err output_write(const struct msg_output *output, struct buf *frame,
                             struct reason *reason)
{
    Aip__Output to;
    aip__output__init(&to);
    to.fence = output->fence;
    to.stream = (Aip__Stream)output->stream;
    to.offset = output->offset;
    to.data = wire_bytes(output->data);
    return envelope_write(MSG_OUTPUT, &to.base, frame, reason);
}

static enum err finished_write(const struct msg_finished *finished, struct buf *frame,
                               struct reason *reason)
{
    Aip__Finished to;
    aip__finished__init(&to);
    to.fence = finished->fence;
    to.outcome = (Aip__Outcome)finished->outcome;
    to.exit_code = finished->exit_code;
    to.signal = finished->signal;
    to.reason = wire_bytes(finished->reason);
    to.started_wall_ms = finished->started_wall_ms;
    to.duration_ms = finished->duration_ms;
    to.stdout_bytes = finished->stdout_bytes;
    to.stderr_bytes = finished->stderr_bytes;
    to.output_truncated = finished->output_truncated;
    to.result = wire_bytes(finished->result);
    return envelope_write(MSG_FINISHED, &to.base, frame, reason);
}

static enum err ack_write(struct wire_scratch *scratch, const struct msg_ack *ack,
                          struct buf *frame, struct reason *reason)
{
    Aip__Ack to;
    aip__ack__init(&to);
    to.n_finished = ack->finished_count;
    to.finished = (uint64_t *)(uintptr_t)ack->finished;
    Aip__AckOutput *outputs = wire_scratch_array(scratch, ack->outputs_count, sizeof *outputs);
    to.n_outputs = ack->outputs_count;
    to.outputs = wire_scratch_pointers(scratch, ack->outputs_count);
    for (size_t i = 0; i < ack->outputs_count; i++) {
        aip__ack_output__init(&outputs[i]);
        outputs[i].fence = ack->outputs[i].fence;
        outputs[i].stream = (Aip__Stream)ack->outputs[i].stream;
        outputs[i].offset = ack->outputs[i].offset;
        to.outputs[i] = &outputs[i];
    }
    return envelope_write(MSG_ACK, &to.base, frame, reason);
}

static enum err cancel_write(const struct msg_cancel *cancel, struct buf *frame,
                             struct reason *reason)
{
    Aip__Cancel to;
    aip__cancel__init(&to);
    to.n_fences = cancel->fences_count;
    to.fences = (uint64_t *)(uintptr_t)cancel->fences;
    to.reason = wire_bytes(cancel->reason);
    return envelope_write(MSG_CANCEL, &to.base, frame, reason);
}

/* Messages of one or two plain fields. */
static enum err small_write(const struct msg *msg, struct buf *frame, struct reason *reason)
{
    union {
        Aip__Ready ready;
        Aip__Ping ping;
        Aip__Pong pong;
        Aip__Started started;
        Aip__Error error;
        Aip__Goodbye goodbye;
        ProtobufCMessage base; /* each of them begins with it */
    } to;
    if (msg->kind == MSG_READY) {
        aip__ready__init(&to.ready);
        to.ready.session = msg->ready.session;
    } else if (msg->kind == MSG_PING) {
        aip__ping__init(&to.ping);
        to.ping.id = msg->ping.id;
    } else if (msg->kind == MSG_PONG) {
        aip__pong__init(&to.pong);
        to.pong.id = msg->pong.id;
        to.pong.probe = msg->pong.probe;
    } else if (msg->kind == MSG_STARTED) {
        aip__started__init(&to.started);
        to.started.fence = msg->started.fence;
        to.started.wall_ms = msg->started.wall_ms;
    } else if (msg->kind == MSG_ERROR) {
        aip__error__init(&to.error);
        to.error.code = (Aip__ErrorCode)msg->error.code;
        to.error.reason = wire_bytes(msg->error.reason);
    } else {
        CHECK(msg->kind == MSG_GOODBYE);
        aip__goodbye__init(&to.goodbye);
        to.goodbye.reason = wire_bytes(msg->goodbye.reason);
    }
    return envelope_write(msg->kind, &to.base, frame, reason);
}

static enum err message_write(struct wire_scratch *scratch, const struct msg *msg,
                              struct buf *frame, struct reason *reason)
{
    switch (msg->kind) {
    case MSG_HELLO:
        return hello_write(scratch, &msg->hello, frame, reason);
    case MSG_WELCOME:
        return welcome_write(scratch, &msg->welcome, frame, reason);
    case MSG_ASSIGN:
        return assign_write(scratch, &msg->assign, frame, reason);
    case MSG_OUTPUT:
        return output_write(&msg->output, frame, reason);
    case MSG_FINISHED:
        return finished_write(&msg->finished, frame, reason);
    case MSG_ACK:
        return ack_write(scratch, &msg->ack, frame, reason);
    case MSG_CANCEL:
        return cancel_write(&msg->cancel, frame, reason);
    case MSG_READY:
    case MSG_PING:
    case MSG_PONG:
    case MSG_STARTED:
    case MSG_ERROR:
    case MSG_GOODBYE:
        return small_write(msg, frame, reason);
    case MSG_NONE:
        break;
    }
    CHECK(msg->kind != MSG_NONE);
    return ERR_INVALID;
}

enum err wire_encode(const struct msg *msg, struct buf *frame, struct reason *reason)
{
    enum err err = wire_check(msg, reason);
    if (err != ERR_NONE) {
        return err == ERR_BAD_FRAME ? ERR_INVALID : err;
    }
    struct wire_scratch scratch;
    wire_scratch_init(&scratch);
    err = message_write(&scratch, msg, frame, reason);
    wire_scratch_done(&scratch);
    return err;
}
