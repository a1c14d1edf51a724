/* Scenarios of the agent's engine, tasks: what happens to them, and what it asks for in each turn. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/agent_world.h"

#define SCENARIO(name) static void name(void **state)
#define UNUSED_STATE   (void)state

static const struct agent_terms noop = { .readable = true, .instant = true };

SCENARIO(a_session_is_on_disk_before_ready_is_sent_and_a_ping_follows)
{
    UNUSED_STATE;
    struct agent_world world;
    world_begin(&world, 4);
    WORLD_EXPECT(&world, "dial\n");
    world_connected(&world);
    WORLD_EXPECT(&world, "send Hello device=edge session=0\n");
    world_welcome(&world, NULL, 0);
    WORLD_EXPECT(&world, "save session=1 receipt=7\nsend Ready session=1\nsend Ping id=1\n");
    assert_true(agent_engine_stats(world.engine).ready);
    world_end(&world);
}

SCENARIO(a_task_is_journalled_as_running_before_it_starts_and_kept_until_it_is_acknowledged)
{
    UNUSED_STATE;
    struct agent_world world;
    world_begin(&world, 4);
    world_session(&world);
    world_assign(&world, 11);
    WORLD_EXPECT(&world, "save fence=11 running\nstart fence=11 attempt=1 name=c/t body=4\n");
    world_started(&world, 11);
    WORLD_EXPECT(&world, "send Started fence=11\n");
    world_exited(&world, 11, 3);
    WORLD_EXPECT(&world,
                 "save fence=11 finished\nsend Finished fence=11 outcome=exited exit_code=3\n");
    WORLD_EXPECT(&world, "");
    assert_int_equal(agent_engine_stats(world.engine).held, 1);
    world_ack(&world, 11);
    WORLD_EXPECT(&world, "remove fence=11\nforget fence=11\n");
    assert_int_equal(agent_engine_stats(world.engine).held, 0);
    world_end(&world);
}

SCENARIO(a_noop_is_journalled_once_and_sends_only_its_end)
{
    UNUSED_STATE;
    struct agent_world world;
    world_begin(&world, 4);
    world_session(&world);
    world_assign_as(&world, 11, noop);
    WORLD_EXPECT(&world, "start fence=11 attempt=1 name=c/t body=4\n");
    world_exited(&world, 11, 0);
    WORLD_EXPECT(&world,
                 "save fence=11 finished\nsend Finished fence=11 outcome=exited exit_code=0\n");
    world_ack(&world, 11);
    WORLD_EXPECT(&world, "remove fence=11\n");
    world_end(&world);
}

SCENARIO(a_once_attempt_is_on_the_disk_before_it_starts_and_before_it_is_told)
{
    UNUSED_STATE;
    static const struct agent_terms once = { .readable = true, .once = true };
    static const struct agent_terms once_noop = { .readable = true, .instant = true, .once = true };
    struct agent_world world;
    world_begin(&world, 4);
    world_session(&world);
    world_assign_as(&world, 11, once);
    WORLD_EXPECT(&world,
                 "save fence=11 running durable\nstart fence=11 attempt=1 name=c/t body=4\n");
    world_assign_as(&world, 12, once_noop);
    WORLD_EXPECT(&world,
                 "save fence=12 running durable\nstart fence=12 attempt=1 name=c/t body=4\n");
    world_exited(&world, 11, 0);
    WORLD_EXPECT(&world, "save fence=11 finished durable\nsend Finished fence=11 outcome=exited "
                         "exit_code=0\n");
    world_end(&world);
}

SCENARIO(a_task_that_ends_in_the_turn_of_its_start_sends_no_started_after_its_end)
{
    UNUSED_STATE;
    struct agent_world world;
    world_begin(&world, 4);
    world_session(&world);
    world_assign(&world, 11);
    world_turn(&world);
    world_exited(&world, 11, 0);
    world_started(&world, 11);
    WORLD_EXPECT(&world,
                 "save fence=11 finished\nsend Finished fence=11 outcome=exited exit_code=0\n");
    world_end(&world);
}

SCENARIO(an_assignment_that_comes_twice_runs_once)
{
    UNUSED_STATE;
    struct agent_world world;
    world_begin(&world, 4);
    world_session(&world);
    world_assign_as(&world, 11, noop);
    world_assign_as(&world, 11, noop);
    WORLD_EXPECT(&world, "start fence=11 attempt=1 name=c/t body=4\n");
    world_exited(&world, 11, 0);
    world_turn(&world);
    world_assign_as(&world, 11, noop);
    WORLD_EXPECT(&world, "");
    world_ack(&world, 11);
    WORLD_EXPECT(&world, "remove fence=11\n");
    world_assign_as(&world, 11, noop);
    world_ack(&world, 11);
    WORLD_EXPECT(&world, "");
    world_end(&world);
}

SCENARIO(more_than_the_slots_is_given_back_unbegun)
{
    UNUSED_STATE;
    struct agent_world world;
    world_begin(&world, 1);
    world_session(&world);
    world_assign(&world, 11);
    world_assign(&world, 12);
    WORLD_EXPECT(&world, "save fence=11 running\n"
                         "save fence=12 finished\n"
                         "send Finished fence=12 outcome=cancelled reason=\"no free slot\"\n"
                         "start fence=11 attempt=1 name=c/t body=4\n");
    world_ack(&world, 12);
    WORLD_EXPECT(&world, "remove fence=12\n");
    world_end(&world);
}

SCENARIO(a_body_that_cannot_be_read_is_a_failed_start)
{
    UNUSED_STATE;
    struct agent_world world;
    world_begin(&world, 1);
    world_session(&world);
    world_assign_as(&world, 11, (struct agent_terms){ .readable = false });
    WORLD_EXPECT(&world, "save fence=11 finished\n"
                         "send Finished fence=11 outcome=start_failed "
                         "reason=\"this agent cannot read the task's body\"\n");
    world_end(&world);
}

SCENARIO(starts_are_spread_over_turns_and_what_waits_is_accepted)
{
    UNUSED_STATE;
    struct agent_world world;
    world_begin(&world, AGENT_STARTS_MAX + 2);
    world_session(&world);
    for (uint64_t fence = 1; fence <= AGENT_STARTS_MAX + 2; fence++) {
        world_assign(&world, 100 + fence);
    }
    const char *text = world_turn(&world);
    assert_null(strstr(text, "start fence=165"));
    assert_non_null(strstr(text, "save fence=165 accepted"));
    assert_true(agent_engine_next_deadline(world.engine) < world.now_ms);
    world_cancel(&world, 166);
    WORLD_EXPECT(&world, "save fence=166 finished\n"
                         "send Finished fence=166 outcome=cancelled reason=\"by ann\"\n"
                         "save fence=165 running\n"
                         "start fence=165 attempt=1 name=c/t body=4\n");
    assert_true(agent_engine_next_deadline(world.engine) > world.now_ms);
    world_end(&world);
}

SCENARIO(a_cancelled_task_is_stopped_once_and_its_own_end_counts)
{
    UNUSED_STATE;
    struct agent_world world;
    world_begin(&world, 4);
    world_session(&world);
    world_assign(&world, 11);
    world_turn(&world);
    world_cancel(&world, 11);
    world_cancel(&world, 11);
    world_cancel(&world, 99);
    WORLD_EXPECT(&world, "stop fence=11 outcome=cancelled grace=5000 why=\"by ann\"\n");
    world_exited(&world, 11, 0);
    world_cancel(&world, 11);
    WORLD_EXPECT(&world,
                 "save fence=11 finished\nsend Finished fence=11 outcome=exited exit_code=0\n");
    world_end(&world);
}

SCENARIO(output_comes_before_the_end_in_chunks_and_in_turn_between_attempts)
{
    UNUSED_STATE;
    struct agent_world world;
    world_begin(&world, 4);
    world_session(&world);
    world_assign(&world, 11);
    world_assign(&world, 12);
    world_turn(&world);
    world_output(&world, 11, 70000, 10);
    world_output(&world, 12, 5, 0);
    WORLD_EXPECT(&world, "send Output fence=11 stdout offset=0 bytes=65536\n"
                         "send Output fence=12 stdout offset=0 bytes=5\n"
                         "send Output fence=11 stdout offset=65536 bytes=4464\n"
                         "send Output fence=11 stderr offset=0 bytes=10\n");
    world_ended(&world, (struct msg_finished){ .fence = 12,
                                               .outcome = OUTCOME_SIGNALLED,
                                               .signal = 11,
                                               .stdout_bytes = 9,
                                               .output_truncated = true });
    WORLD_EXPECT(&world, "save fence=12 finished\n"
                         "send Output fence=12 stdout offset=5 bytes=4\n"
                         "send Finished fence=12 outcome=signalled signal=11 stdout=9 stderr=0 "
                         "truncated\n");
    world_end(&world);
}

SCENARIO(unacknowledged_output_stays_within_the_window)
{
    UNUSED_STATE;
    struct agent_world world;
    world_begin(&world, 4);
    world.room = (size_t)64 * 1024 * 1024;
    world_session(&world);
    world_assign(&world, 11);
    world_turn(&world);
    world_output(&world, 11, (uint64_t)3 * MSG_OUTPUT_WINDOW_BYTES, 0);
    const char *text = world_turn(&world);
    assert_non_null(strstr(text, "offset=983040 bytes=65536\n"));
    assert_null(strstr(text, "offset=1048576"));
    WORLD_EXPECT(&world, "");
    world_ack_output(&world, 11, STREAM_STDOUT, 100);
    WORLD_EXPECT(&world, "send Output fence=11 stdout offset=1048576 bytes=100\n");
    world_ack_output(&world, 11, STREAM_STDOUT, 50);
    WORLD_EXPECT(&world, "");
    world_end(&world);
}

SCENARIO(short_messages_pass_bulk_that_waits_for_room)
{
    UNUSED_STATE;
    struct agent_world world;
    world_begin(&world, 4);
    world_session(&world);
    world_assign(&world, 11);
    world_assign(&world, 12);
    world_turn(&world);
    world.room = 0;
    world_output(&world, 11, 100000, 0);
    world_started(&world, 12);
    world_exited(&world, 12, 0);
    WORLD_EXPECT(&world, "send Started fence=12\n"
                         "save fence=12 finished\n"
                         "send Finished fence=12 outcome=exited exit_code=0\n");
    world.room = 1000;
    WORLD_EXPECT(&world, "send Output fence=11 stdout offset=0 bytes=1000\n");
    world_end(&world);
}

SCENARIO(a_large_result_counts_as_bulk)
{
    UNUSED_STATE;
    struct agent_world world;
    world_begin(&world, 4);
    world_session(&world);
    world_assign(&world, 11);
    world_turn(&world);
    static char json[AGENT_SMALL_BYTES + 1];
    memset(json, '1', sizeof json);
    world.room = 0;
    world_ended(&world, (struct msg_finished){ .fence = 11,
                                               .outcome = OUTCOME_EXITED,
                                               .result = { json, sizeof json } });
    WORLD_EXPECT(&world, "save fence=11 finished\n");
    world.room = 1;
    assert_non_null(strstr(world_turn(&world), "send Finished fence=11"));
    WORLD_EXPECT(&world, "");
    world_end(&world);
}

SCENARIO(a_shutdown_stops_what_runs_reports_it_and_says_goodbye)
{
    UNUSED_STATE;
    struct agent_world world;
    world_begin(&world, 4);
    world_session(&world);
    world_assign(&world, 11);
    world_turn(&world);
    world_event(&world, (struct agent_event){ .kind = AGENT_EVENT_SHUTDOWN });
    WORLD_EXPECT(&world,
                 "stop fence=11 outcome=disconnected grace=5000 why=\"the agent was shut down\"\n");
    world_assign(&world, 12); /* not taken, so never started */
    WORLD_EXPECT(&world, "");
    world_event(&world, (struct agent_event){ .kind = AGENT_EVENT_SHUTDOWN });
    WORLD_EXPECT(&world,
                 "stop fence=11 outcome=disconnected grace=0 why=\"the agent was shut down\"\n");
    world_ended(&world, (struct msg_finished){ .fence = 11, .outcome = OUTCOME_DISCONNECTED });
    WORLD_EXPECT(&world, "save fence=11 finished\n"
                         "send Finished fence=11 outcome=disconnected\n"
                         "send Goodbye reason=\"the agent was shut down\"\n"
                         "close code=1000 reason=\"the agent was shut down\"\n");
    assert_false(agent_engine_is_done(world.engine));
    world_disconnected(&world, false);
    WORLD_EXPECT(&world, "");
    assert_true(agent_engine_is_done(world.engine));
    world_end(&world);
}

SCENARIO(a_shutdown_without_a_connection_waits_only_for_what_runs)
{
    UNUSED_STATE;
    struct agent_world world;
    world_begin(&world, 4);
    world_event(&world, (struct agent_event){ .kind = AGENT_EVENT_SHUTDOWN });
    WORLD_EXPECT(&world, "");
    assert_true(agent_engine_is_done(world.engine));
    world_end(&world);
}

SCENARIO(a_spool_that_is_too_short_gives_what_there_is_and_says_so)
{
    UNUSED_STATE;
    struct agent_record record = { .fence = 13,
                                   .state = HELD_FINISHED,
                                   .result = { .outcome = OUTCOME_EXITED, .stdout_bytes = 500 } };
    struct agent_world world;
    world_begin_with(&world, 4, 9, &record, 1);
    world_turn(&world);
    world_connected(&world);
    world_turn(&world);
    struct msg_verdict keep = { .fence = 13, .verdict = VERDICT_KEEP };
    world_welcome(&world, &keep, 1);
    assert_non_null(strstr(world_turn(&world), "offset=0 bytes=500"));
    world_event(&world, (struct agent_event){ .kind = AGENT_EVENT_SPOOL_SHORT,
                                              .spool_short = { 13, STREAM_STDOUT, 40 } });
    WORLD_EXPECT(&world, "send Finished fence=13 outcome=exited exit_code=0 stdout=40 stderr=0 "
                         "truncated\n");
    world_end(&world);
}

SCENARIO(a_reason_that_the_protocol_would_refuse_is_made_to_fit)
{
    UNUSED_STATE;
    struct agent_world world;
    world_begin(&world, 4);
    world_session(&world);
    world_assign_as(&world, 11, noop);
    world_assign_as(&world, 12, noop);
    world_turn(&world);
    static char reason[MSG_TEXT_BYTES_MAX + 1];
    memset(reason, 'x', sizeof reason);
    reason[MSG_TEXT_BYTES_MAX - 1] = '\xc3'; /* half a character before the limit */
    reason[MSG_TEXT_BYTES_MAX] = '\xa9';
    world_ended(&world, (struct msg_finished){ .fence = 11,
                                               .outcome = OUTCOME_START_FAILED,
                                               .reason = { reason, sizeof reason } });
    world_ended(&world, (struct msg_finished){
                            .fence = 12, .outcome = OUTCOME_START_FAILED, .reason = STR("\xff") });
    const char *text = world_turn(&world);
    assert_non_null(strstr(text, "xx\"\n"));
    assert_null(strstr(text, "\xc3"));
    assert_non_null(strstr(text, "not UTF-8"));
    world_end(&world);
}

SCENARIO(a_journal_that_breaks_a_rule_is_refused)
{
    UNUSED_STATE;
    struct agent_engine_config config = { .hello.profile.slots = 1 };
    struct agent_engine *engine = agent_engine_new(&config);
    struct agent_record record = { .fence = 3, .state = HELD_RUNNING };
    struct reason reason;
    assert_int_equal(agent_engine_load(engine, &record, &reason), ERR_NONE);
    assert_int_equal(agent_engine_load(engine, &record, &reason), ERR_CORRUPT);
    record = (struct agent_record){ .fence = 4, .state = (enum held_state)9 };
    assert_int_equal(agent_engine_load(engine, &record, &reason), ERR_CORRUPT);
    agent_engine_free(engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session_is_on_disk_before_ready_is_sent_and_a_ping_follows),
        cmocka_unit_test(
            a_task_is_journalled_as_running_before_it_starts_and_kept_until_it_is_acknowledged),
        cmocka_unit_test(a_noop_is_journalled_once_and_sends_only_its_end),
        cmocka_unit_test(a_once_attempt_is_on_the_disk_before_it_starts_and_before_it_is_told),
        cmocka_unit_test(a_task_that_ends_in_the_turn_of_its_start_sends_no_started_after_its_end),
        cmocka_unit_test(an_assignment_that_comes_twice_runs_once),
        cmocka_unit_test(more_than_the_slots_is_given_back_unbegun),
        cmocka_unit_test(a_body_that_cannot_be_read_is_a_failed_start),
        cmocka_unit_test(starts_are_spread_over_turns_and_what_waits_is_accepted),
        cmocka_unit_test(a_cancelled_task_is_stopped_once_and_its_own_end_counts),
        cmocka_unit_test(output_comes_before_the_end_in_chunks_and_in_turn_between_attempts),
        cmocka_unit_test(unacknowledged_output_stays_within_the_window),
        cmocka_unit_test(short_messages_pass_bulk_that_waits_for_room),
        cmocka_unit_test(a_large_result_counts_as_bulk),
        cmocka_unit_test(a_shutdown_stops_what_runs_reports_it_and_says_goodbye),
        cmocka_unit_test(a_shutdown_without_a_connection_waits_only_for_what_runs),
        cmocka_unit_test(a_spool_that_is_too_short_gives_what_there_is_and_says_so),
        cmocka_unit_test(a_reason_that_the_protocol_would_refuse_is_made_to_fit),
        cmocka_unit_test(a_journal_that_breaks_a_rule_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
