/* See store_sample.h. */
#include "tests/unit/store_sample.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct str tools[] = { { "git", 3 }, { "quote\"d", 7 } };
static const struct plan_resource resources[] = { { { "cpu", 3 }, 1500 },
                                                  { { "memory", 6 }, INT64_C(1) << 45 } };
static const struct plan_limit_use uses[] = { { 0, 1 }, { 1, 3 } };
static const struct str executors[] = { { "shell", 5 } };

static void init_shared(struct sample *sample)
{
    sample->class = (struct class_record){
        .id = 2,
        .plan = { .selector = STR("role in (desktop)"),
                  .device = STR("desk"),
                  .executor = EXECUTOR_SHELL,
                  .strategy = STRATEGY_SPREAD,
                  .tools = tools,
                  .tools_count = 2,
                  .resources = resources,
                  .resources_count = 2,
                  .limits = uses,
                  .limits_count = 2 },
        .same_task_id = 11,
        .other_task_id = 12,
        .constellation_id = 1,
    };
    sample->policy = (struct policy_record){
        .id = 3,
        .plan = { .max_attempts = 5,
                  .max_lost = 4,
                  .backoff_base_ms = 1000,
                  .backoff_max_ms = 60000,
                  .backoff_factor_permille = 2000,
                  .run_timeout_ms = 90000,
                  .kill_grace_ms = 10000,
                  .output_bytes_max = 65536,
                  .on_disconnect = ON_DISCONNECT_STOP,
                  .effect = TASK_ONCE,
                  .retry_on = RETRY_ON_EXIT | RETRY_ON_START,
                  .queue_timeout_ms = 101,
                  .start_timeout_ms = 102,
                  .silence_timeout_ms = 103,
                  .hold_on_failure_ms = 104 },
    };
    sample->device = (struct device_record){
        .id = 4,
        .name = STR("desk"),
        .journal_id = STR("journal"),
        .boot_id = STR("boot"),
        .process_id = 5,
        .session = 6,
        .fence = 77,
        .agent_version = STR("0.1.0"),
        .profile = { .os = STR("linux"),
                     .arch = STR("x86_64"),
                     .hostname = STR("host"),
                     .cpus = 8,
                     .memory_bytes = (uint64_t)1 << 40,
                     .slots = 4,
                     .executors = executors,
                     .executors_count = 1 },
        .draining = true,
        .connected_wall_ms = 11,
    };
}

static void init_tasks(struct sample *sample)
{
    static const char *const keys[] = { "scan", "gate", "report" };
    for (int i = 0; i < SAMPLE_TASKS; i++) {
        sample->tasks[i] = (struct task_record){ .id = 11 + i,
                                                 .class_id = 2,
                                                 .policy_id = 3,
                                                 .priority = -7,
                                                 .body_bytes = 4,
                                                 .revision = 8,
                                                 .round = 1,
                                                 .flags = (uint16_t)(1 + i),
                                                 .state = TASK_WAITING };
        sample->texts[i] = (struct plan_task){ .key = str_of(keys[i]),
                                               .body = STR("body"),
                                               .group = i == 0 ? STR("scans") : STR(""),
                                               .description = i == 1 ? STR("who says") : STR(""),
                                               .hold = i == 1 ? STR("ask ada") : STR("") };
    }
    struct task_record *first = &sample->tasks[0];
    first->fence = 77;
    first->attempts = 4;
    first->first_attempt = 2;
    first->name = UINT16_MAX;
    first->tries = 1;
    first->lost = 1;
    first->round = 2;
    first->state = TASK_RUNNING;
    first->has_references = true;
    first->prepared = true;
    sample->attempt = (struct attempt_record){ .fence = 77,
                                               .constellation_id = 1,
                                               .task_id = 11,
                                               .device_id = 4,
                                               .session = 6,
                                               .number = 4,
                                               .state = ATTEMPT_RUNNING,
                                               .assigned_wall_ms = 8,
                                               .started_wall_ms = 9 };
}

void sample_init(struct sample *sample)
{
    *sample = (struct sample){ .plan = { .name = STR("sample"), .source = STR("tasks: {}") } };
    sample->plan.description = STR("one of everything");
    init_shared(sample);
    sample->constellation = (struct constellation_record){ .id = 1,
                                                           .state = CONSTELLATION_RUNNING,
                                                           .created_wall_ms = 5,
                                                           .tasks = SAMPLE_TASKS,
                                                           .edges = SAMPLE_EDGES,
                                                           .revision = 8,
                                                           .fail_fast = true,
                                                           .deadline_wall_ms = 90000,
                                                           .deadline_length_ms = 80000 };
    init_tasks(sample);
    static const int ends[SAMPLE_EDGES][2] = { { 11, 12 }, { 11, 13 }, { 12, 13 } };
    for (int i = 0; i < SAMPLE_EDGES; i++) {
        sample->edges[i] = (struct edge_record){ .id = 21 + i,
                                                 .from_id = ends[i][0],
                                                 .to_id = ends[i][1],
                                                 .when = (enum edge_when)(2 + i),
                                                 .named = i != 2,
                                                 .required = i == 2,
                                                 .conditional = i == 1 };
    }
    sample->edge_texts[1].condition = STR("number > ?1");
    sample->edge_texts[1].arguments = STR("[1000]");
    sample->limits[0] = (struct limit_record){ 1, 0, STR("licence"), 2 };
    sample->limits[1] = (struct limit_record){ 1, 1, STR("line"), 9 };
    sample->holds[0] = (struct hold_record){ .id = 31,
                                             .constellation_id = 1,
                                             .scope = HOLD_DESCENDANTS,
                                             .origin = HOLD_BY_REQUEST,
                                             .on_expiry = HOLD_EXPIRY_FAIL,
                                             .root_task_id = 11,
                                             .created_wall_ms = 6,
                                             .deadline_wall_ms = 70000,
                                             .length_ms = 60000 };
    sample->holds[1] = (struct hold_record){ .id = 32,
                                             .constellation_id = 1,
                                             .scope = HOLD_ALL,
                                             .origin = HOLD_PAUSE,
                                             .on_expiry = HOLD_EXPIRY_RELEASE,
                                             .created_wall_ms = 7 };
}

struct effect *sample_add_task(struct effects *effects, const struct task_record *record,
                               const struct plan_task *text)
{
    struct effect *effect = effects_add(effects, EFFECT_ADD_TASK);
    effect->task.record = record;
    effect->task.constellation_id = 1;
    effect->task.plan = text;
    return effect;
}

struct effect *sample_edge(struct effects *effects, enum effect_kind kind,
                           const struct edge_record *record, const struct plan_edge *text)
{
    struct effect *effect = effects_add(effects, kind);
    effect->edge.record = *record;
    effect->edge.constellation_id = 1;
    effect->edge.plan = text;
    return effect;
}

void sample_submit(struct sample *sample, struct effects *effects)
{
    effects_add(effects, EFFECT_ADD_CLASS)->class = &sample->class;
    effects_add(effects, EFFECT_ADD_POLICY)->policy = &sample->policy;
    effects_add(effects, EFFECT_SAVE_DEVICE)->device = &sample->device;
    struct effect *effect = effects_add(effects, EFFECT_ADD_CONSTELLATION);
    effect->constellation.record = &sample->constellation;
    effect->constellation.uid = STR("sample-abcd");
    effect->constellation.plan = &sample->plan;
    for (int i = 0; i < SAMPLE_TASKS; i++) {
        sample_add_task(effects, &sample->tasks[i], &sample->texts[i]);
    }
    for (int i = 0; i < SAMPLE_EDGES; i++) {
        sample_edge(effects, EFFECT_ADD_EDGE, &sample->edges[i], &sample->edge_texts[i]);
    }
    for (int i = 0; i < 2; i++) {
        effects_add(effects, EFFECT_ADD_LIMIT)->limit = sample->limits[i];
        effect = effects_add(effects, EFFECT_ADD_HOLD);
        effect->hold.record = &sample->holds[i];
        effect->hold.owner = STR("ada");
        effect->hold.reason = i == 0 ? STR("thinking") : STR("");
    }
    for (int64_t id = 12; id <= 13; id++) {
        effect = effects_add(effects, EFFECT_ADD_HOLD_TASK);
        effect->hold_task.hold_id = 31;
        effect->hold_task.task_id = id;
    }
    effects_add(effects, EFFECT_ADD_ATTEMPT)->attempt = &sample->attempt;
    struct history *history = &effects_add(effects, EFFECT_HISTORY)->history;
    history->kind = HISTORY_CONSTELLATION_SUBMITTED;
    history->constellation_id = 1;
    history->text = STR("test");
}

void sample_dump(const struct sample *sample, struct buf *text)
{
    static const int64_t held[] = { 12, 13 };
    struct engine_config config = { .epoch = 1, .lease_ms = 60000, .ping_ms = 20000 };
    struct engine *engine = engine_new(&config);
    engine_load_class(engine, &sample->class);
    engine_load_policy(engine, &sample->policy);
    engine_load_device(engine, &sample->device);
    engine_load_constellation(engine, &sample->constellation);
    for (int i = 0; i < SAMPLE_TASKS; i++) {
        engine_load_task(engine, 1, &sample->tasks[i]);
    }
    for (int i = 0; i < SAMPLE_EDGES; i++) {
        engine_load_edge(engine, 1, &sample->edges[i]);
    }
    engine_load_attempt(engine, &sample->attempt);
    for (int i = 0; i < 2; i++) {
        engine_load_limit(engine, &sample->limits[i]);
        engine_load_hold(engine, &sample->holds[i], held, i == 0 ? 2 : 0);
    }
    engine_dump(engine, text);
    engine_free(engine);
}
