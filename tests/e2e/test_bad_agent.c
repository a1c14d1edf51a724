/* Peers at /aip that do not keep the rules are refused with a reason, and the daemon serves on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "proto/wire.h"
#include "tests/e2e/aip.h"
#include "tests/e2e/ask.h"
#include "tests/e2e/history.h"

enum { LIMIT_MS = 20000 };

static struct aip peers[3];

static void daemon_serves_on(struct fleet *fleet)
{
    assert_false(process_has_ended(&fleet->daemon));
    assert_int_equal(ask_status(fleet, "GET", "/healthz", NULL), 200);
}

static void another_subprotocol_is_refused(void **state)
{
    struct fleet *fleet = *state;
    fleet_daemon_start(fleet);
    aip_open(&peers[0], fleet, "aip.v9", "");
    assert_int_equal(peers[0].status, 400);
    assert_non_null(strstr(peers[0].answer, "aip.v1"));
    aip_done(&peers[0]);
    daemon_serves_on(fleet);
    fleet_passed(fleet);
}

static void garbage_closes_the_connection_with_a_reason(void **state)
{
    struct fleet *fleet = *state;
    fleet_daemon_start(fleet);
    struct msg welcome;
    for (int greeted = 0; greeted < 2; greeted++) {
        aip_open(&peers[0], fleet, "aip.v1", "");
        assert_int_equal(peers[0].status, 101);
        assert_true(greeted == 0 || aip_greet(&peers[0], "garbler", "j", &welcome));
        assert_true(aip_frame(&peers[0], AIP_BINARY, "\xff\xfe\xfd\xfc garbage", 12));
        assert_true(aip_expect_closed(&peers[0], LIMIT_MS));
        assert_int_equal(peers[0].close_code, 1002);
        assert_true(peers[0].close_reason[0] != 0);
        assert_true(peers[0].error_reason[0] != 0);
        aip_done(&peers[0]);
    }
    daemon_serves_on(fleet);
    fleet_passed(fleet);
}

static void a_frame_over_the_limit_is_refused_before_it_is_taken(void **state)
{
    struct fleet *fleet = *state;
    fleet_daemon_start(fleet);
    struct msg welcome;
    char *bytes = mem_alloc(MSG_FRAME_BYTES_MAX + 1);
    aip_open(&peers[0], fleet, "aip.v1", "");
    assert_true(aip_greet(&peers[0], "fat", "j", &welcome));
    aip_frame(&peers[0], AIP_BINARY, bytes, MSG_FRAME_BYTES_MAX + 1); /* may be cut off in it */
    assert_true(aip_expect_closed(&peers[0], LIMIT_MS));
    assert_true(peers[0].close_code == 1009 || peers[0].close_code == 0);
    aip_done(&peers[0]);
    mem_free(bytes);
    EVENTUALLY(LIMIT_MS, file_count(fleet->daemon.err, "too long") > 0);
    daemon_serves_on(fleet);
    fleet_passed(fleet);
}

static void an_envelope_over_the_limit_is_refused(void **state)
{
    struct fleet *fleet = *state;
    fleet_daemon_start(fleet);
    struct msg welcome;
    char *bytes = mem_alloc(MSG_ENVELOPE_BYTES_MAX + 64);
    bytes[0] = '\x81'; /* the varint of 1 MiB and one */
    bytes[1] = '\x80';
    bytes[2] = '\x40';
    aip_open(&peers[0], fleet, "aip.v1", "");
    assert_true(aip_greet(&peers[0], "fat", "j", &welcome));
    aip_frame(&peers[0], AIP_BINARY, bytes, MSG_ENVELOPE_BYTES_MAX + 4);
    assert_true(aip_expect_closed(&peers[0], LIMIT_MS));
    assert_true(peers[0].close_code >= 1002);
    aip_done(&peers[0]);
    mem_free(bytes);
    daemon_serves_on(fleet);
    fleet_passed(fleet);
}

/* Envelopes of a kind that nobody knows yet, so that it is their number alone that is too much. */
static void more_envelopes_than_a_frame_may_have_are_refused(void **state)
{
    static const uint8_t unknown[] = { 3, 0xa2, 0x06, 0 };
    struct fleet *fleet = *state;
    fleet_daemon_start(fleet);
    struct msg welcome;
    struct buf frame = { NULL, 0, 0 };
    for (int i = 0; i < MSG_FRAME_ENVELOPES_MAX; i++) {
        buf_append(&frame, unknown, sizeof(unknown));
    }
    aip_open(&peers[0], fleet, "aip.v1", "");
    assert_true(aip_greet(&peers[0], "many", "j", &welcome));
    assert_true(aip_frame(&peers[0], AIP_BINARY, frame.data, frame.length));
    buf_append(&frame, unknown, sizeof(unknown));
    assert_true(aip_frame(&peers[0], AIP_BINARY, frame.data, frame.length));
    assert_true(aip_expect_closed(&peers[0], LIMIT_MS));
    assert_non_null(strstr(peers[0].error_reason, "too many envelopes"));
    assert_int_equal(file_count(fleet->daemon.err, "channel.bad_frame"), 1);
    aip_done(&peers[0]);
    buf_done(&frame);
    daemon_serves_on(fleet);
    fleet_passed(fleet);
}

static void text_is_refused_and_so_is_a_message_before_hello(void **state)
{
    struct fleet *fleet = *state;
    fleet_daemon_start(fleet);
    aip_open(&peers[0], fleet, "aip.v1", "");
    assert_true(aip_frame(&peers[0], AIP_TEXT, "hello", 5));
    assert_true(aip_expect_closed(&peers[0], LIMIT_MS));
    assert_int_equal(peers[0].close_code, 1003);
    aip_done(&peers[0]);
    aip_open(&peers[0], fleet, "aip.v1", "");
    struct msg ping = { .kind = MSG_PING, .ping = { 1 } };
    assert_true(aip_send(&peers[0], &ping));
    assert_true(aip_expect_closed(&peers[0], LIMIT_MS));
    assert_non_null(strstr(peers[0].error_reason, "before Hello"));
    aip_done(&peers[0]);
    daemon_serves_on(fleet);
    fleet_passed(fleet);
}

/* Three ways to take a connection and give nothing for it, side by side. */
static void the_silent_and_the_slow_are_closed(void **state)
{
    struct fleet *fleet = *state;
    fleet_daemon_start(fleet);
    struct msg welcome;
    int64_t began = now_ms();
    aip_open(&peers[0], fleet, "aip.v1", ""); /* never says Hello */
    aip_open(&peers[1], fleet, "aip.v1", ""); /* a byte at a time after it */
    assert_true(aip_greet(&peers[1], "slow", "j", &welcome));
    peers[2] = (struct aip){ .fd = aip_socket(fleet) }; /* a byte of a request at a time */
    assert_true(aip_bytes(&peers[1], "\x82\xfe\x10\x00\0\0\0", 8)); /* 4096 bytes follow */
    static const char request[] = "GET /api/v1/constellations HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ";
    int64_t closed[3] = { 0 };
    for (int64_t bytes = 0; closed[0] == 0 || closed[1] == 0 || closed[2] == 0;) {
        assert_true(now_ms() - began < 45000);
        if (now_ms() - began >= bytes * 1000) { /* a byte a second */
            if (closed[1] == 0) {
                aip_bytes(&peers[1], "x", 1);
            }
            if (closed[2] == 0) {
                aip_bytes(&peers[2], &request[(size_t)bytes % (sizeof request - 1)], 1);
            }
            bytes++;
        }
        for (int i = 0; i < 3; i++) {
            closed[i] = closed[i] == 0 && aip_has_ended(&peers[i]) ? now_ms() - began : closed[i];
        }
        look_again();
    }
    print_message("closed after %lld, %lld and %lld ms\n", (long long)closed[0],
                  (long long)closed[1], (long long)closed[2]);
    assert_in_range(closed[0], 9000, 16000);
    assert_int_equal(peers[0].close_code, 1008);
    assert_in_range(closed[1], 29000, 40000);
    assert_int_equal(peers[1].close_code, 1008);
    assert_in_range(closed[2], 5000, 40000);
    for (int i = 0; i < 3; i++) {
        aip_done(&peers[i]);
    }
    daemon_serves_on(fleet);
    fleet_passed(fleet);
}

static void a_device_that_is_live_elsewhere_is_refused(void **state)
{
    struct fleet *fleet = *state;
    fleet_quick(fleet, "10s");
    fleet_daemon_start(fleet);
    struct fleet_agent *first = fleet_agent_add(fleet, "twin", 1);
    fleet_agent_start(fleet, first);
    fleet_agents_connected(fleet, 1);
    struct fleet_agent *second = fleet_agent_add(fleet, "other", 1);
    snprintf(second->name, sizeof second->name, "twin");
    fleet_agent_start(fleet, second);
    EVENTUALLY(LIMIT_MS, file_count(second->process.err, "code=duplicate") > 0);
    assert_int_equal(history_number(fleet, "SELECT count(*) FROM event WHERE kind = 17 AND"
                                           " text LIKE 'twin: %live on another%'"),
                     1);
    const char *spec =
        fleet_write(fleet, "one.yaml", "name: one\ntasks:\n  a: {noop: true, device: twin}\n");
    cli_expect(fleet, 0, "succeeded", "run", spec, NULL);
    fleet_agents_connected(fleet, 1);
    assert_int_equal(file_count(first->process.err, "connection.closed"), 0);
    fleet_passed(fleet);
}

/* It may say what it likes about work that is not its own. */
static void one_device_cannot_end_the_task_of_another(void **state)
{
    struct fleet *fleet = *state;
    fleet_daemon_start(fleet);
    fleet_agent_start(fleet, fleet_agent_add(fleet, "honest", 1));
    const char *spec =
        fleet_write(fleet, "long.yaml", "name: long\ntasks:\n  a: {sleep: 1h, device: honest}\n");
    char id[128];
    snprintf(id, sizeof id, "%s", submitted(fleet, spec));
    EVENTUALLY(LIMIT_MS, strcmp(state_of(fleet, id, "a"), "running") == 0);
    uint64_t fence = (uint64_t)history_number(fleet, "SELECT fence FROM task");
    struct msg welcome;
    aip_open(&peers[0], fleet, "aip.v1", "");
    assert_true(aip_greet(&peers[0], "liar", "j", &welcome));
    struct msg finished = {
        .kind = MSG_FINISHED,
        .finished = { .fence = fence, .outcome = OUTCOME_EXITED, .result = STR("\"forged\"") }
    };
    struct msg output = { .kind = MSG_OUTPUT,
                          .output = { fence, STREAM_STDOUT, 0, STR("forged") } };
    struct msg ping = { .kind = MSG_PING, .ping = { 7 } };
    struct msg pong;
    assert_true(aip_send(&peers[0], &output));
    assert_true(aip_send(&peers[0], &finished));
    assert_true(aip_send(&peers[0], &ping));
    assert_true(aip_expect(&peers[0], MSG_PONG, LIMIT_MS, &pong));
    assert_string_equal(state_of(fleet, id, "a"), "running");
    assert_int_equal(history_number(fleet, "SELECT stdout_bytes FROM attempt"), 0);
    assert_true(history_number(fleet, "SELECT count(*) FROM event WHERE kind = 14") > 0);
    aip_done(&peers[0]);
    fleet_passed(fleet);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, fleet_setup, fleet_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(another_subprotocol_is_refused),
        ROW(garbage_closes_the_connection_with_a_reason),
        ROW(a_frame_over_the_limit_is_refused_before_it_is_taken),
        ROW(an_envelope_over_the_limit_is_refused),
        ROW(more_envelopes_than_a_frame_may_have_are_refused),
        ROW(text_is_refused_and_so_is_a_message_before_hello),
        ROW(the_silent_and_the_slow_are_closed),
        ROW(a_device_that_is_live_elsewhere_is_refused),
        ROW(one_device_cannot_end_the_task_of_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
