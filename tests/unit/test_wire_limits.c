/* The codec's limits and rules, reached from the sender's side: what stands at the limit arrives, what
   is beyond it is refused and leaves the frame as it was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "proto/wire.h"
#include "tests/unit/msg_equal.h"
#include "tests/unit/wire_samples.h"

static char letters[MSG_ENVELOPE_BYTES_MAX + 1];
static struct str names[MSG_BATCH_MAX + 1];
static struct msg_pair pairs[MSG_BATCH_MAX + 1];
static char keys[MSG_BATCH_MAX + 1][8];
static struct msg_held held[MSG_BATCH_MAX + 1];
static struct msg_verdict verdicts[MSG_BATCH_MAX + 1];
static struct msg_task tasks[MSG_BATCH_MAX + 1];
static uint64_t fences[MSG_BATCH_MAX + 1];
static struct msg_ack_output outputs[MSG_BATCH_MAX + 1];

static struct str letters_of(size_t length)
{
    return (struct str){ letters, length };
}

static int arrays_fill(void **state)
{
    (void)state;
    memset(letters, 'a', sizeof letters);
    for (size_t i = 0; i <= MSG_BATCH_MAX; i++) {
        for (size_t j = 0, rest = i; j < sizeof keys[i]; j++, rest /= 10) {
            keys[i][j] = (char)('0' + rest % 10);
        }
        struct str key = { keys[i], sizeof keys[i] };
        names[i] = key;
        pairs[i] = (struct msg_pair){ key, STR("v") };
        held[i] = (struct msg_held){ i + 1, HELD_RUNNING };
        verdicts[i] = (struct msg_verdict){ i + 1, VERDICT_KEEP, 0, 0 };
        tasks[i] = (struct msg_task){ i + 1, 1, STR("c/t"), STR("") };
        fences[i] = i + 1;
        outputs[i] = (struct msg_ack_output){ i + 1, STREAM_STDOUT, 1 };
    }
    return 0;
}

static void assert_accepted(const struct msg *sent)
{
    struct buf frame = { 0 };
    struct arena arena = { 0 };
    struct reason reason = { "" };
    struct msg received;
    size_t at = 0;
    assert_int_equal(wire_encode(sent, &frame, &reason), ERR_NONE);
    struct str bytes = { (const char *)frame.data, frame.length };
    assert_int_equal(wire_decode(bytes, &at, &arena, &received, &reason), ERR_NONE);
    assert_true(msg_equal(sent, &received));
    buf_done(&frame);
    arena_done(&arena);
}

static void assert_refused(const struct msg *sent, enum err expected, const char *field)
{
    struct buf frame = { 0 };
    struct reason reason = { "" };
    buf_append_text(&frame, "before");
    assert_int_equal(wire_encode(sent, &frame, &reason), expected);
    assert_non_null(strstr(reason.text, field));
    assert_int_equal(frame.length, 6);
    assert_memory_equal(frame.data, "before", 6);
    buf_done(&frame);
}

/* The sample of `kind` with a change made to it. */
#define ACCEPTED(kind, change)                                                                     \
    do {                                                                                           \
        struct msg m = sample_msg(kind);                                                           \
        change;                                                                                    \
        assert_accepted(&m);                                                                       \
    } while (0)
#define REFUSED(kind, err, field, change)                                                          \
    do {                                                                                           \
        struct msg m = sample_msg(kind);                                                           \
        change;                                                                                    \
        assert_refused(&m, err, field);                                                            \
    } while (0)
/* `set` with `most` is fine, with one more it is refused. */
#define LIMIT(kind, err, field, place, most)                                                       \
    do {                                                                                           \
        ACCEPTED(kind, m.place = (most));                                                          \
        REFUSED(kind, err, field, m.place = (most) + 1);                                           \
    } while (0)
#define TEXT_LIMIT(kind, field, place, most)                                                       \
    do {                                                                                           \
        ACCEPTED(kind, m.place = letters_of(most));                                                \
        REFUSED(kind, ERR_LIMIT, field, m.place = letters_of((most) + 1));                         \
        REFUSED(kind, ERR_INVALID, field, m.place = STR("a\x00z"));                                \
        REFUSED(kind, ERR_INVALID, field, m.place = STR("\xc3"));                                  \
    } while (0)
#define BYTES_LIMIT(kind, field, place, most)                                                      \
    do {                                                                                           \
        ACCEPTED(kind, m.place = letters_of(most));                                                \
        REFUSED(kind, ERR_LIMIT, field, m.place = letters_of((most) + 1));                         \
    } while (0)
#define COUNT_LIMIT(kind, field, place, array, most)                                               \
    do {                                                                                           \
        ACCEPTED(kind, (m.place = (array), m.place##_count = (most)));                             \
        REFUSED(kind, ERR_LIMIT, field, (m.place = (array), m.place##_count = (most) + 1));        \
        ACCEPTED(kind, m.place##_count = 0);                                                       \
    } while (0)

static void hello_keeps_its_limits(void **state)
{
    (void)state;
    TEXT_LIMIT(MSG_HELLO, "Hello.device", hello.device, MSG_NAME_BYTES_MAX);
    REFUSED(MSG_HELLO, ERR_INVALID, "Hello.device", m.hello.device = STR(""));
    REFUSED(MSG_HELLO, ERR_INVALID, "Hello.device", m.hello.device = STR("a/b"));
    REFUSED(MSG_HELLO, ERR_INVALID, "Hello.device", m.hello.device = STR("caf\xc3\xa9"));
    TEXT_LIMIT(MSG_HELLO, "Hello.agent_version", hello.agent_version, MSG_TEXT_BYTES_MAX);
    TEXT_LIMIT(MSG_HELLO, "Hello.boot_id", hello.boot_id, MSG_ID_BYTES_MAX);
    REFUSED(MSG_HELLO, ERR_INVALID, "Hello.boot_id", m.hello.boot_id = STR(""));
    REFUSED(MSG_HELLO, ERR_INVALID, "Hello.process_id", m.hello.process_id = 0);
    BYTES_LIMIT(MSG_HELLO, "Hello.journal_id", hello.journal_id, MSG_ID_BYTES_MAX);
    REFUSED(MSG_HELLO, ERR_INVALID, "Hello.journal_id", m.hello.journal_id = STR(""));
    LIMIT(MSG_HELLO, ERR_INVALID, "Hello.session", hello.session, MSG_NUMBER_MAX);
    COUNT_LIMIT(MSG_HELLO, "Hello.held", hello.held, held, MSG_HELD_MAX);
    COUNT_LIMIT(MSG_HELLO, "Hello.features", hello.features, names, MSG_FEATURES_MAX);
}

static void a_receipt_keeps_its_limits(void **state)
{
    (void)state;
    LIMIT(MSG_HELLO, ERR_INVALID, "Receipt.epoch", hello.receipt.epoch, MSG_EPOCH_MAX);
    LIMIT(MSG_HELLO, ERR_INVALID, "Receipt.fence", hello.receipt.fence, MSG_NUMBER_MAX);
    BYTES_LIMIT(MSG_WELCOME, "Receipt.start_id", welcome.receipt.start_id, MSG_ID_BYTES_MAX);
    BYTES_LIMIT(MSG_WELCOME, "Receipt.hmac", welcome.receipt.hmac, MSG_ID_BYTES_MAX);
    ACCEPTED(MSG_HELLO, m.hello.receipt = (struct msg_receipt){ 0 });
}

static void a_profile_keeps_its_limits(void **state)
{
    (void)state;
    TEXT_LIMIT(MSG_HELLO, "Profile.os", hello.profile.os, MSG_TEXT_BYTES_MAX);
    TEXT_LIMIT(MSG_HELLO, "Profile.arch", hello.profile.arch, MSG_TEXT_BYTES_MAX);
    TEXT_LIMIT(MSG_HELLO, "Profile.hostname", hello.profile.hostname, MSG_TEXT_BYTES_MAX);
    LIMIT(MSG_HELLO, ERR_INVALID, "Profile.memory_bytes", hello.profile.memory_bytes,
          MSG_NUMBER_MAX);
    LIMIT(MSG_HELLO, ERR_INVALID, "Profile.slots", hello.profile.slots, MSG_SLOTS_MAX);
    REFUSED(MSG_HELLO, ERR_INVALID, "Profile.slots", m.hello.profile.slots = 0);
    COUNT_LIMIT(MSG_HELLO, "Profile.executors", hello.profile.executors, names, MSG_EXECUTORS_MAX);
    COUNT_LIMIT(MSG_HELLO, "Profile.tools", hello.profile.tools, names, MSG_TOOLS_MAX);
    COUNT_LIMIT(MSG_HELLO, "Profile.labels", hello.profile.labels, pairs, MSG_LABELS_MAX);

    static struct str name;
    static struct msg_pair pair;
    name = letters_of(MSG_NAME_BYTES_MAX + 1);
    REFUSED(MSG_HELLO, ERR_LIMIT, "Profile.tools",
            (m.hello.profile.tools = &name, m.hello.profile.tools_count = 1));
    name = STR("");
    REFUSED(MSG_HELLO, ERR_INVALID, "Profile.executors",
            (m.hello.profile.executors = &name, m.hello.profile.executors_count = 1));
    pair = (struct msg_pair){ letters_of(MSG_NAME_BYTES_MAX + 1), STR("") };
    REFUSED(MSG_HELLO, ERR_LIMIT, "Profile.labels.key",
            (m.hello.profile.labels = &pair, m.hello.profile.labels_count = 1));
    pair = (struct msg_pair){ STR("k"), letters_of(MSG_NAME_BYTES_MAX + 1) };
    REFUSED(MSG_HELLO, ERR_LIMIT, "Profile.labels.value",
            (m.hello.profile.labels = &pair, m.hello.profile.labels_count = 1));
    static const struct msg_pair twice[] = { { { "k", 1 }, { "a", 1 } },
                                             { { "k", 1 }, { "b", 1 } } };
    REFUSED(MSG_HELLO, ERR_INVALID, "names a key twice",
            (m.hello.profile.labels = twice, m.hello.profile.labels_count = 2));
}

static void the_resources_of_a_profile_keep_their_limits(void **state)
{
    (void)state;
    static struct msg_resource some[MSG_RESOURCES_MAX + 1];
    static char names_of[MSG_RESOURCES_MAX + 1][8];
    for (size_t i = 0; i <= MSG_RESOURCES_MAX; i++) {
        snprintf(names_of[i], sizeof names_of[i], "r%zu", i);
        some[i] = (struct msg_resource){ str_of(names_of[i]), (int64_t)i };
    }
    COUNT_LIMIT(MSG_HELLO, "Profile.resources", hello.profile.resources, some, MSG_RESOURCES_MAX);
    static const struct msg_resource negative = { { "gpu", 3 }, -1 };
    REFUSED(MSG_HELLO, ERR_INVALID, "Profile.resources.amount_milli",
            (m.hello.profile.resources = &negative, m.hello.profile.resources_count = 1));
    static const struct msg_resource nameless = { { "", 0 }, 1 };
    REFUSED(MSG_HELLO, ERR_INVALID, "Profile.resources.name",
            (m.hello.profile.resources = &nameless, m.hello.profile.resources_count = 1));
    static const struct msg_resource twice[] = { { { "gpu", 3 }, 1 }, { { "gpu", 3 }, 2 } };
    REFUSED(MSG_HELLO, ERR_INVALID, "names one twice",
            (m.hello.profile.resources = twice, m.hello.profile.resources_count = 2));
}

static void held_attempts_are_real_and_named_once(void **state)
{
    (void)state;
    static struct msg_held some[3];
    memcpy(some, (struct msg_held[]){ { 5, HELD_DIED }, { 3, HELD_RUNNING }, { 5, HELD_RUNNING } },
           sizeof some);
    REFUSED(MSG_HELLO, ERR_INVALID, "twice", (m.hello.held = some, m.hello.held_count = 3));
    some[2].fence = 4;
    ACCEPTED(MSG_HELLO, (m.hello.held = some, m.hello.held_count = 3));
    some[1].fence = 0;
    REFUSED(MSG_HELLO, ERR_INVALID, "fence", (m.hello.held = some, m.hello.held_count = 3));
    some[1].fence = MSG_NUMBER_MAX + 1;
    REFUSED(MSG_HELLO, ERR_INVALID, "fence", (m.hello.held = some, m.hello.held_count = 3));
    some[1] = (struct msg_held){ 3, (enum held_state)(HELD_DIED + 1) };
    REFUSED(MSG_HELLO, ERR_INVALID, "state", (m.hello.held = some, m.hello.held_count = 3));
}

static void welcome_keeps_its_limits(void **state)
{
    (void)state;
    LIMIT(MSG_WELCOME, ERR_INVALID, "Welcome.session", welcome.session, MSG_NUMBER_MAX);
    REFUSED(MSG_WELCOME, ERR_INVALID, "Welcome.session", m.welcome.session = 0);
    LIMIT(MSG_WELCOME, ERR_INVALID, "Welcome.epoch", welcome.epoch, MSG_EPOCH_MAX);
    REFUSED(MSG_WELCOME, ERR_INVALID, "Welcome.epoch", m.welcome.epoch = 0);
    LIMIT(MSG_WELCOME, ERR_INVALID, "Welcome.lease_ms", welcome.lease_ms, MSG_DURATION_MS_MAX);
    REFUSED(MSG_WELCOME, ERR_INVALID, "Welcome.lease_ms", m.welcome.lease_ms = -1);
    REFUSED(MSG_WELCOME, ERR_INVALID, "Welcome.ping_ms", m.welcome.ping_ms = 0);
    REFUSED(MSG_WELCOME, ERR_INVALID, "not shorter", m.welcome.ping_ms = m.welcome.lease_ms);
    TEXT_LIMIT(MSG_WELCOME, "Welcome.daemon_version", welcome.daemon_version, MSG_TEXT_BYTES_MAX);
    COUNT_LIMIT(MSG_WELCOME, "Welcome.verdicts", welcome.verdicts, verdicts, MSG_HELD_MAX);
    COUNT_LIMIT(MSG_WELCOME, "Welcome.features", welcome.features, names, MSG_FEATURES_MAX);
    static struct msg_verdict some[2];
    some[0] = some[1] = verdicts[0];
    REFUSED(MSG_WELCOME, ERR_INVALID, "twice",
            (m.welcome.verdicts = some, m.welcome.verdicts_count = 2));
    some[0].verdict = (enum verdict)(VERDICT_DROP + 1);
    REFUSED(MSG_WELCOME, ERR_INVALID, "verdict",
            (m.welcome.verdicts = some, m.welcome.verdicts_count = 1));
    some[1].stdout_offset = MSG_NUMBER_MAX + 1;
    REFUSED(MSG_WELCOME, ERR_INVALID, "offset",
            (m.welcome.verdicts = some + 1, m.welcome.verdicts_count = 1));
}

static void assign_keeps_its_limits(void **state)
{
    (void)state;
    COUNT_LIMIT(MSG_ASSIGN, "Assign.tasks", assign.tasks, tasks, MSG_BATCH_MAX);
    static struct msg_task some[2];
#define ONE (m.assign.tasks = some, m.assign.tasks_count = 1)
    some[0] = some[1] = tasks[0];
    REFUSED(MSG_ASSIGN, ERR_INVALID, "twice", (ONE, m.assign.tasks_count = 2));
    some[0].body = letters_of(MSG_BODY_BYTES_MAX);
    some[0].name = letters_of(MSG_TEXT_BYTES_MAX);
    ACCEPTED(MSG_ASSIGN, ONE);
    some[0].body = letters_of(MSG_BODY_BYTES_MAX + 1);
    REFUSED(MSG_ASSIGN, ERR_LIMIT, "body", ONE);
    some[0].name = letters_of(MSG_TEXT_BYTES_MAX + 1);
    REFUSED(MSG_ASSIGN, ERR_LIMIT, "name", ONE);
    some[0].name = STR("");
    REFUSED(MSG_ASSIGN, ERR_INVALID, "name", ONE);
    some[0].attempt = 0;
    REFUSED(MSG_ASSIGN, ERR_INVALID, "attempt", ONE);
    some[0].fence = 0;
    REFUSED(MSG_ASSIGN, ERR_INVALID, "fence", ONE);
#undef ONE
}

/* The arithmetic that a sender splits its batches by is right to the byte that matters. */
static void an_assign_within_the_stated_cost_fits_an_envelope(void **state)
{
    (void)state;
    enum { COUNT = 256 };
    static struct msg_task some[COUNT];
    const size_t share = (MSG_ENVELOPE_BYTES_MAX - WIRE_ENVELOPE_BYTES) / COUNT - WIRE_TASK_BYTES;
    for (size_t i = 0; i < COUNT; i++) {
        some[i] = (struct msg_task){ MSG_NUMBER_MAX - i, UINT32_MAX, letters_of(200),
                                     letters_of(share - 200) };
    }
    ACCEPTED(MSG_ASSIGN, (m.assign.tasks = some, m.assign.tasks_count = COUNT));
    for (size_t i = 0; i < COUNT; i++) {
        some[i].body.length += WIRE_TASK_BYTES;
    }
    REFUSED(MSG_ASSIGN, ERR_LIMIT, "Assign has",
            (m.assign.tasks = some, m.assign.tasks_count = COUNT));
}

static void what_agents_report_keeps_its_limits(void **state)
{
    (void)state;
    REFUSED(MSG_READY, ERR_INVALID, "Ready.session", m.ready.session = 0);
    LIMIT(MSG_READY, ERR_INVALID, "Ready.session", ready.session, MSG_NUMBER_MAX);
    REFUSED(MSG_STARTED, ERR_INVALID, "Started.fence", m.started.fence = 0);
    LIMIT(MSG_STARTED, ERR_INVALID, "Started.wall_ms", started.wall_ms, MSG_WALL_MS_MAX);
    REFUSED(MSG_STARTED, ERR_INVALID, "Started.wall_ms", m.started.wall_ms = -1);
    REFUSED(MSG_OUTPUT, ERR_INVALID, "Output.fence", m.output.fence = 0);
    REFUSED(MSG_OUTPUT, ERR_INVALID, "Output.stream", m.output.stream = (enum stream)0);
    REFUSED(MSG_OUTPUT, ERR_INVALID, "Output.stream", m.output.stream = (enum stream)3);
    BYTES_LIMIT(MSG_OUTPUT, "Output.data", output.data, MSG_CHUNK_BYTES_MAX);
    REFUSED(MSG_OUTPUT, ERR_INVALID, "Output.data", m.output.data = STR(""));
    LIMIT(MSG_OUTPUT, ERR_INVALID, "Output.offset", output.offset,
          MSG_NUMBER_MAX - MSG_CHUNK_BYTES_MAX);
    REFUSED(MSG_FINISHED, ERR_INVALID, "Finished.fence", m.finished.fence = 0);
    REFUSED(MSG_FINISHED, ERR_INVALID, "Finished.outcome", m.finished.outcome = (enum outcome)0);
    REFUSED(MSG_FINISHED, ERR_INVALID, "Finished.outcome", m.finished.outcome = (enum outcome)7);
    LIMIT(MSG_FINISHED, ERR_INVALID, "Finished.exit_code", finished.exit_code, 255);
    REFUSED(MSG_FINISHED, ERR_INVALID, "Finished.exit_code", m.finished.exit_code = -1);
    LIMIT(MSG_FINISHED, ERR_INVALID, "Finished.signal", finished.signal, 127);
    REFUSED(MSG_FINISHED, ERR_INVALID, "Finished.signal", m.finished.signal = -1);
    TEXT_LIMIT(MSG_FINISHED, "Finished.reason", finished.reason, MSG_TEXT_BYTES_MAX);
    LIMIT(MSG_FINISHED, ERR_INVALID, "Finished.started_wall_ms", finished.started_wall_ms,
          MSG_WALL_MS_MAX);
    LIMIT(MSG_FINISHED, ERR_INVALID, "Finished.duration_ms", finished.duration_ms,
          MSG_DURATION_MS_MAX);
    REFUSED(MSG_FINISHED, ERR_INVALID, "Finished.duration_ms", m.finished.duration_ms = -1);
    LIMIT(MSG_FINISHED, ERR_INVALID, "Finished.stdout_bytes", finished.stdout_bytes,
          MSG_NUMBER_MAX);
    LIMIT(MSG_FINISHED, ERR_INVALID, "Finished.stderr_bytes", finished.stderr_bytes,
          MSG_NUMBER_MAX);
    TEXT_LIMIT(MSG_FINISHED, "Finished.result", finished.result, MSG_RESULT_BYTES_MAX);
}

static void answers_keep_their_limits(void **state)
{
    (void)state;
    COUNT_LIMIT(MSG_ACK, "Ack.finished", ack.finished, fences, MSG_BATCH_MAX);
    COUNT_LIMIT(MSG_ACK, "Ack.outputs", ack.outputs, outputs, MSG_BATCH_MAX);
    static const uint64_t zero = 0;
    static struct msg_ack_output output;
    REFUSED(MSG_ACK, ERR_INVALID, "Ack.finished",
            (m.ack.finished = &zero, m.ack.finished_count = 1));
    output = (struct msg_ack_output){ 1, (enum stream)9, 0 };
    REFUSED(MSG_ACK, ERR_INVALID, "stream", (m.ack.outputs = &output, m.ack.outputs_count = 1));
    output = (struct msg_ack_output){ 1, STREAM_STDOUT, MSG_NUMBER_MAX + 1 };
    REFUSED(MSG_ACK, ERR_INVALID, "offset", (m.ack.outputs = &output, m.ack.outputs_count = 1));
    output = (struct msg_ack_output){ 0, STREAM_STDOUT, 1 };
    REFUSED(MSG_ACK, ERR_INVALID, "fence", (m.ack.outputs = &output, m.ack.outputs_count = 1));
    COUNT_LIMIT(MSG_CANCEL, "Cancel.fences", cancel.fences, fences, MSG_BATCH_MAX);
    REFUSED(MSG_CANCEL, ERR_INVALID, "Cancel.fences",
            (m.cancel.fences = &zero, m.cancel.fences_count = 1));
    TEXT_LIMIT(MSG_CANCEL, "Cancel.reason", cancel.reason, MSG_TEXT_BYTES_MAX);
    REFUSED(MSG_ERROR, ERR_INVALID, "Error.code", m.error.code = (enum msg_error_code)0);
    REFUSED(MSG_ERROR, ERR_INVALID, "Error.code", m.error.code = (enum msg_error_code)11);
    TEXT_LIMIT(MSG_ERROR, "Error.reason", error.reason, MSG_TEXT_BYTES_MAX);
    TEXT_LIMIT(MSG_GOODBYE, "Goodbye.reason", goodbye.reason, MSG_TEXT_BYTES_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hello_keeps_its_limits),
        cmocka_unit_test(a_receipt_keeps_its_limits),
        cmocka_unit_test(a_profile_keeps_its_limits),
        cmocka_unit_test(the_resources_of_a_profile_keep_their_limits),
        cmocka_unit_test(held_attempts_are_real_and_named_once),
        cmocka_unit_test(welcome_keeps_its_limits),
        cmocka_unit_test(assign_keeps_its_limits),
        cmocka_unit_test(an_assign_within_the_stated_cost_fits_an_envelope),
        cmocka_unit_test(what_agents_report_keeps_its_limits),
        cmocka_unit_test(answers_keep_their_limits),
    };
    return cmocka_run_group_tests(tests, arrays_fill, NULL);
}
