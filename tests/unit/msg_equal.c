/* Comparing messages field by field. Written out by hand, apart from the codec, so that a field which
   the codec forgets is found. */
#include "tests/unit/msg_equal.h"

static bool strs_equal(const struct str *a, size_t a_count, const struct str *b, size_t b_count)
{
    bool equal = a_count == b_count;
    for (size_t i = 0; equal && i < a_count; i++) {
        equal = str_equal(a[i], b[i]);
    }
    return equal;
}

static bool pairs_equal(const struct msg_pair *a, size_t a_count, const struct msg_pair *b,
                        size_t b_count)
{
    bool equal = a_count == b_count;
    for (size_t i = 0; equal && i < a_count; i++) {
        equal = str_equal(a[i].key, b[i].key) && str_equal(a[i].value, b[i].value);
    }
    return equal;
}

static bool numbers_equal(const uint64_t *a, size_t a_count, const uint64_t *b, size_t b_count)
{
    bool equal = a_count == b_count;
    for (size_t i = 0; equal && i < a_count; i++) {
        equal = a[i] == b[i];
    }
    return equal;
}

static bool receipt_equal(const struct msg_receipt *a, const struct msg_receipt *b)
{
    return a->epoch == b->epoch && str_equal(a->start_id, b->start_id) && a->fence == b->fence &&
           str_equal(a->hmac, b->hmac);
}

static bool resources_equal(const struct msg_profile *a, const struct msg_profile *b)
{
    bool equal = a->resources_count == b->resources_count;
    for (size_t i = 0; equal && i < a->resources_count; i++) {
        equal = str_equal(a->resources[i].name, b->resources[i].name) &&
                a->resources[i].amount_milli == b->resources[i].amount_milli;
    }
    return equal;
}

static bool profile_equal(const struct msg_profile *a, const struct msg_profile *b)
{
    return str_equal(a->os, b->os) && str_equal(a->arch, b->arch) &&
           str_equal(a->hostname, b->hostname) && a->cpus == b->cpus &&
           a->memory_bytes == b->memory_bytes && a->slots == b->slots &&
           strs_equal(a->executors, a->executors_count, b->executors, b->executors_count) &&
           strs_equal(a->tools, a->tools_count, b->tools, b->tools_count) &&
           pairs_equal(a->labels, a->labels_count, b->labels, b->labels_count) &&
           resources_equal(a, b);
}

static bool hello_equal(const struct msg_hello *a, const struct msg_hello *b)
{
    bool equal = a->held_count == b->held_count;
    for (size_t i = 0; equal && i < a->held_count; i++) {
        equal = a->held[i].fence == b->held[i].fence && a->held[i].state == b->held[i].state;
    }
    return equal && str_equal(a->device, b->device) &&
           str_equal(a->agent_version, b->agent_version) && str_equal(a->boot_id, b->boot_id) &&
           a->process_id == b->process_id && str_equal(a->journal_id, b->journal_id) &&
           a->session == b->session && receipt_equal(&a->receipt, &b->receipt) &&
           profile_equal(&a->profile, &b->profile) &&
           strs_equal(a->features, a->features_count, b->features, b->features_count);
}

static bool welcome_equal(const struct msg_welcome *a, const struct msg_welcome *b)
{
    bool equal = a->verdicts_count == b->verdicts_count;
    for (size_t i = 0; equal && i < a->verdicts_count; i++) {
        const struct msg_verdict *x = &a->verdicts[i];
        const struct msg_verdict *y = &b->verdicts[i];
        equal = x->fence == y->fence && x->verdict == y->verdict &&
                x->stdout_offset == y->stdout_offset && x->stderr_offset == y->stderr_offset;
    }
    return equal && a->session == b->session && a->epoch == b->epoch &&
           receipt_equal(&a->receipt, &b->receipt) && a->lease_ms == b->lease_ms &&
           a->ping_ms == b->ping_ms && str_equal(a->daemon_version, b->daemon_version) &&
           strs_equal(a->features, a->features_count, b->features, b->features_count);
}

static bool assign_equal(const struct msg_assign *a, const struct msg_assign *b)
{
    bool equal = a->tasks_count == b->tasks_count;
    for (size_t i = 0; equal && i < a->tasks_count; i++) {
        const struct msg_task *x = &a->tasks[i];
        const struct msg_task *y = &b->tasks[i];
        equal = x->fence == y->fence && x->attempt == y->attempt && str_equal(x->name, y->name) &&
                str_equal(x->body, y->body);
    }
    return equal;
}

static bool finished_equal(const struct msg_finished *a, const struct msg_finished *b)
{
    return a->fence == b->fence && a->outcome == b->outcome && a->exit_code == b->exit_code &&
           a->signal == b->signal && str_equal(a->reason, b->reason) &&
           a->started_wall_ms == b->started_wall_ms && a->duration_ms == b->duration_ms &&
           a->stdout_bytes == b->stdout_bytes && a->stderr_bytes == b->stderr_bytes &&
           a->output_truncated == b->output_truncated && str_equal(a->result, b->result);
}

static bool ack_equal(const struct msg_ack *a, const struct msg_ack *b)
{
    bool equal = a->outputs_count == b->outputs_count;
    for (size_t i = 0; equal && i < a->outputs_count; i++) {
        equal = a->outputs[i].fence == b->outputs[i].fence &&
                a->outputs[i].stream == b->outputs[i].stream &&
                a->outputs[i].offset == b->outputs[i].offset;
    }
    return equal && numbers_equal(a->finished, a->finished_count, b->finished, b->finished_count);
}

bool msg_equal(const struct msg *a, const struct msg *b)
{
    if (a->kind != b->kind) {
        return false;
    }
    switch (a->kind) {
    case MSG_NONE:
        return true;
    case MSG_HELLO:
        return hello_equal(&a->hello, &b->hello);
    case MSG_WELCOME:
        return welcome_equal(&a->welcome, &b->welcome);
    case MSG_READY:
        return a->ready.session == b->ready.session;
    case MSG_PING:
        return a->ping.id == b->ping.id;
    case MSG_PONG:
        return a->pong.id == b->pong.id && a->pong.probe == b->pong.probe;
    case MSG_ASSIGN:
        return assign_equal(&a->assign, &b->assign);
    case MSG_STARTED:
        return a->started.fence == b->started.fence && a->started.wall_ms == b->started.wall_ms;
    case MSG_OUTPUT:
        return a->output.fence == b->output.fence && a->output.stream == b->output.stream &&
               a->output.offset == b->output.offset && str_equal(a->output.data, b->output.data);
    case MSG_FINISHED:
        return finished_equal(&a->finished, &b->finished);
    case MSG_ACK:
        return ack_equal(&a->ack, &b->ack);
    case MSG_CANCEL:
        return numbers_equal(a->cancel.fences, a->cancel.fences_count, b->cancel.fences,
                             b->cancel.fences_count) &&
               str_equal(a->cancel.reason, b->cancel.reason);
    case MSG_ERROR:
        return a->error.code == b->error.code && str_equal(a->error.reason, b->error.reason);
    case MSG_GOODBYE:
        return str_equal(a->goodbye.reason, b->goodbye.reason);
    }
    return false;
}

bool msg_body_equal(const struct msg_body *a, const struct msg_body *b)
{
    return a->executor == b->executor &&
           strs_equal(a->argv, a->argv_count, b->argv, b->argv_count) &&
           str_equal(a->shell, b->shell) && a->sleep_ms == b->sleep_ms &&
           pairs_equal(a->env, a->env_count, b->env, b->env_count) && a->has_cwd == b->has_cwd &&
           (!a->has_cwd || str_equal(a->cwd, b->cwd)) && a->has_stdin == b->has_stdin &&
           (!a->has_stdin || str_equal(a->stdin_data, b->stdin_data)) &&
           a->run_timeout_ms == b->run_timeout_ms && a->kill_grace_ms == b->kill_grace_ms &&
           a->output_bytes_max == b->output_bytes_max && a->output_json == b->output_json &&
           a->on_disconnect == b->on_disconnect && a->silence_timeout_ms == b->silence_timeout_ms &&
           a->once == b->once;
}
