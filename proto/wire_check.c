/* The rules of every message, field by field. README.md lists them for people: keep it in step. */
#include "proto/wire_check.h"

#include <string.h>

#include "common/base/check.h"
#include "proto/wire_rule.h"

static void check_receipt(struct rules *rules, const struct msg_receipt *receipt)
{
    rule_number(rules, "Receipt.epoch", receipt->epoch, MSG_EPOCH_MAX);
    rule_bytes(rules, "Receipt.start_id", receipt->start_id, MSG_ID_BYTES_MAX);
    rule_number(rules, "Receipt.fence", receipt->fence, MSG_NUMBER_MAX);
    rule_bytes(rules, "Receipt.hmac", receipt->hmac, MSG_ID_BYTES_MAX);
}

static void check_labels(struct rules *rules, const struct msg_pair *labels, size_t count)
{
    rule_count(rules, "Profile.labels", count, MSG_LABELS_MAX);
    for (size_t i = 0; rules_kept(rules) && i < count; i++) {
        rule_name(rules, "Profile.labels.key", labels[i].key);
        rule_text(rules, "Profile.labels.value", labels[i].value, MSG_NAME_BYTES_MAX);
        for (size_t j = 0; j < i; j++) {
            rule_true(rules, "Profile.labels", !str_equal(labels[i].key, labels[j].key),
                      "names a key twice");
        }
    }
}

static void check_resources(struct rules *rules, const struct msg_resource *resources, size_t count)
{
    rule_count(rules, "Profile.resources", count, MSG_RESOURCES_MAX);
    for (size_t i = 0; rules_kept(rules) && i < count; i++) {
        rule_name(rules, "Profile.resources.name", resources[i].name);
        rule_range(rules, "Profile.resources.amount_milli", resources[i].amount_milli, 0,
                   INT64_MAX);
        for (size_t j = 0; j < i; j++) {
            rule_true(rules, "Profile.resources", !str_equal(resources[i].name, resources[j].name),
                      "names one twice");
        }
    }
}

static void check_profile(struct rules *rules, const struct msg_profile *profile)
{
    rule_text(rules, "Profile.os", profile->os, MSG_TEXT_BYTES_MAX);
    rule_text(rules, "Profile.arch", profile->arch, MSG_TEXT_BYTES_MAX);
    rule_text(rules, "Profile.hostname", profile->hostname, MSG_TEXT_BYTES_MAX);
    rule_number(rules, "Profile.memory_bytes", profile->memory_bytes, MSG_NUMBER_MAX);
    rule_range(rules, "Profile.slots", profile->slots, 1, MSG_SLOTS_MAX);
    rule_names(rules, "Profile.executors", profile->executors, profile->executors_count,
               MSG_EXECUTORS_MAX);
    rule_names(rules, "Profile.tools", profile->tools, profile->tools_count, MSG_TOOLS_MAX);
    check_labels(rules, profile->labels, profile->labels_count);
    check_resources(rules, profile->resources, profile->resources_count);
}

static void check_hello(struct rules *rules, const struct msg_hello *hello)
{
    rule_device(rules, "Hello.device", hello->device);
    rule_text(rules, "Hello.agent_version", hello->agent_version, MSG_TEXT_BYTES_MAX);
    rule_text(rules, "Hello.boot_id", hello->boot_id, MSG_ID_BYTES_MAX);
    rule_true(rules, "Hello.boot_id", hello->boot_id.length > 0, "is missing");
    rule_true(rules, "Hello.process_id", hello->process_id != 0, "is missing");
    rule_bytes(rules, "Hello.journal_id", hello->journal_id, MSG_ID_BYTES_MAX);
    rule_true(rules, "Hello.journal_id", hello->journal_id.length > 0, "is missing");
    rule_number(rules, "Hello.session", hello->session, MSG_NUMBER_MAX);
    check_receipt(rules, &hello->receipt);
    check_profile(rules, &hello->profile);
    rule_count(rules, "Hello.held", hello->held_count, MSG_HELD_MAX);
    for (size_t i = 0; rules_kept(rules) && i < hello->held_count; i++) {
        rule_id(rules, "Hello.held.fence", hello->held[i].fence);
        rule_range(rules, "Hello.held.state", hello->held[i].state, HELD_ACCEPTED, HELD_DIED);
    }
    rule_distinct(rules, "Hello.held", hello->held_count == 0 ? NULL : &hello->held[0].fence,
                  sizeof hello->held[0], hello->held_count);
    rule_names(rules, "Hello.features", hello->features, hello->features_count, MSG_FEATURES_MAX);
}

static void check_welcome(struct rules *rules, const struct msg_welcome *welcome)
{
    rule_id(rules, "Welcome.session", welcome->session);
    rule_true(rules, "Welcome.epoch", welcome->epoch != 0, "is missing");
    rule_number(rules, "Welcome.epoch", welcome->epoch, MSG_EPOCH_MAX);
    check_receipt(rules, &welcome->receipt);
    rule_range(rules, "Welcome.lease_ms", welcome->lease_ms, 1, MSG_DURATION_MS_MAX);
    rule_range(rules, "Welcome.ping_ms", welcome->ping_ms, 1, MSG_DURATION_MS_MAX);
    rule_true(rules, "Welcome.ping_ms", welcome->ping_ms < welcome->lease_ms,
              "is not shorter than the lease");
    rule_text(rules, "Welcome.daemon_version", welcome->daemon_version, MSG_TEXT_BYTES_MAX);
    rule_count(rules, "Welcome.verdicts", welcome->verdicts_count, MSG_HELD_MAX);
    for (size_t i = 0; rules_kept(rules) && i < welcome->verdicts_count; i++) {
        const struct msg_verdict *verdict = &welcome->verdicts[i];
        rule_id(rules, "Welcome.verdicts.fence", verdict->fence);
        rule_range(rules, "Welcome.verdicts.verdict", verdict->verdict, VERDICT_KEEP, VERDICT_DROP);
        rule_number(rules, "Welcome.verdicts.stdout_offset", verdict->stdout_offset,
                    MSG_NUMBER_MAX);
        rule_number(rules, "Welcome.verdicts.stderr_offset", verdict->stderr_offset,
                    MSG_NUMBER_MAX);
    }
    rule_distinct(rules, "Welcome.verdicts",
                  welcome->verdicts_count == 0 ? NULL : &welcome->verdicts[0].fence,
                  sizeof welcome->verdicts[0], welcome->verdicts_count);
    rule_names(rules, "Welcome.features", welcome->features, welcome->features_count,
               MSG_FEATURES_MAX);
}

static void check_assign(struct rules *rules, const struct msg_assign *assign)
{
    rule_count(rules, "Assign.tasks", assign->tasks_count, MSG_BATCH_MAX);
    for (size_t i = 0; rules_kept(rules) && i < assign->tasks_count; i++) {
        const struct msg_task *task = &assign->tasks[i];
        rule_id(rules, "Assign.tasks.fence", task->fence);
        rule_true(rules, "Assign.tasks.attempt", task->attempt != 0, "is missing");
        rule_text(rules, "Assign.tasks.name", task->name, MSG_TEXT_BYTES_MAX);
        rule_true(rules, "Assign.tasks.name", task->name.length > 0, "is missing");
        rule_bytes(rules, "Assign.tasks.body", task->body, MSG_BODY_BYTES_MAX);
    }
    rule_distinct(rules, "Assign.tasks", assign->tasks_count == 0 ? NULL : &assign->tasks[0].fence,
                  sizeof assign->tasks[0], assign->tasks_count);
}

static void check_started(struct rules *rules, const struct msg_started *started)
{
    rule_id(rules, "Started.fence", started->fence);
    rule_range(rules, "Started.wall_ms", started->wall_ms, 0, MSG_WALL_MS_MAX);
}

static void check_output(struct rules *rules, const struct msg_output *output)
{
    rule_id(rules, "Output.fence", output->fence);
    rule_range(rules, "Output.stream", output->stream, STREAM_STDOUT, STREAM_STDERR);
    rule_true(rules, "Output.data", output->data.length > 0, "is missing");
    rule_bytes(rules, "Output.data", output->data, MSG_CHUNK_BYTES_MAX);
    /* The end of the chunk must still be a number, so that nobody's sum overflows. */
    rule_number(rules, "Output.offset", output->offset, MSG_NUMBER_MAX - MSG_CHUNK_BYTES_MAX);
}

static void check_finished(struct rules *rules, const struct msg_finished *finished)
{
    rule_id(rules, "Finished.fence", finished->fence);
    rule_range(rules, "Finished.outcome", finished->outcome, OUTCOME_EXITED, OUTCOME_DISCONNECTED);
    rule_range(rules, "Finished.exit_code", finished->exit_code, 0, 255);
    rule_range(rules, "Finished.signal", finished->signal, 0, 127);
    rule_text(rules, "Finished.reason", finished->reason, MSG_TEXT_BYTES_MAX);
    rule_range(rules, "Finished.started_wall_ms", finished->started_wall_ms, 0, MSG_WALL_MS_MAX);
    rule_range(rules, "Finished.duration_ms", finished->duration_ms, 0, MSG_DURATION_MS_MAX);
    rule_number(rules, "Finished.stdout_bytes", finished->stdout_bytes, MSG_NUMBER_MAX);
    rule_number(rules, "Finished.stderr_bytes", finished->stderr_bytes, MSG_NUMBER_MAX);
    rule_text(rules, "Finished.result", finished->result, MSG_RESULT_BYTES_MAX);
}

static void check_ack(struct rules *rules, const struct msg_ack *ack)
{
    rule_count(rules, "Ack.finished", ack->finished_count, MSG_BATCH_MAX);
    for (size_t i = 0; rules_kept(rules) && i < ack->finished_count; i++) {
        rule_id(rules, "Ack.finished", ack->finished[i]);
    }
    rule_count(rules, "Ack.outputs", ack->outputs_count, MSG_BATCH_MAX);
    for (size_t i = 0; rules_kept(rules) && i < ack->outputs_count; i++) {
        rule_id(rules, "Ack.outputs.fence", ack->outputs[i].fence);
        rule_range(rules, "Ack.outputs.stream", ack->outputs[i].stream, STREAM_STDOUT,
                   STREAM_STDERR);
        rule_number(rules, "Ack.outputs.offset", ack->outputs[i].offset, MSG_NUMBER_MAX);
    }
}

static void check_cancel(struct rules *rules, const struct msg_cancel *cancel)
{
    rule_count(rules, "Cancel.fences", cancel->fences_count, MSG_BATCH_MAX);
    for (size_t i = 0; rules_kept(rules) && i < cancel->fences_count; i++) {
        rule_id(rules, "Cancel.fences", cancel->fences[i]);
    }
    rule_text(rules, "Cancel.reason", cancel->reason, MSG_TEXT_BYTES_MAX);
}

static void check_error(struct rules *rules, const struct msg_error *error)
{
    rule_range(rules, "Error.code", error->code, MSG_ERROR_PROTOCOL, MSG_ERROR_SHUTDOWN);
    rule_text(rules, "Error.reason", error->reason, MSG_TEXT_BYTES_MAX);
}

enum err wire_check(const struct msg *msg, struct reason *reason)
{
    struct rules rules = { ERR_NONE, reason };
    switch (msg->kind) {
    case MSG_HELLO:
        check_hello(&rules, &msg->hello);
        break;
    case MSG_WELCOME:
        check_welcome(&rules, &msg->welcome);
        break;
    case MSG_READY:
        rule_id(&rules, "Ready.session", msg->ready.session);
        break;
    case MSG_PING:
    case MSG_PONG:
        break; /* any id will do */
    case MSG_ASSIGN:
        check_assign(&rules, &msg->assign);
        break;
    case MSG_STARTED:
        check_started(&rules, &msg->started);
        break;
    case MSG_OUTPUT:
        check_output(&rules, &msg->output);
        break;
    case MSG_FINISHED:
        check_finished(&rules, &msg->finished);
        break;
    case MSG_ACK:
        check_ack(&rules, &msg->ack);
        break;
    case MSG_CANCEL:
        check_cancel(&rules, &msg->cancel);
        break;
    case MSG_ERROR:
        check_error(&rules, &msg->error);
        break;
    case MSG_GOODBYE:
        rule_text(&rules, "Goodbye.reason", msg->goodbye.reason, MSG_TEXT_BYTES_MAX);
        break;
    case MSG_NONE:
        CHECK(msg->kind != MSG_NONE);
        break;
    }
    return rules.err;
}

static void check_body_action(struct rules *rules, const struct msg_body *body)
{
    rule_range(rules, "TaskBody.executor", body->executor, EXECUTOR_RUN, EXECUTOR_SLEEP);
    rule_true(rules, "TaskBody.argv", body->executor != EXECUTOR_RUN || body->argv_count > 0,
              "is missing");
    rule_true(rules, "TaskBody.shell", body->executor != EXECUTOR_SHELL || body->shell.length > 0,
              "is missing");
    rule_count(rules, "TaskBody.argv", body->argv_count, MSG_ARGS_MAX);
    for (size_t i = 0; rules_kept(rules) && i < body->argv_count; i++) {
        rule_text(rules, "TaskBody.argv", body->argv[i], MSG_BODY_BYTES_MAX);
    }
    rule_text(rules, "TaskBody.shell", body->shell, MSG_BODY_BYTES_MAX);
    rule_range(rules, "TaskBody.sleep_ms", body->sleep_ms, 0, MSG_DURATION_MS_MAX);
}

static void check_env(struct rules *rules, const struct msg_pair *env, size_t count)
{
    rule_count(rules, "TaskBody.env", count, MSG_ENV_MAX);
    for (size_t i = 0; rules_kept(rules) && i < count; i++) {
        struct str key = env[i].key;
        rule_text(rules, "TaskBody.env.key", key, MSG_TEXT_BYTES_MAX);
        rule_true(rules, "TaskBody.env.key", key.length > 0, "is empty");
        /* Otherwise KEY=VALUE could set another variable than it seems to. */
        rule_true(rules, "TaskBody.env.key",
                  key.length == 0 || memchr(key.data, '=', key.length) == NULL, "has a '='");
        rule_text(rules, "TaskBody.env.value", env[i].value, MSG_BODY_BYTES_MAX);
    }
}

enum err wire_check_body(const struct msg_body *body, struct reason *reason)
{
    struct rules rules = { ERR_NONE, reason };
    check_body_action(&rules, body);
    check_env(&rules, body->env, body->env_count);
    if (body->has_cwd) {
        rule_text(&rules, "TaskBody.cwd", body->cwd, MSG_PATH_BYTES_MAX);
    }
    if (body->has_stdin) {
        rule_bytes(&rules, "TaskBody.stdin_data", body->stdin_data, MSG_BODY_BYTES_MAX);
    }
    rule_range(&rules, "TaskBody.run_timeout_ms", body->run_timeout_ms, 0, MSG_DURATION_MS_MAX);
    rule_range(&rules, "TaskBody.kill_grace_ms", body->kill_grace_ms, 0, MSG_DURATION_MS_MAX);
    rule_range(&rules, "TaskBody.silence_timeout_ms", body->silence_timeout_ms, 0,
               MSG_DURATION_MS_MAX);
    rule_number(&rules, "TaskBody.output_bytes_max", body->output_bytes_max, MSG_NUMBER_MAX);
    rule_range(&rules, "TaskBody.on_disconnect", body->on_disconnect, ON_DISCONNECT_CONTINUE,
               ON_DISCONNECT_STOP);
    return rules.err;
}
