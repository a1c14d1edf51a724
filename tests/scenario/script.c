#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/mem.h"
#include "orchestrator/evaluate.h"
#include "tests/scenario/world.h"

enum { WORDS_MAX = 24 };

struct script {
    struct world world;
    FILE *file;
    const char *path;
    int line;
    char text[1024];
    char *words[WORDS_MAX];
    size_t words_count;
    struct buf expected;
    struct buf *complaint;
    bool print;      /* write the script with the trace that came, instead of comparing */
    struct buf echo; /* lines read and not yet printed */
};

/* The value of the word KEY=…, or NULL. */
static const char *option(const struct script *script, const char *key)
{
    size_t length = strlen(key);
    for (size_t i = 1; i < script->words_count; i++) {
        if (strncmp(script->words[i], key, length) == 0 && script->words[i][length] == '=') {
            return script->words[i] + length + 1;
        }
    }
    return NULL;
}

static int64_t number(const struct script *script, const char *key, int64_t otherwise)
{
    const char *value = option(script, key);
    return value == NULL ? otherwise : strtoll(value, NULL, 10);
}

static bool flag(const struct script *script, const char *word)
{
    for (size_t i = 1; i < script->words_count; i++) {
        if (strcmp(script->words[i], word) == 0) {
            return true;
        }
    }
    return false;
}

static bool complain(struct script *script, const char *what)
{
    buf_printf(script->complaint, "%s:%d: %s\n", script->path, script->line, what);
    return false;
}

static struct str keep(struct script *script, const char *text)
{
    return arena_str(&script->world.arena, str_of(text));
}

/* --- turns --- */

static void open_world(struct script *script)
{
    struct world *world = &script->world;
    struct store_seed seed = { .wall_ms = world->now.wall_ms };
    struct store_start start;
    struct reason reason = { "" };
    CHECK(store_memory_open(world->disk, &seed, &world->store, &start, &reason) == ERR_NONE);
    struct engine_config config = {
        .epoch = start.epoch,
        .seed = 1,
        .lease_ms = 60000,
        .ping_ms = 20000,
        .lost_after_ms = 300000,
        .next_constellation_id = start.next_constellation_id,
        .next_task_id = start.next_task_id,
        .next_edge_id = start.next_edge_id,
        .next_hold_id = start.next_hold_id,
    };
    world->engine = engine_new(&config);
    CHECK(store_load(world->store, world->engine, &reason) == ERR_NONE);
    CHECK(engine_load_end(world->engine, world->now, &reason) == ERR_NONE);
}

static bool check_world(struct script *script)
{
    struct world *world = &script->world;
    struct reason reason = { "" };
    if (engine_check(world->engine, &reason) != ERR_NONE) {
        return complain(script, reason.text);
    }
    struct engine_config config = { .epoch = FENCE_EPOCH_MAX };
    struct engine *twin = engine_new(&config);
    CHECK(store_load(world->store, twin, &reason) == ERR_NONE);
    bool good = engine_load_end(twin, world->now, &reason) == ERR_NONE;
    struct buf ours = { 0 };
    struct buf theirs = { 0 };
    engine_dump(world->engine, &ours);
    engine_dump(twin, &theirs);
    if (!good || strcmp(buf_text(&ours), buf_text(&theirs)) != 0) {
        complain(script, "the store holds something else than the engine (P10)");
        buf_printf(script->complaint, "--- engine\n%s--- store\n%s%s", buf_text(&ours),
                   buf_text(&theirs), reason.text);
        good = false;
    }
    buf_done(&ours);
    buf_done(&theirs);
    engine_free(twin);
    return good;
}

static void step(struct world *world, const struct event *event)
{
    struct event timed = *event;
    timed.now = world->now;
    engine_step(world->engine, &timed, &world->effects);
}

static bool answer_evaluate(struct script *script, const struct effect *effect)
{
    struct world *world = &script->world;
    struct event event;
    struct reason reason = { "" };
    if (store_apply(world->store, &world->effects, &reason) != ERR_NONE ||
        evaluate_edge(world->store, world->conditions, effect, &world->arena, &event, &reason) !=
            ERR_NONE) {
        return complain(script, reason.text);
    }
    step(world, &event);
    return true;
}

static bool answer_questions(struct script *script)
{
    struct world *world = &script->world;
    bool good = true;
    for (size_t i = 0; good && i < world->effects.count; i++) {
        if (world->effects.list[i].kind == EFFECT_PREPARE) {
            struct event event = { .kind = EVENT_PREPARED };
            event.prepared.constellation_id = world->effects.list[i].prepare.constellation_id;
            event.prepared.task_id = world->effects.list[i].prepare.task_id;
            event.prepared.err = world->prepare_fails[0] == 0 ? ERR_NONE : ERR_INVALID;
            event.prepared.reason = str_of(world->prepare_fails);
            step(world, &event);
        } else if (world->effects.list[i].kind == EFFECT_EVALUATE) {
            good = answer_evaluate(script, &world->effects.list[i]);
        }
    }
    world->prepare_fails[0] = 0;
    return good;
}

/* A constellation that has ended is not held any more: it is loaded in the turn, as the API does. */
static bool revive(struct script *script, const struct event *event)
{
    struct world *world = &script->world;
    int64_t id = event->reopen.constellation_id;
    struct reason reason = { "" };
    return engine_constellation(world->engine, id) != NULL ||
           (store_load_constellation(world->store, world->engine, id, &reason) == ERR_NONE &&
            engine_load_revived(world->engine, id, world->now, &reason) == ERR_NONE) ||
           complain(script, reason.text);
}

static bool turn(struct script *script, const struct event *event)
{
    struct world *world = &script->world;
    struct reason reason = { "" };
    CHECK(store_begin(world->store, &reason) == ERR_NONE);
    if (event != NULL && event->kind == EVENT_REOPEN && !revive(script, event)) {
        return false;
    }
    if (event != NULL) {
        step(world, event);
    }
    step(world, &(struct event){ .kind = EVENT_TICK });
    if (!answer_questions(script)) {
        return false;
    }
    step(world, &(struct event){ .kind = EVENT_DISPATCH });
    trace_effects(world);
    if (store_apply(world->store, &world->effects, &reason) != ERR_NONE ||
        store_commit(world->store, &reason) != ERR_NONE) {
        return complain(script, reason.text);
    }
    engine_turn_end(world->engine);
    effects_clear(&world->effects);
    return check_world(script);
}

/* One turn, and more while the engine has work left for them. */
static bool turns(struct script *script, const struct event *event)
{
    bool good = turn(script, event);
    for (int i = 0; good && i < 100; i++) {
        if (engine_next_deadline(script->world.engine) > script->world.now.boot_ms) {
            break;
        }
        good = turn(script, NULL);
    }
    return good;
}

/* --- plans --- */

struct draft {
    struct plan_task tasks[WORLD_TASKS_MAX];
    struct plan_edge edges[WORLD_TASKS_MAX];
    struct plan_class classes[WORLD_TASKS_MAX];
    struct plan_policy policies[WORLD_TASKS_MAX];
    struct plan_limit limits[4];
    size_t limits_count;
    size_t tasks_count;
    size_t edges_count;
    int64_t deadline_ms;
    bool fail_fast;
};

static int64_t amount_milli(const char *text)
{
    return (int64_t)(strtod(text, NULL) * 1000 + 0.5);
}

/* "NAME:AMOUNT" */
static struct plan_resource *one_resource(struct script *script, const char *text)
{
    struct plan_resource *resource = arena_alloc(&script->world.arena, sizeof *resource);
    const char *colon = strchr(text, ':');
    CHECK(colon != NULL);
    *resource = (struct plan_resource){ keep(script, text), amount_milli(colon + 1) };
    resource->name.length = (size_t)(colon - text);
    return resource;
}

static uint32_t task_above(const struct draft *draft, const char *key)
{
    for (size_t i = 0; key != NULL && i < draft->tasks_count; i++) {
        if (str_is(draft->tasks[i].key, key)) {
            return (uint32_t)i + 1;
        }
    }
    return 0;
}

static void place_task(struct script *script, const struct draft *draft, struct plan_class *class)
{
    static const char *const strategies[] = { "least_loaded", "round_robin", "spread", "pack" };
    const char *resource = option(script, "resource");
    const char *tool = option(script, "tool");
    const char *limit = option(script, "limit");
    const char *strategy = option(script, "strategy");
    class->same_device = task_above(draft, option(script, "same"));
    class->other_device = task_above(draft, option(script, "other"));
    if (resource != NULL) {
        class->resources = one_resource(script, resource);
        class->resources_count = 1;
    }
    if (tool != NULL) {
        struct str *tools = arena_alloc(&script->world.arena, sizeof *tools);
        *tools = keep(script, tool);
        class->tools = tools;
        class->tools_count = 1;
    }
    if (limit != NULL) {
        struct plan_limit_use *use = arena_alloc(&script->world.arena, sizeof *use);
        const struct plan_resource *named = one_resource(script, limit);
        use->amount = (uint32_t)(named->amount_milli / 1000);
        while (!str_equal(draft->limits[use->limit].name, named->name)) {
            use->limit++;
            CHECK(use->limit < draft->limits_count);
        }
        class->limits = use;
        class->limits_count = 1;
    }
    for (size_t i = 0; strategy != NULL && i < sizeof strategies / sizeof strategies[0]; i++) {
        if (strcmp(strategies[i], strategy) == 0) {
            class->strategy = (enum strategy)i;
        }
    }
}

static uint32_t retry_bits(struct script *script)
{
    static const char *const ends[] = { "exit", "signal", "timeout", "start" };
    const char *text = option(script, "on-end");
    uint32_t bits = 0;
    for (size_t i = 0; text != NULL && i < sizeof ends / sizeof ends[0]; i++) {
        bits |= strstr(text, ends[i]) == NULL ? 0 : 1U << i;
    }
    return bits;
}

/* KEY[:KIND][!][?CONDITION]; ! is required, as by a reference. */
static struct plan_edge one_need(struct script *script, char *text)
{
    struct plan_edge edge = { .when = EDGE_WHEN_SUCCESS, .named = true };
    char *condition = strchr(text, '?');
    if (condition != NULL) {
        *condition++ = 0;
        edge.condition = keep(script, condition);
    }
    size_t length = strlen(text);
    if (length > 0 && text[length - 1] == '!') {
        text[length - 1] = 0;
        edge.required = true;
    }
    char *kind = strchr(text, ':');
    if (kind != NULL) {
        *kind++ = 0;
        while (strcmp(edge_when_name(edge.when), kind) != 0) {
            CHECK(edge.when != EDGE_WHEN_ALWAYS);
            edge.when = (enum edge_when)(edge.when + 1);
        }
    }
    return edge;
}

static bool add_needs(struct script *script, struct draft *draft, const char *needs)
{
    char list[512];
    snprintf(list, sizeof list, "%s", needs);
    char *rest = NULL;
    for (char *key = strtok_r(list, ",", &rest); key != NULL; key = strtok_r(NULL, ",", &rest)) {
        struct plan_edge edge = one_need(script, key);
        edge.from = task_above(draft, key);
        edge.to = (uint32_t)draft->tasks_count;
        if (edge.from-- == 0 || draft->edges_count == WORLD_TASKS_MAX) {
            return complain(script, "needs a task that does not stand above, or too many");
        }
        draft->edges[draft->edges_count++] = edge;
    }
    return true;
}

static uint16_t task_flags(const struct script *script)
{
    unsigned flags = 0;
    flags |= flag(script, "any") ? TASK_JOIN_ANY : 0U;
    flags |= flag(script, "gate") ? TASK_GATE : 0U;
    flags |= flag(script, "finally") ? TASK_FINALLY : 0U;
    flags |= flag(script, "allow-failure") ? TASK_ALLOW_FAILURE : 0U;
    return (uint16_t)flags;
}

static bool add_task(struct script *script, struct draft *draft)
{
    size_t at = draft->tasks_count;
    const char *needs = option(script, "needs");
    if (at == WORLD_TASKS_MAX || (needs != NULL && !add_needs(script, draft, needs))) {
        return at != WORLD_TASKS_MAX ? false : complain(script, "too many tasks");
    }
    const char *on = option(script, "on");
    const char *device = option(script, "device");
    draft->classes[at] = (struct plan_class){
        .selector = keep(script, on == NULL ? "" : on),
        .device = keep(script, device == NULL ? "" : device),
        .executor = EXECUTOR_NOOP,
    };
    place_task(script, draft, &draft->classes[at]);
    draft->policies[at] = (struct plan_policy){
        .max_attempts = (uint32_t)number(script, "attempts", 1),
        .max_lost = (uint32_t)number(script, "lost", 3),
        .backoff_base_ms = 1000,
        .backoff_max_ms = 60000,
        .backoff_factor_permille = 2000,
        .run_timeout_ms = number(script, "timeout", 0),
        .kill_grace_ms = number(script, "grace", 5000),
        .output_bytes_max = number(script, "max", 100),
        .on_disconnect = flag(script, "stop") ? ON_DISCONNECT_STOP : ON_DISCONNECT_CONTINUE,
        .effect = flag(script, "once") ? TASK_ONCE : TASK_IDEMPOTENT,
        .retry_on = retry_bits(script),
        .queue_timeout_ms = number(script, "queue", 0),
        .start_timeout_ms = number(script, "start", 0),
        .hold_on_failure_ms = number(script, "hold-on-failure", 0),
    };
    const char *approval = option(script, "hold");
    draft->tasks[at] = (struct plan_task){
        .key = keep(script, script->words[1]),
        .body = STR("body"),
        .class_index = (uint32_t)at,
        .policy_index = (uint32_t)at,
        .priority = (int32_t)number(script, "priority", 0),
        .has_references = flag(script, "refs"),
        .flags = task_flags(script),
        .hold = keep(script, approval == NULL ? "" : approval),
    };
    draft->tasks_count++;
    return true;
}

static bool next_words(struct script *script)
{
    if (fgets(script->text, sizeof script->text, script->file) == NULL) {
        return false;
    }
    script->line++;
    script->words_count = 0;
    char *rest = NULL;
    char *text = script->text;
    text[strcspn(text, "\n")] = 0;
    if (text[0] != '>') {
        buf_printf(&script->echo, "%s\n", text);
    }
    if (text[0] == '>') {
        buf_printf(&script->expected, "%s\n", text + (text[1] == ' ' ? 2 : 1));
        return true;
    }
    for (char *word = strtok_r(text, " ", &rest); word != NULL && word[0] != '#';
         word = strtok_r(NULL, " ", &rest)) {
        CHECK(script->words_count < WORDS_MAX);
        script->words[script->words_count++] = word;
    }
    return true;
}

static void flush_echo(struct script *script)
{
    if (script->print) {
        fputs(buf_text(&script->echo), stdout);
    }
    buf_clear(&script->echo);
}

static bool command_plan(struct script *script)
{
    struct draft *draft = arena_alloc(&script->world.arena, sizeof *draft);
    struct str name = keep(script, script->words[1]);
    while (next_words(script)) {
        if (script->words_count == 0) {
            continue;
        }
        if (strcmp(script->words[0], "end") == 0) {
            break;
        }
        if (strcmp(script->words[0], "fail-fast") == 0) {
            draft->fail_fast = true;
        } else if (strcmp(script->words[0], "deadline") == 0) {
            draft->deadline_ms = strtoll(script->words[1], NULL, 10);
        } else if (strcmp(script->words[0], "limit") == 0) {
            CHECK(draft->limits_count < sizeof draft->limits / sizeof draft->limits[0]);
            draft->limits[draft->limits_count++] =
                (struct plan_limit){ keep(script, script->words[1]),
                                     (uint32_t)strtoul(script->words[2], NULL, 10) };
        } else if (!add_task(script, draft)) {
            return false;
        }
    }
    flush_echo(script);
    struct plan *plan = arena_alloc(&script->world.arena, sizeof *plan);
    *plan = (struct plan){
        .name = name,
        .source = STR("source"),
        .classes = draft->classes,
        .classes_count = draft->tasks_count,
        .policies = draft->policies,
        .policies_count = draft->tasks_count,
        .tasks = draft->tasks,
        .tasks_count = draft->tasks_count,
        .edges = draft->edges,
        .edges_count = draft->edges_count,
        .limits = draft->limits,
        .limits_count = draft->limits_count,
        .deadline_ms = draft->deadline_ms,
        .fail_fast = draft->fail_fast,
    };
    struct event event = { .kind = EVENT_SUBMIT };
    event.submit.plan = plan;
    event.submit.request = 1;
    event.submit.uid = name;
    event.submit.actor = STR("test");
    return turns(script, &event);
}

/* --- agents --- */

static uint64_t fence_of(const struct script *script, const char *text)
{
    const struct world *world = &script->world;
    char key[64];
    snprintf(key, sizeof key, "%s", text);
    char *mark = strchr(key, '#');
    if (mark == NULL) {
        return strtoull(text, NULL, 10);
    }
    *mark = 0;
    uint32_t attempt = (uint32_t)strtoul(mark + 1, NULL, 10);
    for (size_t i = 0; i < world->attempts_count; i++) {
        if (world->attempts[i].number == attempt &&
            strcmp(world_key(world, world->attempts[i].task_id), key) == 0) {
            return world->attempts[i].fence;
        }
    }
    return 1; /* never given out */
}

static bool send_message(struct script *script, const struct msg *msg)
{
    struct event event = { .kind = EVENT_MESSAGE };
    event.message.channel = world_device(&script->world, script->words[1])->channel;
    event.message.msg = msg;
    const char *bound = option(script, "bound");
    event.message.bound_device = str_of(bound == NULL ? "" : bound);
    event.message.receipt_is_ahead = flag(script, "ahead");
    return turns(script, &event);
}

static size_t read_held(struct script *script, struct msg_held *held)
{
    static const char *const states[] = { "?", "accepted", "running", "finished", "died" };
    const char *value = option(script, "held");
    char list[512];
    snprintf(list, sizeof list, "%s", value == NULL ? "" : value);
    size_t count = 0;
    char *rest = NULL;
    for (char *word = strtok_r(list, ",", &rest); word != NULL; word = strtok_r(NULL, ",", &rest)) {
        char *colon = strchr(word, ':');
        CHECK(colon != NULL);
        *colon = 0;
        held[count].fence = fence_of(script, word);
        for (int state = HELD_ACCEPTED; state <= HELD_DIED; state++) {
            if (strcmp(states[state], colon + 1) == 0) {
                held[count].state = (enum held_state)state;
            }
        }
        CHECK(held[count].state != 0);
        count++;
    }
    return count;
}

static bool command_hello(struct script *script)
{
    static uint64_t channels = 0;
    struct world_device *device = world_device(&script->world, script->words[1]);
    uint64_t before = device->channel;
    device->channel = ++channels;
    struct msg_pair labels[WORDS_MAX];
    size_t labels_count = 0;
    static const char *const known[] = { "slots", "journal", "boot", "process", "session",
                                         "bound", "held",    "has",  "tool" };
    for (size_t i = 2; i < script->words_count; i++) {
        char *equals = strchr(script->words[i], '=');
        bool is_option = equals == NULL;
        for (size_t k = 0; k < sizeof known / sizeof known[0]; k++) {
            is_option = is_option || strncmp(script->words[i], known[k], strlen(known[k])) == 0;
        }
        if (!is_option) {
            labels[labels_count].key =
                (struct str){ script->words[i], (size_t)(equals - script->words[i]) };
            labels[labels_count++].value = str_of(equals + 1);
        }
    }
    const char *journal = option(script, "journal");
    const char *boot = option(script, "boot");
    const char *session = option(script, "session");
    static const struct str executors[] = { { "noop", 4 } };
    const char *has = option(script, "has");
    const char *tool = option(script, "tool");
    struct str tools = str_of(tool == NULL ? "" : tool);
    struct msg_resource resource = { { NULL, 0 }, 0 };
    if (has != NULL) {
        const struct plan_resource *read = one_resource(script, has);
        resource = (struct msg_resource){ read->name, read->amount_milli };
    }
    struct msg_held held[WORDS_MAX];
    struct msg msg = { .kind = MSG_HELLO };
    msg.hello = (struct msg_hello){
        .device = str_of(device->name),
        .agent_version = STR("1"),
        .boot_id = str_of(boot == NULL ? "boot" : boot),
        .process_id = (uint64_t)number(script, "process", 1),
        .journal_id = str_of(journal == NULL ? device->name : journal),
        .session = session != NULL && strcmp(session, "last") == 0
                       ? device->session
                       : (uint64_t)number(script, "session", (int64_t)device->session),
        .profile = { .os = STR("linux"),
                     .arch = STR("x"),
                     .hostname = str_of(device->name),
                     .cpus = 1,
                     .slots = (uint32_t)number(script, "slots", 4),
                     .executors = executors,
                     .executors_count = 1,
                     .labels = labels,
                     .labels_count = labels_count,
                     .tools = &tools,
                     .tools_count = tool != NULL,
                     .resources = &resource,
                     .resources_count = has != NULL },
        .held = held,
        .held_count = read_held(script, held),
    };
    bool good = send_message(script, &msg);
    struct device_view view;
    if (engine_find_device(script->world.engine, str_of(device->name), script->world.now, &view) &&
        view.channel == before) {
        device->channel = before; /* refused: the incumbent stays */
    }
    return good;
}

static bool command_started(struct script *script)
{
    struct msg msg = { .kind = MSG_STARTED };
    msg.started.fence = fence_of(script, script->words[2]);
    msg.started.wall_ms = script->world.now.wall_ms;
    return send_message(script, &msg);
}

static bool command_output(struct script *script)
{
    struct msg msg = { .kind = MSG_OUTPUT };
    msg.output.fence = fence_of(script, script->words[2]);
    msg.output.stream = STREAM_STDOUT;
    msg.output.offset = (uint64_t)number(script, "at", 0);
    size_t bytes = strtoul(script->words[3], NULL, 10);
    msg.output.data = (struct str){ arena_alloc(&script->world.arena, bytes), bytes };
    return send_message(script, &msg);
}

static bool command_finished(struct script *script)
{
    struct msg msg = { .kind = MSG_FINISHED };
    msg.finished.fence = fence_of(script, script->words[2]);
    for (int outcome = OUTCOME_EXITED; outcome <= OUTCOME_DISCONNECTED; outcome++) {
        if (strcmp(outcome_name((enum outcome)outcome), script->words[3]) == 0) {
            msg.finished.outcome = (enum outcome)outcome;
        }
    }
    CHECK(msg.finished.outcome != 0);
    int32_t code = script->words_count > 4 ? (int32_t)strtol(script->words[4], NULL, 10) : 0;
    msg.finished.exit_code = msg.finished.outcome == OUTCOME_SIGNALLED ? 0 : code;
    msg.finished.signal = msg.finished.outcome == OUTCOME_SIGNALLED ? code : 0;
    msg.finished.stdout_bytes = (uint64_t)number(script, "out", 0);
    const char *reason = option(script, "reason");
    msg.finished.reason = str_of(reason == NULL ? "" : reason);
    return send_message(script, &msg);
}

static bool command_simple_message(struct script *script)
{
    struct msg msg = { .kind = MSG_PING };
    if (strcmp(script->words[0], "ready") == 0) {
        msg.kind = MSG_READY;
        msg.ready.session = world_device(&script->world, script->words[1])->session;
    } else if (strcmp(script->words[0], "goodbye") == 0) {
        msg.kind = MSG_GOODBYE;
        msg.goodbye.reason = STR("goodbye");
    }
    return send_message(script, &msg);
}

static bool command_close(struct script *script)
{
    struct event event = { .kind = EVENT_CHANNEL_CLOSED };
    event.channel_closed.channel = world_device(&script->world, script->words[1])->channel;
    event.channel_closed.reason = STR("cut");
    return turns(script, &event);
}

/* --- the rest --- */

static int64_t plan_id(const struct script *script)
{
    const struct world *world = &script->world;
    for (size_t i = 0; i < world->plans_count; i++) {
        if (strcmp(world->plans[i].name, script->words[1]) == 0) {
            return world->plans[i].id;
        }
    }
    return 0;
}

static bool command_cancel(struct script *script)
{
    struct event event = { .kind = EVENT_CANCEL };
    event.cancel.actor = STR("test");
    event.cancel.constellation_id = plan_id(script);
    return turns(script, &event);
}

/* The tasks of a list of keys, of any plan. */
static size_t task_ids(const struct script *script, const char *keys, int64_t *ids, size_t max)
{
    const struct world *world = &script->world;
    char list[512];
    snprintf(list, sizeof list, "%s", keys);
    char *rest = NULL;
    size_t count = 0;
    for (char *key = strtok_r(list, ",", &rest); key != NULL; key = strtok_r(NULL, ",", &rest)) {
        for (size_t i = 0; i < world->tasks_count && count < max; i++) {
            if (strcmp(world->tasks[i].key, key) == 0) {
                ids[count++] = world->tasks[i].id;
            }
        }
    }
    return count;
}

static bool command_hold(struct script *script)
{
    int64_t ids[WORLD_TASKS_MAX];
    const char *behind = option(script, "behind");
    const char *tasks = option(script, "tasks");
    bool pauses = strcmp(script->words[0], "pause") == 0;
    struct event event = { .kind = EVENT_HOLD };
    event.hold.request = 1;
    event.hold.constellation_id = plan_id(script);
    event.hold.scope = behind != NULL ? HOLD_DESCENDANTS : tasks != NULL ? HOLD_TASKS : HOLD_ALL;
    event.hold.origin = pauses ? HOLD_PAUSE : HOLD_BY_REQUEST;
    event.hold.on_expiry = flag(script, "fails") ? HOLD_EXPIRY_FAIL : HOLD_EXPIRY_RELEASE;
    event.hold.length_ms = number(script, "for", 0);
    event.hold.task_ids = ids;
    if (event.hold.scope != HOLD_ALL) {
        event.hold.task_ids_count =
            task_ids(script, behind != NULL ? behind : tasks, ids, WORLD_TASKS_MAX);
    }
    event.hold.owner = STR("test");
    return turns(script, &event);
}

/* release and resume end the newest hold that was asked for, or the pause; approve and deny that of a
   task. */
static bool command_release(struct script *script)
{
    struct world *world = &script->world;
    const char *verb = script->words[0];
    bool approves = strcmp(verb, "approve") == 0;
    bool is_approval = approves || strcmp(verb, "deny") == 0;
    struct event event = { .kind = EVENT_RELEASE };
    int64_t id = 0;
    event.release.request = 1;
    event.release.approved = !is_approval || approves;
    event.release.actor = STR("test");
    event.release.constellation_id = is_approval ? 0 : plan_id(script);
    if (is_approval) {
        CHECK(task_ids(script, script->words[1], &id, 1) == 1);
        for (size_t i = 0; i < world->plans_count; i++) {
            if (engine_task(world->engine, world->plans[i].id, id) != NULL) {
                event.release.constellation_id = world->plans[i].id;
            }
        }
    }
    struct hold_view hold = { .record = NULL };
    while (strcmp(verb, "resume") != 0 && event.release.hold_id == 0 &&
           engine_next_hold(world->engine, event.release.constellation_id, &hold)) {
        bool is_it =
            is_approval
                ? hold.record->origin == HOLD_APPROVAL && hold.record->root_task_id == id
                : hold.record->origin == HOLD_BY_REQUEST || hold.record->origin == HOLD_FAILURE;
        event.release.hold_id = is_it ? hold.record->id : 0;
    }
    return turns(script, &event);
}

static bool command_reopen(struct script *script)
{
    int64_t ids[WORLD_TASKS_MAX];
    struct event event = { .kind = EVENT_REOPEN };
    event.reopen.request = 1;
    event.reopen.constellation_id = plan_id(script);
    event.reopen.task_ids = ids;
    event.reopen.task_ids_count = task_ids(script, script->words[2], ids, WORLD_TASKS_MAX);
    event.reopen.rerun = strcmp(script->words[0], "rerun") == 0;
    event.reopen.keep_skipped = flag(script, "keep-skipped");
    event.reopen.actor = STR("test");
    return turns(script, &event);
}

static bool command_wait(struct script *script)
{
    struct world *world = &script->world;
    int64_t until = world->now.boot_ms + strtoll(script->words[1], NULL, 10);
    bool good = true;
    while (good) {
        int64_t next = engine_next_deadline(world->engine);
        int64_t to = next < until ? next : until;
        to = to < world->now.boot_ms ? world->now.boot_ms : to;
        world->now.wall_ms += to - world->now.boot_ms;
        world->now.boot_ms = to;
        if (next > until) {
            break;
        }
        good = turns(script, NULL);
    }
    return good;
}

static bool find_task(struct script *script, int64_t *ret_constellation, int64_t *ret_task)
{
    const struct world *world = &script->world;
    for (size_t i = 0; i < world->tasks_count; i++) {
        for (size_t k = 0; k < world->plans_count; k++) {
            if (strcmp(world->tasks[i].key, script->words[1]) == 0 &&
                engine_task(world->engine, world->plans[k].id, world->tasks[i].id) != NULL) {
                *ret_constellation = world->plans[k].id;
                *ret_task = world->tasks[i].id;
                return true;
            }
        }
    }
    return complain(script, "no such live task");
}

static bool command_state(struct script *script)
{
    int64_t constellation = 0;
    int64_t task = 0;
    if (!find_task(script, &constellation, &task)) {
        return false;
    }
    const char *state = engine_task_state(script->world.engine, constellation, task);
    return strcmp(state, script->words[2]) == 0 || complain(script, state);
}

static bool command_waits(struct script *script)
{
    static const char *const kinds[] = { "nothing",   "dependencies", "inputs",    "backoff",
                                         "no-device", "offline",      "slots",     "blocked",
                                         "stopping",  "disconnected", "turn",      "held",
                                         "finally",   "condition",    "resources", "limit",
                                         "drained",   "decision" };
    int64_t constellation = 0;
    int64_t task = 0;
    if (!find_task(script, &constellation, &task)) {
        return false;
    }
    struct wait wait;
    engine_explain(script->world.engine, constellation, task, script->world.now, &wait);
    if (strcmp(kinds[wait.kind], script->words[2]) != 0) {
        return complain(script, kinds[wait.kind]);
    }
    bool tells = strcmp(script->words[0], "explains") == 0;
    for (size_t i = 0; tells && i < wait.unmet_count; i++) {
        buf_printf(&script->world.trace, "%.*s: %s\n", STR_ARG(wait.unmet[i].device),
                   wait.unmet[i].why);
    }
    return true;
}

static bool command_resolve(struct script *script)
{
    static const char *const resolutions[] = { "?", "succeeded", "failed", "retry" };
    struct event event = { .kind = EVENT_RESOLVE };
    event.resolve.request = 1;
    event.resolve.actor = STR("test");
    if (!find_task(script, &event.resolve.constellation_id, &event.resolve.task_id)) {
        return false;
    }
    for (int i = RESOLVE_SUCCEEDED; i <= RESOLVE_RETRY; i++) {
        if (strcmp(resolutions[i], script->words[2]) == 0) {
            event.resolve.resolution = (enum resolution)i;
        }
    }
    return turns(script, &event);
}

static bool command_drain(struct script *script)
{
    struct event event = { .kind = EVENT_DRAIN };
    event.drain.request = 1;
    event.drain.device = str_of(script->words[1]);
    event.drain.draining = strcmp(script->words[0], "drain") == 0;
    event.drain.actor = STR("test");
    return turns(script, &event);
}

static bool command_status(struct script *script)
{
    struct device_view view;
    if (!engine_find_device(script->world.engine, str_of(script->words[1]), script->world.now,
                            &view)) {
        return complain(script, "no such device");
    }
    const char *status = device_status_name(view.status);
    return strcmp(status, script->words[2]) == 0 || complain(script, status);
}

static bool command_restart(struct script *script)
{
    engine_free(script->world.engine);
    store_free(script->world.store);
    for (size_t i = 0; i < script->world.devices_count; i++) {
        script->world.devices[i].channel = 0;
    }
    open_world(script);
    return turns(script, NULL);
}

static bool command_prepare_fails(struct script *script)
{
    snprintf(script->world.prepare_fails, sizeof script->world.prepare_fails, "%s",
             script->words[1]);
    return true;
}

static bool run_command(struct script *script)
{
    static const struct {
        const char *name;
        bool (*run)(struct script *script);
    } commands[] = {
        { "plan", command_plan },
        { "hello", command_hello },
        { "ready", command_simple_message },
        { "ping", command_simple_message },
        { "goodbye", command_simple_message },
        { "close", command_close },
        { "started", command_started },
        { "output", command_output },
        { "finished", command_finished },
        { "cancel", command_cancel },
        { "hold", command_hold },
        { "pause", command_hold },
        { "release", command_release },
        { "resume", command_release },
        { "approve", command_release },
        { "deny", command_release },
        { "retry", command_reopen },
        { "rerun", command_reopen },
        { "wait", command_wait },
        { "state", command_state },
        { "waits", command_waits },
        { "explains", command_waits },
        { "resolve", command_resolve },
        { "drain", command_drain },
        { "undrain", command_drain },
        { "status", command_status },
        { "restart", command_restart },
        { "prepare-fails", command_prepare_fails },
    };
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(commands[i].name, script->words[0]) == 0) {
            return commands[i].run(script);
        }
    }
    return complain(script, "no such command");
}

static void print_trace(struct script *script)
{
    char *rest = NULL;
    buf_text(&script->world.trace);
    for (char *line = strtok_r((char *)script->world.trace.data, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        printf("> %s\n", line);
    }
    flush_echo(script);
}

static bool compare(struct script *script)
{
    if (script->print) {
        print_trace(script);
        buf_clear(&script->world.trace);
        return true;
    }
    buf_clear(&script->echo);
    bool good = strcmp(buf_text(&script->expected), buf_text(&script->world.trace)) == 0;
    if (!good) {
        complain(script, "the trace up to here is not as expected");
        buf_printf(script->complaint, "--- expected\n%s--- came\n%s", buf_text(&script->expected),
                   buf_text(&script->world.trace));
    }
    buf_clear(&script->expected);
    buf_clear(&script->world.trace);
    return good;
}

static bool run_all(struct script *script)
{
    bool good = true;
    while (good && next_words(script)) {
        if (script->words_count == 0) {
            continue;
        }
        /* What the command before has brought about is complete when the next one comes. */
        good = compare(script) && run_command(script);
    }
    return good && compare(script);
}

bool script_run(const char *path, bool print, struct buf *ret_complaint)
{
    struct script script = { .path = path, .complaint = ret_complaint, .print = print };
    script.file = fopen(path, "r");
    if (script.file == NULL) {
        return complain(&script, "cannot be read");
    }
    script.world.now = (struct moment){ 1000000, 1700000000000 };
    struct reason reason = { "" };
    script.world.disk = store_disk_new();
    script.world.conditions = condition_engine_new(&reason);
    CHECK(script.world.conditions != NULL);
    open_world(&script);
    bool good = run_all(&script);
    engine_free(script.world.engine);
    store_free(script.world.store);
    condition_engine_free(script.world.conditions);
    store_disk_free(script.world.disk);
    effects_done(&script.world.effects);
    arena_done(&script.world.arena);
    buf_done(&script.world.trace);
    buf_done(&script.expected);
    buf_done(&script.echo);
    fclose(script.file);
    return good;
}
