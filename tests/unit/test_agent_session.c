/* Scenarios of the agent's engine, sessions: what comes after a cut, what it refuses of the daemon, its lease,
   and when it dials again. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/agent_world.h"

#define SCENARIO(name) static void name(void **state)
#define UNUSED_STATE   (void)state

static const struct agent_terms noop = { .readable = true, .instant = true };
static const struct agent_terms stops = { .readable = true,
                                          .on_disconnect = ON_DISCONNECT_STOP,
                                          .kill_grace_ms = 3000 };

SCENARIO(a_reconnect_offers_what_is_held_and_goes_on_from_the_offsets_given)
{
    UNUSED_STATE;
    struct agent_world world;
    world_begin(&world, 8);
    world_session(&world);
    for (uint64_t fence = 11; fence <= 15; fence++) {
        world_assign(&world, fence);
    }
    world_turn(&world);
    for (uint64_t fence = 11; fence <= 14; fence++) {
        world_started(&world, fence);
    }
    world_output(&world, 11, 300, 0);
    world_exited(&world, 13, 0);
    world_turn(&world);
    world_disconnected(&world, false);
    world_started(&world, 15);
    world_ended(&world, (struct msg_finished){
                            .fence = 12, .outcome = OUTCOME_EXITED, .stdout_bytes = 20 });
    WORLD_EXPECT(&world, "save fence=12 finished\n");
    world_pass(&world, AGENT_BACKOFF_BASE_MS);
    WORLD_EXPECT(&world, "dial\n");
    world_connected(&world);
    WORLD_EXPECT(&world, "send Hello device=edge session=1 11=running 12=finished 13=finished "
                         "14=running 15=running\n");
    struct msg_verdict verdicts[] = {
        { .fence = 11, .verdict = VERDICT_KEEP, .stdout_offset = 100 },
        { .fence = 12, .verdict = VERDICT_KEEP },
        { .fence = 13, .verdict = VERDICT_DROP },
        { .fence = 14, .verdict = VERDICT_CANCEL },
        { .fence = 15, .verdict = VERDICT_DROP },
    };
    world_welcome(&world, verdicts, 5);
    WORLD_EXPECT(
        &world,
        "save session=2 receipt=7\nsend Ready session=2\nsend Ping id=2\n"
        "remove fence=13\nforget fence=13\n"
        "stop fence=14 outcome=cancelled grace=5000 why=\"cancelled while it was cut off\"\n"
        "stop fence=15 outcome=cancelled grace=5000 why=\"not wanted\"\n"
        "remove fence=15\n"
        "send Output fence=11 stdout offset=100 bytes=200\n"
        "send Output fence=12 stdout offset=0 bytes=20\n"
        "send Finished fence=12 outcome=exited exit_code=0 stdout=20 stderr=0\n");
    world_exited(&world, 15, 1); /* dropped: nobody is told */
    WORLD_EXPECT(&world, "forget fence=15\n");
    world_end(&world);
}

SCENARIO(a_task_that_started_while_cut_off_is_reported_after_the_reconnect)
{
    UNUSED_STATE;
    struct agent_world world;
    world_begin(&world, 8);
    world_session(&world);
    world_assign(&world, 11);
    world_turn(&world);
    world_disconnected(&world, false);
    world_turn(&world);
    world_pass(&world, AGENT_BACKOFF_BASE_MS);
    WORLD_EXPECT(&world, "dial\n");
    world_connected(&world);
    WORLD_EXPECT(&world, "send Hello device=edge session=1 11=accepted\n");
    world_started(&world, 11);
    WORLD_EXPECT(&world, "");
    struct msg_verdict keep = { .fence = 11, .verdict = VERDICT_KEEP };
    world_welcome(&world, &keep, 1);
    WORLD_EXPECT(&world, "save session=2 receipt=7\nsend Ready session=2\nsend Ping id=2\n"
                         "send Started fence=11\n");
    world_end(&world);
}

SCENARIO(a_new_process_reports_what_the_journal_says)
{
    UNUSED_STATE;
    struct agent_record records[] = {
        { .fence = 11,
          .attempt = 2,
          .state = HELD_ACCEPTED,
          .name = STR("c/a"),
          .body = STR("xyz") },
        { .fence = 12, .state = HELD_RUNNING },
        { .fence = 13,
          .state = HELD_FINISHED,
          .result = { .outcome = OUTCOME_EXITED, .stdout_bytes = 5, .result = STR("{}") } },
        { .fence = 14, .state = HELD_RUNNING },
    };
    struct agent_world world;
    world_begin_with(&world, 4, 9, records, 4);
    WORLD_EXPECT(&world, "dial\n"); /* the accepted one waits for the daemon's word */
    world_connected(&world);
    WORLD_EXPECT(&world,
                 "send Hello device=edge session=9 11=accepted 12=died 13=finished 14=died\n");
    struct msg_verdict verdicts[] = { { .fence = 11, .verdict = VERDICT_KEEP },
                                      { .fence = 12, .verdict = VERDICT_DROP },
                                      { .fence = 13, .verdict = VERDICT_KEEP, .stdout_offset = 5 },
                                      { .fence = 14, .verdict = VERDICT_CANCEL } };
    world_welcome(&world, verdicts, 4);
    WORLD_EXPECT(&world, "save session=10 receipt=7\nsend Ready session=10\nsend Ping id=1\n"
                         "remove fence=12\nforget fence=12\n"
                         "send Finished fence=13 outcome=exited exit_code=0 stdout=5 stderr=0 "
                         "result={}\n"
                         "save fence=14 finished\n"
                         "send Finished fence=14 outcome=cancelled "
                         "reason=\"it died with the agent's process\"\n"
                         "save fence=11 running\n"
                         "start fence=11 attempt=2 name=c/a body=3\n");
    world_end(&world);
}

SCENARIO(a_welcome_that_leaves_out_what_is_held_is_refused)
{
    UNUSED_STATE;
    struct agent_record record = { .fence = 12, .state = HELD_RUNNING };
    struct agent_world world;
    world_begin_with(&world, 4, 9, &record, 1);
    world_turn(&world);
    world_connected(&world);
    world_turn(&world);
    world_welcome(&world, NULL, 0);
    WORLD_EXPECT(&world, "send Error code=protocol reason=\"the Welcome leaves out an attempt that "
                         "is held\"\n"
                         "close code=1002 reason=\"the Welcome leaves out an attempt that is "
                         "held\"\n");
    assert_int_equal(agent_engine_stats(world.engine).session, 9);
    world_end(&world);
}

SCENARIO(a_welcome_that_judges_strangers_or_does_not_rise_is_refused)
{
    UNUSED_STATE;
    struct agent_world world;
    world_begin_with(&world, 4, 9, NULL, 0);
    world_turn(&world);
    world_connected(&world);
    world_turn(&world);
    struct msg_verdict stranger = { .fence = 5, .verdict = VERDICT_KEEP };
    world_welcome(&world, &stranger, 1);
    assert_non_null(strstr(world_turn(&world), "send Error code=protocol"));
    world_disconnected(&world, false);
    world_turn(&world);
    world_pass(&world, AGENT_BACKOFF_BASE_MS);
    WORLD_EXPECT(&world, "dial\n");
    world_connected(&world);
    world_turn(&world);
    world.session = 8; /* the next is 9, as before */
    world_welcome(&world, NULL, 0);
    assert_non_null(strstr(world_turn(&world), "does not rise"));
    world_end(&world);
}

SCENARIO(an_assignment_before_the_session_is_refused_and_nothing_starts)
{
    UNUSED_STATE;
    struct agent_world world;
    world_begin(&world, 4);
    world_turn(&world);
    world_connected(&world);
    world_turn(&world);
    world_assign(&world, 11);
    WORLD_EXPECT(&world, "send Error code=protocol reason=\"Assign is not allowed before the "
                         "session\"\n"
                         "close code=1002 reason=\"Assign is not allowed before the session\"\n");
    world_end(&world);
}

SCENARIO(a_message_that_only_agents_send_is_refused_and_an_unknown_one_is_ignored)
{
    UNUSED_STATE;
    struct agent_world world;
    world_begin(&world, 4);
    world_session(&world);
    struct msg unknown = { .kind = MSG_NONE };
    world_message(&world, &unknown);
    WORLD_EXPECT(&world, "");
    struct msg started = { .kind = MSG_STARTED };
    world_message(&world, &started);
    assert_non_null(strstr(world_turn(&world), "Started is not allowed in a session"));
    world_assign(&world, 11); /* still under way when the connection was given up */
    WORLD_EXPECT(&world, "");
    world_end(&world);
}

SCENARIO(bytes_that_are_no_message_close_the_connection_once)
{
    UNUSED_STATE;
    struct agent_world world;
    world_begin(&world, 4);
    world_session(&world);
    struct agent_event event = { .kind = AGENT_EVENT_MALFORMED,
                                 .malformed = { MSG_ERROR_LIMIT, "too long" } };
    world_event(&world, event);
    world_event(&world, event);
    WORLD_EXPECT(&world, "send Error code=limit reason=\"too long\"\n"
                         "close code=1008 reason=\"too long\"\n");
    world_end(&world);
}

SCENARIO(an_ack_of_what_still_runs_is_refused)
{
    UNUSED_STATE;
    struct agent_world world;
    world_begin(&world, 4);
    world_session(&world);
    world_assign(&world, 11);
    world_turn(&world);
    world_ack(&world, 11);
    assert_non_null(strstr(world_turn(&world), "an Ack of a result that was not sent"));
    assert_int_equal(agent_engine_stats(world.engine).held, 1);
    world_end(&world);
}

SCENARIO(the_lease_runs_from_the_last_ping_that_was_answered)
{
    UNUSED_STATE;
    struct agent_world world;
    world_begin(&world, 4);
    world_session(&world); /* ping 1 at 0 */
    world_assign_as(&world, 11, stops);
    world_assign(&world, 12);
    world_turn(&world);
    world_pass(&world, 19999);
    WORLD_EXPECT(&world, "");
    world_pass(&world, 1);
    WORLD_EXPECT(&world, "send Ping id=2\n"); /* at 20 s */
    world_pass(&world, 15000);
    struct msg pong = { .kind = MSG_PONG, .pong.id = 2 };
    world_message(&world, &pong); /* at 35 s: the lease ends at 80 s */
    world_pass(&world, 5000);
    WORLD_EXPECT(&world, "send Ping id=3\n");
    world_pass(&world, 20000);
    WORLD_EXPECT(&world, "send Ping id=4\n");
    world_pass(&world, 19999);
    WORLD_EXPECT(&world, "");
    world_pass(&world, 1);
    WORLD_EXPECT(&world, "stop fence=11 outcome=disconnected grace=3000 "
                         "why=\"cut off from the daemon for longer than the lease\"\n"
                         "close code=1008 reason=\"the lease ended: no Pong in time\"\n");
    world_ended(&world, (struct msg_finished){ .fence = 11, .outcome = OUTCOME_DISCONNECTED });
    WORLD_EXPECT(&world, "save fence=11 finished\n");
    world_end(&world);
}

SCENARIO(a_lease_goes_on_over_a_cut_and_only_a_pong_renews_it)
{
    UNUSED_STATE;
    struct agent_world world;
    world_begin(&world, 4);
    world_session(&world);
    world_assign_as(&world, 11, stops);
    world_turn(&world);
    world_pass(&world, 10000);
    world_disconnected(&world, false);
    world_turn(&world);
    world_pass(&world, AGENT_BACKOFF_BASE_MS);
    WORLD_EXPECT(&world, "dial\n");
    world_connected(&world);
    world_turn(&world);
    struct msg_verdict keep = { .fence = 11, .verdict = VERDICT_KEEP };
    world_welcome(&world, &keep, 1);
    WORLD_EXPECT(&world, "save session=2 receipt=7\nsend Ready session=2\nsend Ping id=2\n");
    assert_true(agent_engine_next_deadline(world.engine) <= world.now_ms + 20000);
    world_pass(&world, 20000);
    world_turn(&world);
    world_pass(&world, 20000);
    world_turn(&world);
    world_pass(&world, 60000 - 10000 - AGENT_BACKOFF_BASE_MS - 40000);
    assert_non_null(strstr(world_turn(&world), "stop fence=11 outcome=disconnected"));
    world_end(&world);
}

SCENARIO(the_lease_ends_while_nobody_is_there)
{
    UNUSED_STATE;
    struct agent_world world;
    world_begin(&world, 4);
    world_session(&world);
    world_assign_as(&world, 11, stops);
    world_assign(&world, 12);
    world_turn(&world);
    world_disconnected(&world, false);
    world_pass(&world, 60000);
    WORLD_EXPECT(&world, "stop fence=11 outcome=disconnected grace=3000 "
                         "why=\"cut off from the daemon for longer than the lease\"\n"
                         "dial\n");
    world_end(&world);
}

SCENARIO(a_probe_is_answered_by_one_ping_at_once)
{
    UNUSED_STATE;
    struct agent_world world;
    world_begin(&world, 4);
    world_session(&world);
    struct msg probe = { .kind = MSG_PONG, .pong.probe = true };
    world_message(&world, &probe);
    world_message(&world, &probe);
    WORLD_EXPECT(&world, "send Ping id=2\n");
    WORLD_EXPECT(&world, "");
    world_end(&world);
}

SCENARIO(dials_wait_longer_and_longer_and_never_beyond_the_cap)
{
    UNUSED_STATE;
    struct agent_world world;
    world_begin(&world, 4);
    int64_t longest = 0;
    for (int i = 0; i < 200; i++) {
        WORLD_EXPECT(&world, "dial\n");
        world_disconnected(&world, false);
        int64_t wait = agent_engine_next_deadline(world.engine) - world.now_ms;
        int64_t ceiling = i < 6 ? (int64_t)AGENT_BACKOFF_BASE_MS << i : AGENT_BACKOFF_MAX_MS;
        assert_in_range(wait, 0, ceiling);
        longest = wait > longest ? wait : longest;
        world_pass(&world, wait);
    }
    assert_true(longest > AGENT_BACKOFF_MAX_MS * 3 / 4);
    world_connected(&world); /* without a dial: ignored */
    world_turn(&world);
    world_end(&world);
}

SCENARIO(a_session_that_lasted_resets_the_backoff_and_a_short_one_does_not)
{
    UNUSED_STATE;
    struct agent_world world;
    world_begin(&world, 4);
    for (int i = 0; i < 10; i++) {
        world_turn(&world);
        world_disconnected(&world, false);
        world.now_ms = agent_engine_next_deadline(world.engine);
    }
    world_session(&world);
    world_pass(&world, 100);
    world_disconnected(&world, false);
    struct buf dump = { 0 };
    agent_engine_dump(world.engine, &dump);
    assert_non_null(strstr(buf_text(&dump), "failures=6"));
    world_turn(&world);
    world.now_ms = agent_engine_next_deadline(world.engine);
    world_session(&world);
    world_pass(&world, AGENT_BACKOFF_MAX_MS);
    world_disconnected(&world, false);
    buf_clear(&dump);
    agent_engine_dump(world.engine, &dump);
    assert_non_null(strstr(buf_text(&dump), "failures=1"));
    buf_done(&dump);
    world_end(&world);
}

SCENARIO(an_agent_that_is_not_wanted_comes_back_at_the_slow_end)
{
    UNUSED_STATE;
    struct agent_world world;
    world_begin(&world, 4);
    world_turn(&world);
    world_disconnected(&world, true); /* 401 */
    assert_true(agent_engine_next_deadline(world.engine) >=
                world.now_ms + AGENT_BACKOFF_MAX_MS / 2);
    world.now_ms = agent_engine_next_deadline(world.engine);
    WORLD_EXPECT(&world, "dial\n");
    world_connected(&world);
    world_turn(&world);
    struct msg error = { .kind = MSG_ERROR, .error.code = MSG_ERROR_DUPLICATE };
    world_message(&world, &error);
    WORLD_EXPECT(&world, "close code=1000 reason=\"the daemon says: duplicate\"\n");
    world_disconnected(&world, false);
    assert_true(agent_engine_next_deadline(world.engine) >=
                world.now_ms + AGENT_BACKOFF_MAX_MS / 2);
    world_end(&world);
}

SCENARIO(a_connection_that_says_nothing_is_given_up)
{
    UNUSED_STATE;
    struct agent_world world;
    world_begin(&world, 4);
    world_turn(&world);
    world_pass(&world, AGENT_DIAL_LIMIT_MS);
    WORLD_EXPECT(&world, "close hard code=1013 reason=\"the dial took too long\"\n");
    world_disconnected(&world, false);
    world_turn(&world);
    world_pass(&world, AGENT_BACKOFF_BASE_MS);
    world_turn(&world);
    world_connected(&world);
    world_turn(&world);
    world_pass(&world, AGENT_WELCOME_LIMIT_MS);
    WORLD_EXPECT(&world, "close code=1013 reason=\"no Welcome in time\"\n");
    world_pass(&world, AGENT_CLOSE_LIMIT_MS);
    WORLD_EXPECT(&world, "close hard code=1013 reason=\"the close took too long\"\n");
    WORLD_EXPECT(&world, "");
    world_end(&world);
}

SCENARIO(more_results_than_a_hello_can_list_close_the_connection)
{
    UNUSED_STATE;
    struct agent_world world;
    world_begin(&world, 4);
    world_session(&world);
    for (uint64_t fence = 1; fence <= MSG_HELD_MAX; fence++) {
        world_assign_as(&world, fence, noop);
        world_exited(&world, fence, 0);
    }
    world_turn(&world);
    world_assign_as(&world, MSG_HELD_MAX + 1, noop);
    const char *text = world_turn(&world);
    assert_non_null(strstr(text, "send Error code=limit"));
    assert_null(strstr(text, "start"));
    world_end(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reconnect_offers_what_is_held_and_goes_on_from_the_offsets_given),
        cmocka_unit_test(a_task_that_started_while_cut_off_is_reported_after_the_reconnect),
        cmocka_unit_test(a_new_process_reports_what_the_journal_says),
        cmocka_unit_test(a_welcome_that_leaves_out_what_is_held_is_refused),
        cmocka_unit_test(a_welcome_that_judges_strangers_or_does_not_rise_is_refused),
        cmocka_unit_test(an_assignment_before_the_session_is_refused_and_nothing_starts),
        cmocka_unit_test(a_message_that_only_agents_send_is_refused_and_an_unknown_one_is_ignored),
        cmocka_unit_test(bytes_that_are_no_message_close_the_connection_once),
        cmocka_unit_test(an_ack_of_what_still_runs_is_refused),
        cmocka_unit_test(the_lease_runs_from_the_last_ping_that_was_answered),
        cmocka_unit_test(a_lease_goes_on_over_a_cut_and_only_a_pong_renews_it),
        cmocka_unit_test(the_lease_ends_while_nobody_is_there),
        cmocka_unit_test(a_probe_is_answered_by_one_ping_at_once),
        cmocka_unit_test(dials_wait_longer_and_longer_and_never_beyond_the_cap),
        cmocka_unit_test(a_session_that_lasted_resets_the_backoff_and_a_short_one_does_not),
        cmocka_unit_test(an_agent_that_is_not_wanted_comes_back_at_the_slow_end),
        cmocka_unit_test(a_connection_that_says_nothing_is_given_up),
        cmocka_unit_test(more_results_than_a_hello_can_list_close_the_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
