/* The store's test bench. */
#include "tests/unit/store_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/mem.h"

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *place)
{
    (void)status;
    (void)type;
    (void)place;
    return remove(path);
}

enum err world_try_open(struct store_world *world, struct reason *reason)
{
    struct store_seed seed = { .wall_ms = 1000 + world->starts };
    memset(seed.random, (int)(1 + world->starts), sizeof seed.random);
    enum err err =
        world->is_sqlite
            ? store_sqlite_open(world->data_dir, &seed, &world->store, &world->start, reason)
            : store_memory_open(world->disk, &seed, &world->store, &world->start, reason);
    world->starts += err == ERR_NONE;
    return err;
}

void world_open(struct store_world *world)
{
    struct reason reason = { { 0 } };
    if (world_try_open(world, &reason) != ERR_NONE) {
        fail_msg("%s", reason.text);
    }
}

void world_close(struct store_world *world)
{
    store_free(world->store);
    world->store = NULL;
    world->in_turn = false;
    effects_clear(&world->effects);
}

void world_reopen(struct store_world *world)
{
    world_close(world);
    world_open(world);
}

static void reset_sample(struct store_world *world)
{
    world->constellation = (struct constellation_record){
        .id = 1, .state = CONSTELLATION_RUNNING, .created_wall_ms = 5, .tasks = 2, .edges = 1
    };
    world->task = (struct task_record){ .id = 1,
                                        .class_id = 2,
                                        .policy_id = 3,
                                        .fence = 77,
                                        .priority = -7,
                                        .attempts = 1,
                                        .state = TASK_RUNNING };
    world->attempt = (struct attempt_record){ .fence = 77,
                                              .constellation_id = 1,
                                              .task_id = 1,
                                              .device_id = 4,
                                              .session = 6,
                                              .number = 1,
                                              .state = ATTEMPT_RUNNING,
                                              .stop_wanted = true,
                                              .assigned_wall_ms = 8,
                                              .started_wall_ms = 9 };
}

struct store_world *world_new(bool is_sqlite)
{
    struct store_world *world = mem_alloc(sizeof *world);
    world->is_sqlite = is_sqlite;
    const char *base = getenv("TMPDIR");
    snprintf(world->directory, sizeof world->directory, "%s/asterism-store-XXXXXX",
             base == NULL || strlen(base) > 30 ? "/tmp" : base);
    if (is_sqlite) {
        assert_non_null(mkdtemp(world->directory));
        snprintf(world->data_dir, sizeof world->data_dir, "%s/data", world->directory);
    } else {
        world->disk = store_disk_new();
    }
    reset_sample(world);
    world_open(world);
    return world;
}

void world_free(struct store_world *world)
{
    world_close(world);
    if (world->is_sqlite) {
        nftw(world->directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    }
    store_disk_free(world->disk);
    effects_done(&world->effects);
    mem_free(world);
}

int world_set_up(void **state)
{
    *state = world_new(true);
    return 0;
}

int world_set_up_memory(void **state)
{
    *state = world_new(false);
    return 0;
}

int world_tear_down(void **state)
{
    world_free(*state);
    return 0;
}

void world_path(const struct store_world *world, const char *name, char path[128])
{
    snprintf(path, 128, "%s/%s", world->directory, name);
}

void world_apply(struct store_world *world)
{
    struct reason reason = { { 0 } };
    if (!world->in_turn && store_begin(world->store, &reason) != ERR_NONE) {
        fail_msg("%s", reason.text);
    }
    world->in_turn = true;
    if (store_apply(world->store, &world->effects, &reason) != ERR_NONE) {
        fail_msg("%s", reason.text);
    }
}

void world_commit(struct store_world *world)
{
    struct reason reason = { { 0 } };
    world_apply(world);
    if (store_commit(world->store, &reason) != ERR_NONE) {
        fail_msg("%s", reason.text);
    }
    world->in_turn = false;
    effects_clear(&world->effects);
}

void world_add_sample(struct store_world *world)
{
    static const struct class_record class = {
        .id = 2,
        .plan = { .selector = { "role in (desktop)", 17 },
                  .device = { "desk", 4 },
                  .executor = EXECUTOR_SHELL },
    };
    static const struct policy_record policy = {
        .id = 3,
        .plan = { .max_attempts = 5,
                  .max_lost = 4,
                  .backoff_base_ms = 1000,
                  .backoff_max_ms = 60000,
                  .backoff_factor_permille = 2000,
                  .run_timeout_ms = 90000,
                  .kill_grace_ms = 10000,
                  .output_bytes_max = 65536,
                  .on_disconnect = ON_DISCONNECT_STOP },
    };
    static const struct str executors[] = { { "run", 3 }, { "shell", 5 } };
    static const struct msg_resource resources[] = { { { "gpu", 3 }, 2500 },
                                                     { { "odd \"name\"", 10 }, INT64_MAX } };
    static const struct msg_pair labels[] = { { { "a\"quote\\", 8 }, { "line\nbreak", 10 } },
                                              { { "role", 4 }, { "desktop", 7 } } };
    static const struct device_record device = {
        .id = 4,
        .name = { "desk", 4 },
        .journal_id = { "journal", 7 },
        .boot_id = { "boot", 4 },
        .process_id = UINT64_MAX - 5,
        .session = 6,
        .fence = 77,
        .agent_version = { "0.1.0", 5 },
        .profile = { .os = { "linux", 5 },
                     .arch = { "x86_64", 6 },
                     .hostname = { "host", 4 },
                     .cpus = 8,
                     .memory_bytes = (uint64_t)1 << 40,
                     .slots = 4,
                     .executors = executors,
                     .executors_count = 2,
                     .labels = labels,
                     .labels_count = 2,
                     .resources = resources,
                     .resources_count = 2 },
        .connected_wall_ms = 11,
    };
    static const struct plan plan = { .name = { "sample", 6 }, .source = { "tasks: {}", 9 } };
    static const struct plan_task plans[] = { { .key = { "first", 5 },
                                                .body = { "a\0b\xff"
                                                          "c",
                                                          5 } },
                                              { .key = { "second", 6 }, .body = { "b", 1 } } };
    static const struct task_record second = {
        .id = 2, .class_id = 2, .policy_id = 3, .state = TASK_WAITING, .has_references = true
    };
    struct effects *effects = &world->effects;
    effects_add(effects, EFFECT_ADD_CLASS)->class = &class;
    effects_add(effects, EFFECT_ADD_POLICY)->policy = &policy;
    struct effect *effect = effects_add(effects, EFFECT_ADD_CONSTELLATION);
    effect->constellation.record = &world->constellation;
    effect->constellation.uid = STR("sample-abcd");
    effect->constellation.plan = &plan;
    for (int64_t id = 1; id <= 2; id++) {
        effect = effects_add(effects, EFFECT_ADD_TASK);
        effect->task.record = id == 1 ? &world->task : &second;
        effect->task.constellation_id = 1;
        effect->task.plan = &plans[id - 1];
    }
    effect = effects_add(effects, EFFECT_ADD_EDGE);
    effect->edge.record = (struct edge_record){
        .id = 1, .from_id = 1, .to_id = 2, .when = EDGE_WHEN_SUCCESS, .named = true
    };
    effect->edge.constellation_id = 1;
    effects_add(effects, EFFECT_SAVE_DEVICE)->device = &device;
    effects_add(effects, EFFECT_ADD_ATTEMPT)->attempt = &world->attempt;
    world_apply(world);
}

static const struct moment LOADED = { .boot_ms = 1000, .wall_ms = 1000 };

void world_dump(struct store_world *world, struct buf *text)
{
    struct reason reason = { { 0 } };
    struct engine_config config = { .epoch = world->start.epoch,
                                    .lease_ms = 60000,
                                    .ping_ms = 20000,
                                    .lost_after_ms = 300000,
                                    .next_constellation_id = world->start.next_constellation_id,
                                    .next_task_id = world->start.next_task_id,
                                    .next_edge_id = world->start.next_edge_id,
                                    .next_hold_id = world->start.next_hold_id };
    struct engine *engine = engine_new(&config);
    if (store_load(world->store, engine, &reason) != ERR_NONE ||
        engine_load_end(engine, LOADED, &reason) != ERR_NONE) {
        fail_msg("%s", reason.text);
    }
    engine_dump(engine, text);
    engine_free(engine);
}

static char pattern(enum stream stream, uint64_t at)
{
    return (char)(at * 31 + at / 251 + (uint64_t)stream);
}

void world_output(struct store_world *world, enum stream stream, size_t bytes)
{
    uint64_t *length =
        stream == STREAM_STDERR ? &world->attempt.stderr_bytes : &world->attempt.stdout_bytes;
    char *data = arena_alloc(&world->effects.arena, bytes);
    for (size_t i = 0; i < bytes; i++) {
        data[i] = pattern(stream, *length + i);
    }
    struct effect *effect = effects_add(&world->effects, EFFECT_OUTPUT);
    effect->output.fence = 77;
    effect->output.stream = stream;
    effect->output.offset = *length;
    effect->output.data = (struct str){ data, bytes };
    *length += bytes;
    effects_add(&world->effects, EFFECT_SAVE_ATTEMPT)->attempt = &world->attempt;
}

void world_expect_output(struct store_world *world, enum stream stream, uint64_t offset,
                         uint64_t bytes)
{
    struct buf got = { 0 };
    assert_int_equal(store_read_output(world->store, 77, stream, offset, (size_t)bytes, &got),
                     ERR_NONE);
    assert_int_equal(got.length, bytes);
    for (uint64_t i = 0; i < bytes; i++) {
        if ((char)got.data[i] != pattern(stream, offset + i)) {
            fail_msg("byte %llu differs", (unsigned long long)(offset + i));
        }
    }
    buf_done(&got);
}

static void take_durable(void *context, uint64_t fence, enum stream stream, uint64_t offset)
{
    struct store_world *world = context;
    assert_true(world->durable_count < 8);
    world->durable[world->durable_count].fence = fence;
    world->durable[world->durable_count].stream = stream;
    world->durable[world->durable_count++].offset = offset;
}

size_t world_sync(struct store_world *world, int64_t boot_ms, bool all)
{
    world->durable_count = 0;
    assert_int_equal(store_sync_output(world->store, boot_ms, all, take_durable, world, NULL),
                     ERR_NONE);
    return world->durable_count;
}

bool world_is_ahead(struct store_world *world, uint64_t epoch, const uint8_t start_id[16],
                    uint64_t fence)
{
    bool ahead = false;
    assert_int_equal(store_receipt_is_ahead(world->store, epoch, start_id, fence, &ahead, NULL),
                     ERR_NONE);
    return ahead;
}
