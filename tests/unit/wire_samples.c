/* Samples of every message for the tests of the codec. */
#include "tests/unit/wire_samples.h"

#define FENCE(n) (UINT64_C(7) << 40 | (n))

static const struct str executors[] = { { "run", 3 }, { "noop", 4 } };
static const struct str tools[] = { { "git", 3 }, { "gr\xc3\xa9p", 5 } };
static const struct str features[] = { { "fetch", 5 }, { "drain", 5 } };
static const struct msg_pair labels[] = {
    { { "role", 4 }, { "edge", 4 } },
    { { "gpu", 3 }, { "", 0 } },
};
static const struct msg_resource resources[] = {
    { { "gpu", 3 }, 2000 },
    { { "memory", 6 }, INT64_C(1) << 42 },
};
static const struct msg_held held[] = {
    { FENCE(9), HELD_RUNNING },
    { FENCE(2), HELD_FINISHED },
    { FENCE(3), HELD_ACCEPTED },
    { FENCE(4), HELD_DIED },
};
static const struct msg_verdict verdicts[] = {
    { FENCE(9), VERDICT_KEEP, 100, 7 },
    { FENCE(2), VERDICT_DROP, 0, 0 },
    { FENCE(3), VERDICT_CANCEL, 1, UINT64_C(1) << 40 },
};
static const struct msg_task tasks[] = {
    { FENCE(11), 1, { "report-ab12/scan", 16 }, { "\x08\x03", 2 } },
    { FENCE(12), 3, { "report-ab12/count", 17 }, { "\x08\x01\x00\xff", 4 } },
};
static const uint64_t fences[] = { FENCE(1), FENCE(2), 1 };
static const struct msg_ack_output outputs[] = {
    { FENCE(5), STREAM_STDOUT, 65536 },
    { FENCE(5), STREAM_STDERR, 1 },
};

static struct msg sample_hello(void)
{
    return (struct msg){
        .kind = MSG_HELLO,
        .hello = {
            .device = STR("edge-01.lab_A"),
            .agent_version = STR("0.1.0"),
            .boot_id = STR("5b2e0a9c-0b8e-4b1c-9f6a-0123456789ab"),
            .process_id = UINT64_C(0xfedcba9876543210),
            .journal_id = STR("\x00\x01journal\xff"),
            .session = 41,
            .receipt = { 7, STR("\x10\x00start"), FENCE(8), STR("\x00hmac\xfe") },
            .profile = {
                .os = STR("linux"),
                .arch = STR("aarch64"),
                .hostname = STR("pi"),
                .cpus = 4,
                .memory_bytes = UINT64_C(4) << 30,
                .slots = 8,
                .executors = executors,
                .executors_count = 2,
                .tools = tools,
                .tools_count = 2,
                .labels = labels,
                .labels_count = 2,
                .resources = resources,
                .resources_count = 2,
            },
            .held = held,
            .held_count = 4,
            .features = features,
            .features_count = 2,
        },
    };
}

static struct msg sample_welcome(void)
{
    return (struct msg){
        .kind = MSG_WELCOME,
        .welcome = {
            .session = 42,
            .epoch = 7,
            .receipt = { 7, STR("\x00start id"), FENCE(10), STR("hmac") },
            .lease_ms = 60000,
            .ping_ms = 20000,
            .daemon_version = STR("0.1.0"),
            .verdicts = verdicts,
            .verdicts_count = 3,
            .features = features,
            .features_count = 1,
        },
    };
}

static struct msg sample_finished(void)
{
    return (struct msg){
        .kind = MSG_FINISHED,
        .finished = {
            .fence = FENCE(5),
            .outcome = OUTCOME_SIGNALLED,
            .exit_code = 137,
            .signal = 9,
            .reason = STR("killed by signal 9 (SIGKILL)"),
            .started_wall_ms = INT64_C(1790000000000),
            .duration_ms = 1234,
            .stdout_bytes = 65536,
            .stderr_bytes = 1,
            .output_truncated = true,
            .result = STR("{\"rows\":3}"),
        },
    };
}

struct msg sample_msg(enum msg_kind kind)
{
    switch (kind) {
    case MSG_HELLO:
        return sample_hello();
    case MSG_WELCOME:
        return sample_welcome();
    case MSG_READY:
        return (struct msg){ .kind = MSG_READY, .ready = { 42 } };
    case MSG_PING:
        return (struct msg){ .kind = MSG_PING, .ping = { UINT64_MAX } };
    case MSG_PONG:
        return (struct msg){ .kind = MSG_PONG, .pong = { 3, true } };
    case MSG_ASSIGN:
        return (struct msg){ .kind = MSG_ASSIGN, .assign = { tasks, 2 } };
    case MSG_STARTED:
        return (struct msg){ .kind = MSG_STARTED, .started = { FENCE(5), 1790000000000 } };
    case MSG_OUTPUT:
        return (struct msg){ .kind = MSG_OUTPUT,
                             .output = { FENCE(5), STREAM_STDERR, 65536, STR("a\x00\xff\n") } };
    case MSG_FINISHED:
        return sample_finished();
    case MSG_ACK:
        return (struct msg){ .kind = MSG_ACK, .ack = { fences, 3, outputs, 2 } };
    case MSG_CANCEL:
        return (struct msg){ .kind = MSG_CANCEL, .cancel = { fences, 2, STR("as asked by anna") } };
    case MSG_ERROR:
        return (struct msg){ .kind = MSG_ERROR,
                             .error = { MSG_ERROR_SHUTDOWN, STR("back in a minute") } };
    case MSG_GOODBYE:
        return (struct msg){ .kind = MSG_GOODBYE, .goodbye = { STR("the machine goes down") } };
    case MSG_NONE:
        break;
    }
    return (struct msg){ .kind = MSG_NONE };
}

struct msg_body sample_body(void)
{
    static const struct str argv[] = { { "du", 2 }, { "", 0 }, { "/var", 4 } };
    static const struct msg_pair env[] = {
        { { "LANG", 4 }, { "C", 1 } },
        { { "EMPTY", 5 }, { "", 0 } },
    };
    return (struct msg_body){
        .executor = EXECUTOR_RUN,
        .argv = argv,
        .argv_count = 3,
        .shell = STR("echo \"$A\""),
        .sleep_ms = 2000,
        .env = env,
        .env_count = 2,
        .has_cwd = true,
        .cwd = STR("/srv"),
        .has_stdin = true,
        .stdin_data = STR("a\x00\xff"),
        .run_timeout_ms = 60000,
        .kill_grace_ms = 5000,
        .output_bytes_max = UINT64_C(1) << 24,
        .output_json = true,
        .on_disconnect = ON_DISCONNECT_STOP,
        .silence_timeout_ms = 90000,
        .once = true,
    };
}
