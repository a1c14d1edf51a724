/* What people ask for and look at, and time. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/mem.h"
#include "tests/scenario/script.h"

int64_t script_plan_id(const struct script *script)
{
    const struct world *world = &script->world;
    for (size_t i = 0; i < world->plans_count; i++) {
        if (strcmp(world->plans[i].name, script->words[1]) == 0) {
            return world->plans[i].id;
        }
    }
    return 0;
}

bool command_cancel(struct script *script)
{
    struct event event = { .kind = EVENT_CANCEL };
    event.cancel.actor = STR("test");
    event.cancel.constellation_id = script_plan_id(script);
    return script_turns(script, &event);
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

bool command_hold(struct script *script)
{
    int64_t ids[WORLD_TASKS_MAX];
    const char *behind = script_option(script, "behind");
    const char *tasks = script_option(script, "tasks");
    bool pauses = strcmp(script->words[0], "pause") == 0;
    struct event event = { .kind = EVENT_HOLD };
    event.hold.request = 1;
    event.hold.constellation_id = script_plan_id(script);
    event.hold.scope = behind != NULL ? HOLD_DESCENDANTS : tasks != NULL ? HOLD_TASKS : HOLD_ALL;
    event.hold.origin = pauses ? HOLD_PAUSE : HOLD_BY_REQUEST;
    event.hold.on_expiry = script_flag(script, "fails") ? HOLD_EXPIRY_FAIL : HOLD_EXPIRY_RELEASE;
    event.hold.length_ms = script_number(script, "for", 0);
    event.hold.task_ids = ids;
    if (event.hold.scope != HOLD_ALL) {
        event.hold.task_ids_count =
            task_ids(script, behind != NULL ? behind : tasks, ids, WORLD_TASKS_MAX);
    }
    event.hold.owner = STR("test");
    return script_turns(script, &event);
}

/* release and resume end the newest hold that was asked for, or the pause; approve and deny that of a
   task. */
bool command_release(struct script *script)
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
    event.release.constellation_id = is_approval ? 0 : script_plan_id(script);
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
    return script_turns(script, &event);
}

bool command_reopen(struct script *script)
{
    int64_t ids[WORLD_TASKS_MAX];
    struct event event = { .kind = EVENT_REOPEN };
    event.reopen.request = 1;
    event.reopen.constellation_id = script_plan_id(script);
    event.reopen.task_ids = ids;
    event.reopen.task_ids_count = task_ids(script, script->words[2], ids, WORLD_TASKS_MAX);
    event.reopen.rerun = strcmp(script->words[0], "rerun") == 0;
    event.reopen.keep_skipped = script_flag(script, "keep-skipped");
    event.reopen.actor = STR("test");
    return script_turns(script, &event);
}

bool command_wait(struct script *script)
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
        good = script_turns(script, NULL);
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
    return script_complain(script, "no such live task");
}

bool command_state(struct script *script)
{
    int64_t constellation = 0;
    int64_t task = 0;
    if (!find_task(script, &constellation, &task)) {
        return false;
    }
    const char *state = engine_task_state(script->world.engine, constellation, task);
    return strcmp(state, script->words[2]) == 0 || script_complain(script, state);
}

bool command_waits(struct script *script)
{
    static const char *const kinds[] = { "nothing",   "dependencies", "inputs", "backoff",
                                         "no-device", "offline",      "slots",  "blocked",
                                         "stopping",  "disconnected", "turn",   "held",
                                         "finally",   "resources",    "limit",  "drained",
                                         "decision" };
    int64_t constellation = 0;
    int64_t task = 0;
    if (!find_task(script, &constellation, &task)) {
        return false;
    }
    struct wait wait;
    engine_explain(script->world.engine, constellation, task, script->world.now, &wait);
    if (strcmp(kinds[wait.kind], script->words[2]) != 0) {
        return script_complain(script, kinds[wait.kind]);
    }
    bool tells = strcmp(script->words[0], "explains") == 0;
    for (size_t i = 0; tells && i < wait.unmet_count; i++) {
        buf_printf(&script->world.trace, "%.*s: %s\n", STR_ARG(wait.unmet[i].device),
                   wait.unmet[i].why);
    }
    return true;
}

bool command_resolve(struct script *script)
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
    return script_turns(script, &event);
}

bool command_drain(struct script *script)
{
    struct event event = { .kind = EVENT_DRAIN };
    event.drain.request = 1;
    event.drain.device = str_of(script->words[1]);
    event.drain.draining = strcmp(script->words[0], "drain") == 0;
    event.drain.actor = STR("test");
    return script_turns(script, &event);
}

bool command_status(struct script *script)
{
    struct device_view view;
    if (!engine_find_device(script->world.engine, str_of(script->words[1]), script->world.now,
                            &view)) {
        return script_complain(script, "no such device");
    }
    const char *status = device_status_name(view.status);
    return strcmp(status, script->words[2]) == 0 || script_complain(script, status);
}
