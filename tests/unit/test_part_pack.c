/* Parts of large edits as bytes: what is read is what was written, and nothing else is read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "orchestrator/store/part_pack.h"

static const struct str TOOLS[] = { { "git", 3 }, { "make", 4 } };
static const struct plan_resource RESOURCES[] = { { { "gpu", 3 }, 1500 } };
static const struct plan_limit_use USES[] = { { 3, 2 } };
static const struct plan_class CLASS = { .selector = { "os=linux", 8 },
                                         .executor = EXECUTOR_SLEEP,
                                         .strategy = STRATEGY_PACK,
                                         .tools = TOOLS,
                                         .tools_count = 2,
                                         .resources = RESOURCES,
                                         .resources_count = 1,
                                         .limits = USES,
                                         .limits_count = 1 };
static const struct plan_class PLAIN = { .device = { "desk", 4 }, .executor = EXECUTOR_NOOP };
static const struct plan_policy POLICY = { .max_attempts = 3,
                                           .max_lost = 2,
                                           .backoff_base_ms = INT64_MAX,
                                           .on_disconnect = ON_DISCONNECT_STOP,
                                           .effect = TASK_ONCE,
                                           .hold_on_failure_ms = 5 };
static const struct plan_limit LIMITS[] = { { { "licence", 7 }, 2 }, { { "", 0 }, 1 } };
static const struct plan_task PLAN = { .key = { "build", 5 },
                                       .body = { "\0body\xff", 6 },
                                       .priority = -1000,
                                       .has_references = true,
                                       .flags = UINT16_MAX,
                                       .group = { "g", 1 },
                                       .description = { "d", 1 },
                                       .hold = { "look", 4 } };

enum { OPERATIONS = 7 };

/* Numbers 4 and 5 of an edit are added here; 9 by a later part. */
static void write_part(struct buf *bytes)
{
    struct edit_operation operations[OPERATIONS] = {
        { .kind = EDIT_ADD_TASK, .index = 7 },    { .kind = EDIT_ADD_TASK, .index = 8 },
        { .kind = EDIT_ADD_EDGE, .index = 9 },    { .kind = EDIT_REMOVE_EDGE, .index = 1 },
        { .kind = EDIT_REMOVE_TASK, .index = 2 }, { .kind = EDIT_SET, .index = UINT32_MAX },
        { .kind = EDIT_TOUCH, .index = 3 },
    };
    operations[0].write.task = -5;
    operations[0].write.plan = &PLAN;
    operations[0].write.class = &CLASS;
    operations[0].write.policy = &POLICY;
    operations[0].write.same_device = -10;
    operations[0].write.other_device = 12;
    operations[1].write = operations[0].write;
    operations[1].write.task = -6;
    operations[1].write.class = &PLAIN;
    operations[2].edge.from = -10;
    operations[2].edge.to = 77;
    operations[2].edge.when = EDGE_WHEN_ALWAYS;
    operations[2].edge.named = true;
    operations[2].edge.plan = (struct plan_edge){ .when = EDGE_WHEN_ALWAYS,
                                                  .named = true,
                                                  .required = true,
                                                  .condition = STR("number > ?1"),
                                                  .arguments = STR("[3]") };
    operations[3].edge.edge_id = INT64_MAX;
    operations[4].task = 4;
    operations[5].set.fail_fast = true;
    operations[5].set.deadline_ms = 60000;
    operations[5].set.limits = LIMITS;
    operations[5].set.limits_count = 2;
    operations[6].task = -1;
    struct edit_section section = { .first_task_id = 4, .is_last = true };
    struct edit part = { .constellation_id = 3,
                         .base_revision = 2,
                         .release_hold_id = 11,
                         .operations = operations,
                         .operations_count = OPERATIONS,
                         .author_kind = AUTHOR_PLANNER,
                         .author = STR("ada"),
                         .reason = STR("why"),
                         .part = &section };
    part_pack(&part, 42, bytes);
}

static struct str all_of(const struct buf *bytes)
{
    return (struct str){ (const char *)bytes->data, bytes->length };
}

static void what_is_read_is_what_was_written(void **state)
{
    (void)state;
    struct buf bytes = { 0 };
    struct arena arena = { 0 };
    const struct edit *part = NULL;
    write_part(&bytes);
    assert_int_equal(part_unpack(all_of(&bytes), 1000, &arena, &part), ERR_NONE);
    assert_int_equal(part->constellation_id, 3);
    assert_int_equal(part->base_revision, 2);
    assert_int_equal(part->release_hold_id, 11);
    assert_int_equal(part->author_kind, AUTHOR_PLANNER);
    assert_true(str_is(part->author, "ada") && str_is(part->reason, "why"));
    assert_int_equal(part->part->bulk_id, 42);
    assert_true(part->part->is_last);
    assert_int_equal(part->tasks_added, 2);
    assert_int_equal(part->operations_count, OPERATIONS);
    const struct edit_operation *operations = part->operations;
    const struct plan_class *class = operations[0].write.class;
    assert_int_equal(operations[0].index, 7);
    assert_true(str_equal(operations[0].write.plan->body, PLAN.body));
    assert_true(str_is(operations[0].write.plan->hold, "look"));
    assert_int_equal(operations[0].write.plan->priority, -1000);
    assert_int_equal(operations[0].write.plan->flags, UINT16_MAX);
    assert_true(str_is(class->tools[1], "make"));
    assert_int_equal(class->resources[0].amount_milli, 1500);
    assert_int_equal(class->limits[0].limit, 3);
    assert_int_equal(class->strategy, STRATEGY_PACK);
    assert_memory_equal(operations[0].write.policy, &POLICY, sizeof POLICY);
    assert_true(str_is(operations[1].write.class->device, "desk"));
    assert_ptr_equal(operations[0].write.policy, operations[1].write.policy);
    assert_true(str_is(operations[2].edge.plan.condition, "number > ?1"));
    assert_true(operations[2].edge.plan.required && operations[2].edge.named);
    assert_int_equal(operations[3].edge.edge_id, INT64_MAX);
    assert_true(operations[5].set.fail_fast && !operations[5].set.limits_only);
    assert_int_equal(operations[5].set.limits[1].capacity, 1);
    buf_done(&bytes);
    arena_done(&arena);
}

static void tasks_that_the_edit_adds_are_known_by_their_ids(void **state)
{
    (void)state;
    struct buf bytes = { 0 };
    struct arena arena = { 0 };
    const struct edit *part = NULL;
    write_part(&bytes);
    assert_int_equal(part_unpack(all_of(&bytes), 1000, &arena, &part), ERR_NONE);
    const struct edit_operation *operations = part->operations;
    assert_int_equal(part->part->first_task_id, 1004);
    assert_int_equal(operations[0].write.task, -1);
    assert_int_equal(operations[1].write.task, -2);
    assert_int_equal(operations[0].write.same_device, 1009);
    assert_int_equal(operations[0].write.other_device, 12);
    assert_int_equal(operations[2].edge.from, 1009);
    assert_int_equal(operations[2].edge.to, 77);
    assert_int_equal(operations[6].task, 1000);
    buf_done(&bytes);
    arena_done(&arena);
}

static void what_is_cut_off_or_changed_is_refused_or_read(void **state)
{
    (void)state;
    struct buf bytes = { 0 };
    struct arena arena = { 0 };
    const struct edit *part = NULL;
    write_part(&bytes);
    for (size_t length = 0; length < bytes.length; length++) {
        const struct str cut = { (const char *)bytes.data, length };
        assert_int_equal(part_unpack(cut, 1, &arena, &part), ERR_CORRUPT);
        arena_clear(&arena);
    }
    for (size_t i = 0; i < bytes.length; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            bytes.data[i] = (uint8_t)(bytes.data[i] ^ 1U << bit);
            enum err err = part_unpack(all_of(&bytes), 1, &arena, &part);
            assert_true(err == ERR_NONE || err == ERR_CORRUPT);
            bytes.data[i] = (uint8_t)(bytes.data[i] ^ 1U << bit);
            arena_clear(&arena);
        }
    }
    buf_append(&bytes, "x", 1);
    assert_int_equal(part_unpack(all_of(&bytes), 1, &arena, &part), ERR_CORRUPT);
    buf_done(&bytes);
    arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_read_is_what_was_written),
        cmocka_unit_test(tasks_that_the_edit_adds_are_known_by_their_ids),
        cmocka_unit_test(what_is_cut_off_or_changed_is_refused_or_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
