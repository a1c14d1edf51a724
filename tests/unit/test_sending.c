/* What goes out asks nothing of the system: what it waits for is not changed for a message. */
#include <event2/event.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/net/nest.h"
#include "tests/unit/net_house.h"

enum { PASSES = 40, PIECES = 256, PIECE_BYTES = 60 * 1024, BYTES = PIECES * PIECE_BYTES };

static unsigned changes;

/* The libraries' own, counted. */
int epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
{
    changes++;
    return (int)syscall(SYS_epoll_ctl, epoll, operation, fd, event);
}

static int setup(void **state)
{
    struct house *house = calloc(1, sizeof *house);
    house_init(house);
    *state = house;
    return 0;
}

static int teardown(void **state)
{
    struct house *house = *state;
    house_close(house);
    free(house);
    return 0;
}

static void open_channel(struct house *house, struct raw *raw)
{
    house_open(house);
    raw_open(raw, house);
    raw_upgrade(raw);
    house_until_count(house, &house->opened, 1);
    for (int i = 0; i < PASSES; i++) {
        nest_run_once(house->nest, false);
    }
    buf_clear(&raw->got);
}

static void a_message_to_an_agent_changes_nothing_that_is_waited_for(void **state)
{
    struct house *house = *state;
    struct raw raw;
    open_channel(house, &raw);
    unsigned before = changes;
    assert_true(before > 0);
    net_channel_send(house->net, house->channel, STR("first,"));
    net_channel_send(house->net, house->channel, STR("second"));
    nest_run_once(house->nest, false);
    assert_int_equal(changes, before);
    raw_until_text(&raw, "first,second"); /* in one frame */
    raw_close(&raw);
}

static void a_message_goes_out_before_the_next_pass_if_that_is_asked_for(void **state)
{
    struct house *house = *state;
    struct raw raw;
    char byte = 0;
    open_channel(house, &raw);
    net_channel_send(house->net, house->channel, STR("now"));
    assert_int_equal(recv(raw.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT), -1);
    nest_write_now(house->nest);
    assert_int_equal(recv(raw.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT), 1);
    raw_until_text(&raw, "now");
    net_channel_send(house->net, house->channel, STR("later"));
    nest_write_now(house->nest);
    nest_write_now(house->nest);
    raw_until_text(&raw, "later");
    raw_close(&raw);
}

static bool has_all(void *raw)
{
    return ((struct raw *)raw)->got.length >= BYTES;
}

static void what_an_agent_does_not_take_waits_for_it(void **state)
{
    struct house *house = *state;
    static char piece[PIECE_BYTES];
    struct raw raw;
    house->config.channel_queue_bytes_max = 2 * BYTES;
    open_channel(house, &raw);
    event_del(raw.ready);
    for (int i = 0; i < PIECES; i++) {
        net_channel_send(house->net, house->channel, (struct str){ piece, sizeof piece });
    }
    for (int i = 0; i < PIECES; i++) {
        nest_run_once(house->nest, false);
    }
    unsigned before = changes;
    assert_true(net_stats(house->net).bytes_out < BYTES); /* the socket is full */
    for (int i = 0; i < PASSES; i++) {                    /* and nobody goes on asking */
        nest_run_once(house->nest, false);
    }
    assert_int_equal(changes, before);
    event_add(raw.ready, NULL);
    house_until(house, has_all, &raw);
    raw_close(&raw);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_message_to_an_agent_changes_nothing_that_is_waited_for,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            a_message_goes_out_before_the_next_pass_if_that_is_asked_for, setup, teardown),
        cmocka_unit_test_setup_teardown(what_an_agent_does_not_take_waits_for_it, setup, teardown),
    };
    return cmocka_run_group_tests_name("sending", tests, NULL, NULL);
}
