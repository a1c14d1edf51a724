/* Bytes to messages: one envelope off the frame, unpacked into the arena, its fields taken over into
   the plain structs without copying them again, then checked. */
#include "common/base/check.h"
#include "proto/aip.pb-c.h"
#include "proto/wire.h"
#include "proto/wire_check.h"
#include "proto/wire_memory.h"

static struct msg_receipt receipt_read(const Aip__Receipt *from)
{
    if (from == NULL) {
        return (struct msg_receipt){ 0 };
    }
    return (struct msg_receipt){
        .epoch = from->epoch,
        .start_id = wire_str(from->start_id),
        .fence = from->fence,
        .hmac = wire_str(from->hmac),
    };
}

static struct msg_profile profile_read(struct wire_decoder *decoder, const Aip__Profile *from)
{
    if (from == NULL) {
        return (struct msg_profile){ 0 };
    }
    struct msg_pair *labels = wire_decoder_array(decoder, from->n_labels, sizeof *labels);
    for (size_t i = 0; labels != NULL && i < from->n_labels; i++) {
        labels[i].key = wire_str(from->labels[i]->key);
        labels[i].value = wire_str(from->labels[i]->value);
    }
    struct msg_resource *resources =
        wire_decoder_array(decoder, from->n_resources, sizeof *resources);
    for (size_t i = 0; resources != NULL && i < from->n_resources; i++) {
        resources[i].name = wire_str(from->resources[i]->name);
        resources[i].amount_milli = from->resources[i]->amount_milli;
    }
    return (struct msg_profile){
        .os = wire_str(from->os),
        .arch = wire_str(from->arch),
        .hostname = wire_str(from->hostname),
        .cpus = from->cpus,
        .memory_bytes = from->memory_bytes,
        .slots = from->slots,
        .executors = wire_decoder_strs(decoder, from->executors, from->n_executors),
        .executors_count = from->n_executors,
        .tools = wire_decoder_strs(decoder, from->tools, from->n_tools),
        .tools_count = from->n_tools,
        .labels = labels,
        .labels_count = from->n_labels,
        .resources = resources,
        .resources_count = from->n_resources,
    };
}

static void hello_read(struct wire_decoder *decoder, const Aip__Hello *from,
                       struct msg_hello *hello)
{
    struct msg_held *held = wire_decoder_array(decoder, from->n_held, sizeof *held);
    for (size_t i = 0; held != NULL && i < from->n_held; i++) {
        held[i].fence = from->held[i]->fence;
        held[i].state = (enum held_state)from->held[i]->state;
    }
    *hello = (struct msg_hello){
        .device = wire_str(from->device),
        .agent_version = wire_str(from->agent_version),
        .boot_id = wire_str(from->boot_id),
        .process_id = from->process_id,
        .journal_id = wire_str(from->journal_id),
        .session = from->session,
        .receipt = receipt_read(from->receipt),
        .profile = profile_read(decoder, from->profile),
        .held = held,
        .held_count = from->n_held,
        .features = wire_decoder_strs(decoder, from->features, from->n_features),
        .features_count = from->n_features,
    };
}

static void welcome_read(struct wire_decoder *decoder, const Aip__Welcome *from,
                         struct msg_welcome *welcome)
{
    struct msg_verdict *verdicts = wire_decoder_array(decoder, from->n_verdicts, sizeof *verdicts);
    for (size_t i = 0; verdicts != NULL && i < from->n_verdicts; i++) {
        verdicts[i].fence = from->verdicts[i]->fence;
        verdicts[i].verdict = (enum verdict)from->verdicts[i]->verdict;
        verdicts[i].stdout_offset = from->verdicts[i]->stdout_offset;
        verdicts[i].stderr_offset = from->verdicts[i]->stderr_offset;
    }
    *welcome = (struct msg_welcome){
        .session = from->session,
        .epoch = from->epoch,
        .receipt = receipt_read(from->receipt),
        .lease_ms = from->lease_ms,
        .ping_ms = from->ping_ms,
        .daemon_version = wire_str(from->daemon_version),
        .verdicts = verdicts,
        .verdicts_count = from->n_verdicts,
        .features = wire_decoder_strs(decoder, from->features, from->n_features),
        .features_count = from->n_features,
    };
}

static void assign_read(struct wire_decoder *decoder, const Aip__Assign *from,
                        struct msg_assign *assign)
{
    struct msg_task *tasks = wire_decoder_array(decoder, from->n_tasks, sizeof *tasks);
    for (size_t i = 0; tasks != NULL && i < from->n_tasks; i++) {
        tasks[i].fence = from->tasks[i]->fence;
        tasks[i].attempt = from->tasks[i]->attempt;
        tasks[i].name = wire_str(from->tasks[i]->name);
        tasks[i].body = wire_str(from->tasks[i]->body);
    }
    *assign = (struct msg_assign){ tasks, from->n_tasks };
}

static void finished_read(const Aip__Finished *from, struct msg_finished *finished)
{
    *finished = (struct msg_finished){
        .fence = from->fence,
        .outcome = (enum outcome)from->outcome,
        .exit_code = from->exit_code,
        .signal = from->signal,
        .reason = wire_str(from->reason),
        .started_wall_ms = from->started_wall_ms,
        .duration_ms = from->duration_ms,
        .stdout_bytes = from->stdout_bytes,
        .stderr_bytes = from->stderr_bytes,
        .output_truncated = from->output_truncated != 0,
        .result = wire_str(from->result),
    };
}

static void ack_read(struct wire_decoder *decoder, const Aip__Ack *from, struct msg_ack *ack)
{
    struct msg_ack_output *outputs = wire_decoder_array(decoder, from->n_outputs, sizeof *outputs);
    for (size_t i = 0; outputs != NULL && i < from->n_outputs; i++) {
        outputs[i].fence = from->outputs[i]->fence;
        outputs[i].stream = (enum stream)from->outputs[i]->stream;
        outputs[i].offset = from->outputs[i]->offset;
    }
    *ack = (struct msg_ack){ from->finished, from->n_finished, outputs, from->n_outputs };
}

static void output_read(const Aip__Output *from, struct msg_output *output)
{
    *output = (struct msg_output){
        .fence = from->fence,
        .stream = (enum stream)from->stream,
        .offset = from->offset,
        .data = wire_str(from->data),
    };
}

/* The kind is MSG_NONE if the envelope holds none that this version knows. */
static void envelope_read(struct wire_decoder *decoder, const Aip__Envelope *from, struct msg *msg)
{
    switch (from->message_case) {
    case AIP__ENVELOPE__MESSAGE_HELLO:
        hello_read(decoder, from->hello, &msg->hello);
        break;
    case AIP__ENVELOPE__MESSAGE_WELCOME:
        welcome_read(decoder, from->welcome, &msg->welcome);
        break;
    case AIP__ENVELOPE__MESSAGE_READY:
        msg->ready = (struct msg_ready){ from->ready->session };
        break;
    case AIP__ENVELOPE__MESSAGE_PING:
        msg->ping = (struct msg_ping){ from->ping->id };
        break;
    case AIP__ENVELOPE__MESSAGE_PONG:
        msg->pong = (struct msg_pong){ from->pong->id, from->pong->probe != 0 };
        break;
    case AIP__ENVELOPE__MESSAGE_ASSIGN:
        assign_read(decoder, from->assign, &msg->assign);
        break;
    case AIP__ENVELOPE__MESSAGE_STARTED:
        msg->started = (struct msg_started){ from->started->fence, from->started->wall_ms };
        break;
    case AIP__ENVELOPE__MESSAGE_OUTPUT:
        output_read(from->output, &msg->output);
        break;
    case AIP__ENVELOPE__MESSAGE_FINISHED:
        finished_read(from->finished, &msg->finished);
        break;
    case AIP__ENVELOPE__MESSAGE_ACK:
        ack_read(decoder, from->ack, &msg->ack);
        break;
    case AIP__ENVELOPE__MESSAGE_CANCEL:
        msg->cancel = (struct msg_cancel){ from->cancel->fences, from->cancel->n_fences,
                                           wire_str(from->cancel->reason) };
        break;
    case AIP__ENVELOPE__MESSAGE_ERROR:
        msg->error = (struct msg_error){ (enum msg_error_code)from->error->code,
                                         wire_str(from->error->reason) };
        break;
    case AIP__ENVELOPE__MESSAGE_GOODBYE:
        msg->goodbye = (struct msg_goodbye){ wire_str(from->goodbye->reason) };
        break;
    case AIP__ENVELOPE__MESSAGE__NOT_SET:
    case _AIP__ENVELOPE__MESSAGE__CASE_IS_INT_SIZE:
    default:
        msg->kind = MSG_NONE;
        return;
    }
    /* The oneof's numbers are those of enum msg_kind. */
    msg->kind = (enum msg_kind)from->message_case;
}

/* The length in front of an envelope: a varint, checked against the limit and against what is left of
   the frame. */
static enum err length_read(struct str frame, size_t *at, size_t *ret_length, struct reason *reason)
{
    enum { VARINT_BYTES_MAX = 5 };
    uint64_t length = 0;
    for (unsigned i = 0; i < VARINT_BYTES_MAX; i++) {
        if (*at == frame.length) {
            return reason_set(reason, ERR_BAD_FRAME, "the frame ends within an envelope's length");
        }
        uint8_t byte = (uint8_t)frame.data[(*at)++];
        length |= (uint64_t)(byte & 0x7f) << (7 * i);
        if ((byte & 0x80) != 0) {
            continue;
        }
        if (length > MSG_ENVELOPE_BYTES_MAX) {
            return reason_set(reason, ERR_LIMIT,
                              "an envelope of %llu bytes, at most %d are allowed",
                              (unsigned long long)length, MSG_ENVELOPE_BYTES_MAX);
        }
        if (length == 0) {
            return reason_set(reason, ERR_BAD_FRAME, "an empty envelope");
        }
        if (length > frame.length - *at) {
            return reason_set(reason, ERR_BAD_FRAME, "the frame ends within an envelope");
        }
        *ret_length = (size_t)length;
        return ERR_NONE;
    }
    return reason_set(reason, ERR_BAD_FRAME, "an envelope's length is no number");
}

enum err wire_decode(struct str frame, size_t *at, struct arena *arena, struct msg *ret_msg,
                     struct reason *reason)
{
    CHECK(*at < frame.length);
    size_t from = *at;
    size_t length = 0;
    enum err err = length_read(frame, &from, &length, reason);
    if (err != ERR_NONE) {
        return err;
    }
    struct wire_decoder decoder;
    wire_decoder_init(&decoder, arena);
    const Aip__Envelope *envelope = (const Aip__Envelope *)wire_decoder_unpack(
        &decoder, &aip__envelope__descriptor, "an envelope",
        (struct str){ frame.data + from, length }, &err, reason);
    if (envelope == NULL) {
        return err;
    }
    struct msg msg;
    envelope_read(&decoder, envelope, &msg);
    err = wire_decoder_result(&decoder, "an envelope", reason);
    if (err == ERR_NONE && msg.kind != MSG_NONE) {
        err = wire_check(&msg, reason);
    }
    if (err != ERR_NONE) {
        return err;
    }
    *ret_msg = msg;
    *at = from + length;
    return ERR_NONE;
}
