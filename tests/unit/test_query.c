/* Reads of the API over a real store that a test fills by hand, and the parsing of queries. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "orchestrator/api/args.h"
#include "orchestrator/api/json_out.h"
#include "orchestrator/store/idempotency.h"
#include "orchestrator/store/query.h"
#include "orchestrator/store/query_event.h"
#include "orchestrator/store/store.h"

struct world {
    char directory[64];
    struct store *store;
    struct arena arena;
    struct effects effects;
    struct constellation_record records[8];
    size_t records_count;
    struct plan plan;
};

static int set_up(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    strcpy(world->directory, "/tmp/asterism-query-XXXXXX");
    assert_non_null(mkdtemp(world->directory));
    struct store_seed seed = { .wall_ms = 1000 };
    struct store_start start;
    struct reason reason;
    char data_dir[80];
    snprintf(data_dir, sizeof(data_dir), "%s/data", world->directory);
    assert_int_equal(store_sqlite_open(data_dir, &seed, &world->store, &start, &reason), ERR_NONE);
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    store_free(world->store);
    effects_done(&world->effects);
    arena_done(&world->arena);
    char command[128];
    snprintf(command, sizeof(command), "rm -rf '%s'", world->directory);
    assert_int_equal(system(command), 0); // NOLINT(cert-env33-c): a directory that we made
    free(world);
    return 0;
}

static void add(struct world *world, const char *uid, enum constellation_state state)
{
    struct constellation_record *record = &world->records[world->records_count++];
    *record = (struct constellation_record){
        .id = (int64_t)world->records_count,
        .state = state,
        .created_wall_ms = 5,
    };
    world->plan.name = STR("name");
    struct effect *effect = effects_add(&world->effects, EFFECT_ADD_CONSTELLATION);
    effect->constellation.record = record;
    effect->constellation.uid = str_of(uid);
    effect->constellation.plan = &world->plan;
}

static void add_event(struct world *world, int64_t constellation_id)
{
    struct effect *effect = effects_add(&world->effects, EFFECT_HISTORY);
    effect->history = (struct history){
        .kind = HISTORY_CONSTELLATION_FINISHED,
        .wall_ms = 7,
        .constellation_id = constellation_id,
    };
}

static void commit(struct world *world)
{
    struct reason reason;
    assert_int_equal(store_begin(world->store, &reason), ERR_NONE);
    assert_int_equal(store_apply(world->store, &world->effects, &reason), ERR_NONE);
    assert_int_equal(store_commit(world->store, &reason), ERR_NONE);
    effects_clear(&world->effects);
}

static enum err find(struct world *world, const char *text, char to[64])
{
    struct query_constellation found;
    struct query_candidates candidates = { .count = 0 };
    struct reason reason;
    enum err err = query_constellation_find(world->store, str_of(text), &world->arena, &found,
                                            &candidates, &reason);
    to[0] = '\0';
    if (err == ERR_NONE) {
        snprintf(to, 64, "%.*s", STR_ARG(found.uid));
    } else if (err == ERR_CONFLICT) {
        snprintf(to, 64, "%zu", candidates.count);
    }
    return err;
}

static void an_id_is_found_whole_by_its_prefix_or_as_the_last(void **state)
{
    struct world *world = *state;
    add(world, "ab-2222", CONSTELLATION_RUNNING);
    add(world, "ab-2222x", CONSTELLATION_RUNNING);
    add(world, "cd-3333", CONSTELLATION_SUCCEEDED);
    add(world, "ef-4444", CONSTELLATION_LOADING);
    commit(world);
    char text[64];
    assert_int_equal(find(world, "ab-2222", text), ERR_NONE);
    assert_string_equal(text, "ab-2222"); /* though it is also a prefix */
    assert_int_equal(find(world, "ab", text), ERR_CONFLICT);
    assert_string_equal(text, "2");
    assert_int_equal(find(world, "c", text), ERR_NONE);
    assert_string_equal(text, "cd-3333");
    assert_int_equal(find(world, "@last", text), ERR_NONE);
    assert_string_equal(text, "cd-3333");
    assert_int_equal(find(world, "ef-4444", text), ERR_NOT_FOUND);
    assert_int_equal(find(world, "", text), ERR_NOT_FOUND);
    bool taken = false;
    struct reason reason;
    assert_int_equal(query_uid_taken(world->store, STR("ef-4444"), &taken, &reason), ERR_NONE);
    assert_true(taken);
}

static void a_list_is_filtered_and_says_where_it_goes_on(void **state)
{
    struct world *world = *state;
    add(world, "a-1", CONSTELLATION_RUNNING);
    add(world, "a-2", CONSTELLATION_FAILED);
    add(world, "a-3", CONSTELLATION_RUNNING);
    add(world, "a-4", CONSTELLATION_FAILED);
    commit(world);
    struct query_list wanted = { .states = 1U << CONSTELLATION_RUNNING, .limit = 1 };
    struct query_constellations list;
    struct reason reason;
    assert_int_equal(query_constellation_list(world->store, &wanted, &world->arena, &list, &reason),
                     ERR_NONE);
    assert_int_equal(list.count, 1);
    assert_int_equal(list.list[0].record.id, 3);
    assert_int_not_equal(list.next_id, 0);
    wanted.before_id = list.next_id;
    assert_int_equal(query_constellation_list(world->store, &wanted, &world->arena, &list, &reason),
                     ERR_NONE);
    assert_int_equal(list.count, 1);
    assert_int_equal(list.list[0].record.id, 1);
    assert_int_equal(list.next_id, 0);
}

static void events_are_read_in_slices_of_one_constellation(void **state)
{
    struct world *world = *state;
    int64_t oldest = -1;
    int64_t newest = -1;
    struct reason reason;
    assert_int_equal(query_event_range(world->store, &oldest, &newest, &reason), ERR_NONE);
    int64_t before = newest;
    for (int i = 0; i < 10; i++) {
        add_event(world, i % 2 + 1);
    }
    commit(world);
    struct query_events events;
    assert_int_equal(query_events(world->store, before, 2, 5, &world->arena, &events, &reason),
                     ERR_NONE);
    assert_int_equal(events.count, 2);
    assert_int_equal(events.scanned_seq, before + 5);
    assert_int_equal(
        query_events(world->store, events.scanned_seq, 0, 50, &world->arena, &events, &reason),
        ERR_NONE);
    assert_int_equal(events.count, 5);
    assert_int_equal(events.list[4].seq, before + 10);
}

static void an_answer_is_kept_for_seven_days(void **state)
{
    struct world *world = *state;
    struct idempotency_record record = {
        .scope = STR("s"),
        .key = STR("k"),
        .body_hash = { 1, 2, 3 },
        .status = 201,
        .response = STR("{}"),
        .created_wall_ms = 1000,
    };
    struct reason reason;
    assert_int_equal(store_begin(world->store, &reason), ERR_NONE);
    assert_int_equal(idempotency_put(world->store, &record, &reason), ERR_NONE);
    assert_int_equal(store_commit(world->store, &reason), ERR_NONE);
    struct idempotency_record found;
    int64_t week_ms = (int64_t)7 * 24 * 3600 * 1000;
    assert_int_equal(idempotency_find(world->store, STR("s"), STR("k"), 1000 + week_ms,
                                      &world->arena, &found, &reason),
                     ERR_NONE);
    assert_int_equal(found.status, 201);
    assert_memory_equal(found.body_hash, record.body_hash, IDEMPOTENCY_HASH_BYTES);
    assert_int_equal(idempotency_find(world->store, STR("s"), STR("k"), 1001 + week_ms,
                                      &world->arena, &found, &reason),
                     ERR_NOT_FOUND);
    assert_int_equal(idempotency_find(world->store, STR("other"), STR("k"), 1000, &world->arena,
                                      &found, &reason),
                     ERR_NOT_FOUND);
}

static void a_query_string_is_decoded_and_checked(void **state)
{
    (void)state;
    static const char *const known[] = { "a", "b", NULL };
    struct arena arena = { .blocks = NULL };
    struct args args;
    struct reason reason;
    struct str value;
    assert_int_equal(args_read(STR("a=x%2Cy+z&&b"), known, &arena, &args, &reason), ERR_NONE);
    assert_true(args_get(&args, "a", &value));
    assert_true(str_is(value, "x,y z"));
    assert_true(args_get(&args, "b", &value));
    assert_int_equal(value.length, 0);
    static const char *const bad[] = { "c=1", "a=%", "a=%4", "a=%g0", "a=%ff", "a=1&a=2", "=1" };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(args_read(str_of(bad[i]), known, &arena, &args, &reason), ERR_INVALID);
    }
    uint64_t number = 0;
    assert_int_equal(args_read(STR("a=12&b=012x"), known, &arena, &args, &reason), ERR_NONE);
    assert_int_equal(args_number(&args, "a", 1, 12, 5, &number, &reason), ERR_NONE);
    assert_int_equal(number, 12);
    assert_int_equal(args_number(&args, "a", 1, 11, 5, &number, &reason), ERR_INVALID);
    assert_int_equal(args_number(&args, "b", 1, 99, 5, &number, &reason), ERR_INVALID);
    assert_int_equal(args_number(&args, "c", 1, 99, 5, &number, &reason), ERR_NONE);
    assert_int_equal(number, 5);
    arena_done(&arena);
}

static void json_is_escaped_and_always_utf8(void **state)
{
    (void)state;
    struct buf text = { NULL, 0, 0 };
    struct json_out out = { .buf = &text };
    json_out_object(&out, NULL);
    json_out_str(&out, "a", STR("q\" b\\ n\n c\x01 \xc3\xa4 \xff."));
    json_out_str(&out, "b", (struct str){ NULL, 0 });
    json_out_seconds(&out, "c", 1234);
    json_out_time(&out, "d", 1);
    json_out_fence(&out, "e", UINT64_C(1) << 62);
    json_out_array(&out, "f");
    json_out_int(&out, NULL, -1);
    json_out_null(&out, NULL);
    json_out_array_end(&out);
    json_out_object_end(&out);
    assert_string_equal(buf_text(&text),
                        "{\"a\":\"q\\\" b\\\\ n\\n c\\u0001 \xc3\xa4 \xef\xbf\xbd.\",\"b\":\"\","
                        "\"c\":1.234,\"d\":\"1970-01-01T00:00:00.001Z\","
                        "\"e\":\"4611686018427387904\",\"f\":[-1,null]}");
    buf_done(&text);
}

int main(void)
{
#define IN_A_WORLD(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        IN_A_WORLD(an_id_is_found_whole_by_its_prefix_or_as_the_last),
        IN_A_WORLD(a_list_is_filtered_and_says_where_it_goes_on),
        IN_A_WORLD(events_are_read_in_slices_of_one_constellation),
        IN_A_WORLD(an_answer_is_kept_for_seven_days),
        cmocka_unit_test(a_query_string_is_decoded_and_checked),
        cmocka_unit_test(json_is_escaped_and_always_utf8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
