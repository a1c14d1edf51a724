/* Runs a script: its turns, its trace, its commands. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/mem.h"
#include "orchestrator/evaluate.h"
#include "tests/scenario/script.h"
/* The value of the word KEY=…, or NULL. */
const char *script_option(const struct script *script, const char *key)
{
    size_t length = strlen(key);
    for (size_t i = 1; i < script->words_count; i++) {
        if (strncmp(script->words[i], key, length) == 0 && script->words[i][length] == '=') {
            return script->words[i] + length + 1;
        }
    }
    return NULL;
}

int64_t script_number(const struct script *script, const char *key, int64_t otherwise)
{
    const char *value = script_option(script, key);
    return value == NULL ? otherwise : strtoll(value, NULL, 10);
}

bool script_flag(const struct script *script, const char *word)
{
    for (size_t i = 1; i < script->words_count; i++) {
        if (strcmp(script->words[i], word) == 0) {
            return true;
        }
    }
    return false;
}

bool script_complain(struct script *script, const char *what)
{
    buf_printf(script->complaint, "%s:%d: %s\n", script->path, script->line, what);
    return false;
}

struct str script_keep(struct script *script, const char *text)
{
    return arena_str(&script->world.arena, str_of(text));
}

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
        return script_complain(script, reason.text);
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
        script_complain(script, "the store holds something else than the engine (P10)");
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
    size_t work = 0;
    struct reason reason = { "" };
    if (store_apply(world->store, &world->effects, &reason) != ERR_NONE ||
        evaluate_edge(world->store, world->conditions, effect, &world->arena, &work, &event,
                      &reason) != ERR_NONE) {
        return script_complain(script, reason.text);
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

/* A constellation that has ended is not held any more: it is loaded in the turn, as the API does with a
   small one. */
static bool revive(struct script *script, const struct event *event)
{
    struct world *world = &script->world;
    int64_t id = event->kind == EVENT_EDIT ? event->edit.edit->constellation_id
                                           : event->reopen.constellation_id;
    struct store_wake wake = { .constellation_id = id };
    size_t budget = SIZE_MAX;
    struct reason reason = { "" };
    return engine_constellation(world->engine, id) != NULL ||
           (store_wake(world->store, world->engine, &wake, &budget, &reason) == ERR_NONE &&
            engine_load_revived(world->engine, id, world->now, &reason) == ERR_NONE) ||
           script_complain(script, reason.text);
}

static bool turn(struct script *script, const struct event *event)
{
    struct world *world = &script->world;
    struct reason reason = { "" };
    CHECK(store_begin(world->store, &reason) == ERR_NONE);
    bool may_revive = event != NULL && (event->kind == EVENT_REOPEN || event->kind == EVENT_EDIT);
    if (may_revive && !revive(script, event)) {
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
        return script_complain(script, reason.text);
    }
    engine_turn_end(world->engine);
    effects_clear(&world->effects);
    return check_world(script);
}

/* One turn, and more while the engine has work left for them. */
bool script_turns(struct script *script, const struct event *event)
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

bool script_words(struct script *script)
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

void script_flush(struct script *script)
{
    if (script->print) {
        fputs(buf_text(&script->echo), stdout);
    }
    buf_clear(&script->echo);
}

static bool command_restart(struct script *script)
{
    engine_free(script->world.engine);
    store_free(script->world.store);
    for (size_t i = 0; i < script->world.devices_count; i++) {
        script->world.devices[i].channel = 0;
    }
    open_world(script);
    return script_turns(script, NULL);
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
        { "edit", command_edit },
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
    return script_complain(script, "no such command");
}

static void print_trace(struct script *script)
{
    char *rest = NULL;
    buf_text(&script->world.trace);
    for (char *line = strtok_r((char *)script->world.trace.data, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        printf("> %s\n", line);
    }
    script_flush(script);
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
        script_complain(script, "the trace up to here is not as expected");
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
    while (good && script_words(script)) {
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
        return script_complain(&script, "cannot be read");
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
