/* Agents' channels over real sockets: the daemon's side and the client's, and every bad ending. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/net/nest.h"
#include "common/net/ws_client.h"
#include "tests/unit/net_house.h"

/* An agent's connection that writes down what it sees. */
struct caller {
    struct house *house;
    struct ws_client *client;
    unsigned opened;
    unsigned frames;
    unsigned bytes;
    unsigned closed;
    unsigned writable;
    int code;
    char why[256];
    struct buf got;
    bool frees_itself; /* from inside `frame` and `closed` */
};

static void on_opened(void *context)
{
    ((struct caller *)context)->opened++;
}

static void on_frame(void *context, struct str frame)
{
    struct caller *caller = context;
    caller->frames++;
    caller->bytes += (unsigned)frame.length;
    if (caller->frees_itself) {
        ws_client_free(caller->client);
        caller->client = NULL;
    }
    buf_append(&caller->got, frame.data, frame.length); /* still valid */
}

static void on_writable(void *context)
{
    ((struct caller *)context)->writable++;
}

static void on_closed(void *context, int code, const char *why)
{
    struct caller *caller = context;
    caller->closed++;
    caller->code = code;
    snprintf(caller->why, sizeof caller->why, "%s", why);
    if (caller->frees_itself) {
        ws_client_free(caller->client);
        caller->client = NULL;
    }
}

static void caller_dial(struct caller *caller, struct house *house, const char *token)
{
    char url[64];
    snprintf(url, sizeof url, "ws://127.0.0.1:%u", net_port(house->net));
    struct ws_client_config config = { url, "/aip", "aip.v1", token, NULL, 4 << 20, 64 << 20 };
    struct ws_client_callbacks callbacks = { caller, on_opened, on_frame, on_writable, on_closed };
    struct reason reason = { "" };
    *caller = (struct caller){ .house = house };
    assert_int_equal(ws_client_new(house->nest, &config, &callbacks, &caller->client, &reason),
                     ERR_NONE);
    ws_client_dial(caller->client);
}

static void caller_open(struct caller *caller, struct house *house)
{
    caller_dial(caller, house, house->wants_token ? "agent-token" : NULL);
    house_until_count(house, &caller->opened, 1);
}

static void caller_done(struct caller *caller)
{
    ws_client_free(caller->client);
    buf_done(&caller->got);
}

static int setup(void **state)
{
    house_set_up(state);
    struct house *house = *state;
    house->echoes = true;
    return 0;
}

static void an_agent_is_known_by_its_token_and_gets_what_it_sent(void **state)
{
    struct house *house = *state;
    house->wants_token = true;
    house_open(house);
    struct caller caller;
    caller_open(&caller, house);
    house_until_count(house, &house->opened, 1);
    assert_int_equal(house->identity.role, NET_ROLE_AGENT);
    assert_string_equal(house->identity.device, "desk");
    assert_memory_equal(house->peer, "127.0.0.1:", 10);
    assert_int_equal(net_stats(house->net).channels, 1);
    assert_int_equal(ws_client_send(caller.client, STR("hello")), ERR_NONE);
    house_until_count(house, &caller.frames, 1);
    assert_int_equal(caller.got.length, 5);
    assert_memory_equal(caller.got.data, "hello", 5);
    caller_done(&caller);
    house_until_count(house, &house->closed, 1);
    assert_int_equal(net_stats(house->net).channels, 0);
    net_channel_send(house->net, house->channel, STR("late")); /* gone: nothing */
    net_channel_close(house->net, house->channel, 1000, "late");
}

static void many_small_messages_travel_in_few_frames_and_in_order(void **state)
{
    enum { COUNT = 50000 };
    struct house *house = *state;
    house_open(house);
    struct caller caller;
    caller_open(&caller, house);
    for (uint64_t i = 0; i < COUNT; i++) {
        struct str number = { (const char *)&i, sizeof i };
        assert_int_equal(ws_client_send(caller.client, number), ERR_NONE);
    }
    assert_int_equal(ws_client_queued(caller.client), COUNT * sizeof(uint64_t));
    house_until_count(house, &caller.bytes, COUNT * sizeof(uint64_t));
    for (uint64_t i = 0; i < COUNT; i++) {
        uint64_t number;
        memcpy(&number, caller.got.data + i * sizeof number, sizeof number);
        assert_int_equal(number, i);
    }
    assert_true(caller.frames <= 10); /* 400,000 bytes, 64 KiB at a time */
    assert_true(house->frames <= 10);
    caller_done(&caller);
}

static void a_large_message_goes_alone_and_whole(void **state)
{
    struct house *house = *state;
    house_open(house);
    struct caller caller;
    caller_open(&caller, house);
    size_t bytes = (4 << 20) - 7;
    uint8_t *large = malloc(bytes);
    for (size_t i = 0; i < bytes; i++) {
        large[i] = (uint8_t)(i * 7 + i / 251);
    }
    ws_client_send(caller.client, STR("before"));
    ws_client_send(caller.client, (struct str){ (const char *)large, bytes });
    ws_client_send(caller.client, STR("after"));
    house_until_count(house, &caller.frames, 3);
    assert_int_equal(caller.got.length, bytes + 11);
    assert_memory_equal(caller.got.data, "before", 6);
    assert_memory_equal(caller.got.data + 6, large, bytes);
    assert_memory_equal(caller.got.data + 6 + bytes, "after", 5);
    caller_done(&caller);
    free(large);
}

static void a_full_queue_of_the_client_says_so_and_when_it_is_over(void **state)
{
    struct house *house = *state;
    house->echoes = false;
    house_open(house);
    struct caller caller;
    caller_open(&caller, house);
    size_t bytes = (size_t)1 << 20;
    char *piece = calloc(1, bytes);
    unsigned sent = 0;
    while (ws_client_send(caller.client, (struct str){ piece, bytes }) == ERR_NONE) {
        sent++;
    }
    assert_int_equal(sent, 64);
    assert_int_equal(ws_client_send(caller.client, STR("x")), ERR_LIMIT);
    house_until_count(house, &caller.writable, 1);
    assert_true(ws_client_queued(caller.client) <= (size_t)32 << 20);
    house_until_count(house, &house->frames, sent);
    assert_int_equal(caller.writable, 1);
    caller_done(&caller);
    free(piece);
}

static void the_daemon_s_goodbye_arrives_after_what_was_queued(void **state)
{
    struct house *house = *state;
    house_open(house);
    struct caller caller;
    caller_open(&caller, house);
    house_until_count(house, &house->opened, 1);
    net_channel_send(house->net, house->channel, STR("last words"));
    net_channel_close(house->net, house->channel, 4001, "another device took over");
    net_channel_send(house->net, house->channel, STR("too late"));
    house_until_count(house, &caller.closed, 1);
    assert_int_equal(caller.code, 4001);
    assert_string_equal(caller.why, "another device took over");
    assert_int_equal(caller.bytes, 10);
    house_until_count(house, &house->closed, 1);
    assert_string_equal(house->closed_why, "another device took over");
    assert_int_equal(ws_client_send(caller.client, STR("x")), ERR_CLOSED);
    /* It may dial again. */
    ws_client_dial(caller.client);
    house_until_count(house, &caller.opened, 2);
    caller_done(&caller);
}

static void a_goodbye_waits_for_its_answer(void **state)
{
    struct house *house = *state;
    house_open(house);
    struct raw raw;
    raw_open(&raw, house);
    raw_upgrade(&raw);
    house_until_count(house, &house->opened, 1);
    net_channel_close(house->net, house->channel, 1008, "refused");
    raw_until_text(&raw, "refused");
    /* What the agent had under way must not make the system throw the goodbye away. */
    raw_send_frame(&raw, 0x82, 5, "hello", 5);
    for (int i = 0; i < 10; i++) {
        nest_run_once(house->nest, false);
    }
    assert_false(raw.ended);
    assert_int_equal(house->frames, 0);
    raw_send_frame(&raw, 0x88, 2, "\x03\xf0", 2);
    raw_until_end(&raw);
    assert_int_equal(raw_close_code(&raw), 1008);
    raw_close(&raw);
    house_until_count(house, &house->closed, 1);
    assert_string_equal(house->closed_why, "refused");
}

static void a_long_reason_is_cut_between_characters(void **state)
{
    struct house *house = *state;
    house_open(house);
    struct caller caller;
    caller_open(&caller, house);
    house_until_count(house, &house->opened, 1);
    char why[400] = "x";
    for (int i = 0; i < 150; i++) {
        memcpy(why + 1 + (size_t)i * 2, "\xc3\xa4", 3);
    }
    net_channel_close(house->net, house->channel, 1008, why);
    house_until_count(house, &caller.closed, 1);
    assert_int_equal(caller.code, 1008);
    assert_int_equal(strlen(caller.why), 119);
    caller_done(&caller);
}

static void the_agent_s_goodbye_arrives_after_what_was_queued(void **state)
{
    struct house *house = *state;
    house_open(house);
    struct caller caller;
    caller_open(&caller, house);
    ws_client_send(caller.client, STR("last words"));
    ws_client_close(caller.client, 1001, "going home");
    house_until_count(house, &house->closed, 1);
    assert_string_equal(house->closed_why, "the agent closed it: 1001 going home");
    assert_int_equal(house->frame_bytes, 10);
    house_until_count(house, &caller.closed, 1);
    assert_int_equal(caller.code, 1001);
    caller_done(&caller);
}

static void a_client_may_be_freed_inside_its_callbacks(void **state)
{
    struct house *house = *state;
    house_open(house);
    struct caller caller;
    caller_open(&caller, house);
    caller.frees_itself = true;
    ws_client_send(caller.client, STR("hello"));
    house_until_count(house, &caller.frames, 1);
    assert_memory_equal(caller.got.data, "hello", 5);
    house_until_count(house, &house->closed, 1);
    caller_done(&caller);
    house->wants_token = true;
    caller_dial(&caller, house, "wrong");
    caller.frees_itself = true;
    house_until_count(house, &caller.closed, 1);
    caller_done(&caller);
}

static void a_wrong_token_or_role_does_not_open_a_channel(void **state)
{
    struct house *house = *state;
    house->wants_token = true;
    house_open(house);
    static const struct {
        const char *token;
        int code;
    } rows[] = { { NULL, 401 }, { "wrong", 401 }, { "viewer-token", 403 }, { "admin-token", 403 } };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct caller caller;
        caller_dial(&caller, house, rows[i].token);
        house_until_count(house, &caller.closed, 1);
        assert_int_equal(caller.opened, 0);
        assert_int_equal(caller.code, rows[i].code);
        char why[64];
        snprintf(why, sizeof why, "the server answered HTTP %d", rows[i].code);
        assert_string_equal(caller.why, why);
        caller_done(&caller);
    }
    assert_int_equal(house->opened, 0);
}

static void an_upgrade_that_is_not_ours_is_refused(void **state)
{
    struct house *house = *state;
    house_open(house);
    static const struct {
        const char *path;
        const char *headers;
        const char *status;
    } rows[] = {
        { "/aip", "Host: evil.example\r\nSec-WebSocket-Protocol: aip.v1\r\n", " 421 " },
        { "/aip",
          "Host: localhost\r\nOrigin: http://evil.example\r\n"
          "Sec-WebSocket-Protocol: aip.v1\r\n",
          " 403 " },
        { "/api", "Host: localhost\r\nSec-WebSocket-Protocol: aip.v1\r\n", " 404 " },
        { "/aip", "Host: localhost\r\nSec-WebSocket-Protocol: aip.v9, chat\r\n", " 400 " },
        { "/aip", "Host: localhost\r\n", " 400 " },
        { "/aip", "Host: localhost\r\nSec-WebSocket-Protocol: chat, aip.v1\r\n", " 101 " },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct raw raw;
        raw_open(&raw, house);
        char text[512];
        snprintf(text, sizeof text,
                 "GET %s HTTP/1.1\r\n%sUpgrade: websocket\r\nConnection: Upgrade\r\n"
                 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
                 rows[i].path, rows[i].headers);
        raw_send(&raw, text);
        raw_until_text(&raw, rows[i].status);
        raw_close(&raw);
    }
    house_until_count(house, &house->closed, 1);
    assert_int_equal(house->opened, 1);
}

static void a_message_over_the_limit_closes_with_1009(void **state)
{
    struct house *house = *state;
    house->config.frame_bytes_max = 1000;
    house_open(house);
    char bytes[1001] = { 0 };
    struct raw raw;
    /* By what it announces; by its pieces together. */
    raw_open(&raw, house);
    raw_upgrade(&raw);
    raw_send_frame(&raw, 0x82, (size_t)1 << 40, bytes, 10);
    assert_int_equal(raw_until_close(&raw), 1009);
    raw_close(&raw);

    raw_open(&raw, house);
    raw_upgrade(&raw);
    raw_send_frame(&raw, 0x02, 600, bytes, 600);
    raw_send_frame(&raw, 0x00, 600, bytes, 600);
    assert_int_equal(raw_until_close(&raw), 1009);
    raw_close(&raw);

    house_until_count(house, &house->closed, 2);
    assert_int_equal(house->frames, 0);
    raw_open(&raw, house);
    raw_upgrade(&raw);
    raw_send_frame(&raw, 0x02, 600, bytes, 600);
    raw_send_frame(&raw, 0x80, 400, bytes, 400);
    house_until_count(house, &house->frames, 1);
    assert_int_equal(house->frame.length, 1000);
    raw_close(&raw);
}

static void a_text_message_closes_with_1003(void **state)
{
    struct house *house = *state;
    house_open(house);
    struct raw raw;
    raw_open(&raw, house);
    raw_upgrade(&raw);
    raw_send_frame(&raw, 0x81, 5, "hello", 5);
    assert_int_equal(raw_until_close(&raw), 1003);
    raw_close(&raw);
    house_until_count(house, &house->closed, 1);
    assert_int_equal(house->frames, 0);
}

static void a_message_that_is_never_complete_closes_with_1008(void **state)
{
    struct house *house = *state;
    house->config.frame_timeout_ms = 50;
    house_open(house);
    struct raw raw;
    raw_open(&raw, house);
    raw_upgrade(&raw);
    raw_send_frame(&raw, 0x82, 1 << 20, "a", 1);
    /* A byte now and then does not help. */
    while (!raw.ended && raw_close_code(&raw) == 0) {
        raw_send(&raw, "b");
        nest_run_once(house->nest, true);
    }
    assert_int_equal(raw_close_code(&raw), 1008);
    raw_close(&raw);
    house_until_count(house, &house->closed, 1);
    assert_string_equal(house->closed_why, "a message was not complete in time");
}

static void an_agent_that_does_not_read_is_closed(void **state)
{
    struct house *house = *state;
    house->config.channel_queue_bytes_max = 1 << 20;
    house_open(house);
    struct raw raw;
    raw_open(&raw, house);
    raw_upgrade(&raw);
    house_until_count(house, &house->opened, 1);
    char *piece = calloc(1, 100000);
    for (int i = 0; i < 11; i++) {
        net_channel_send(house->net, house->channel, (struct str){ piece, 100000 });
    }
    free(piece);
    assert_int_equal(raw_until_close(&raw), 1013);
    raw_close(&raw);
    house_until_count(house, &house->closed, 1);
    assert_string_equal(house->closed_why, "the agent does not read fast enough");
}

static void an_agent_that_is_cut_off_is_noticed(void **state)
{
    struct house *house = *state;
    house_open(house);
    struct raw raw;
    raw_open(&raw, house);
    raw_upgrade(&raw);
    raw_send_frame(&raw, 0x82, 1000, "half", 4);
    raw_close(&raw);
    house_until_count(house, &house->closed, 1);
    assert_int_equal(house->frames, 0);
    assert_string_equal(house->closed_why, "the connection was cut");
}

static void ending_it_with_channels_open_leaves_nothing(void **state)
{
    struct house *house = *state;
    house_open(house);
    struct caller callers[3];
    for (int i = 0; i < 3; i++) {
        caller_open(&callers[i], house);
    }
    house_until_count(house, &house->opened, 3);
    net_channel_send(house->net, house->channel, STR("unsent"));
    ws_client_send(callers[0].client, STR("unsent"));
    net_free(house->net);
    house->net = NULL;
    assert_int_equal(house->closed, 0); /* nobody is called any more */
    house_until_count(house, &callers[1].closed, 1);
    /* The others end with the nest. */
    for (int i = 0; i < 3; i++) {
        caller_done(&callers[i]);
    }
}

static void hundreds_of_clients_share_one_nest(void **state)
{
    enum { COUNT = 200 };
    struct house *house = *state;
    house->config.connections_max = COUNT;
    house_open(house);
    struct caller *callers = calloc(COUNT, sizeof *callers);
    for (int i = 0; i < COUNT; i++) {
        caller_dial(&callers[i], house, NULL);
    }
    house_until_count(house, &house->opened, COUNT);
    for (int i = 0; i < COUNT; i++) {
        house_until_count(house, &callers[i].opened, 1);
        ws_client_send(callers[i].client, STR("hello"));
    }
    for (int i = 0; i < COUNT; i++) {
        house_until_count(house, &callers[i].bytes, 5);
        caller_done(&callers[i]);
    }
    house_until_count(house, &house->closed, COUNT);
    free(callers);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, house_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_agent_is_known_by_its_token_and_gets_what_it_sent),
        TEST(many_small_messages_travel_in_few_frames_and_in_order),
        TEST(a_large_message_goes_alone_and_whole),
        TEST(a_full_queue_of_the_client_says_so_and_when_it_is_over),
        TEST(the_daemon_s_goodbye_arrives_after_what_was_queued),
        TEST(a_goodbye_waits_for_its_answer),
        TEST(a_long_reason_is_cut_between_characters),
        TEST(the_agent_s_goodbye_arrives_after_what_was_queued),
        TEST(a_client_may_be_freed_inside_its_callbacks),
        TEST(a_wrong_token_or_role_does_not_open_a_channel),
        TEST(an_upgrade_that_is_not_ours_is_refused),
        TEST(a_message_over_the_limit_closes_with_1009),
        TEST(a_text_message_closes_with_1003),
        TEST(a_message_that_is_never_complete_closes_with_1008),
        TEST(an_agent_that_does_not_read_is_closed),
        TEST(an_agent_that_is_cut_off_is_noticed),
        TEST(ending_it_with_channels_open_leaves_nothing),
        TEST(hundreds_of_clients_share_one_nest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
