/* The command edit: from the words of a script to a batch. An operation of the script may become several
   of the engine's, which share its index, as those of a user do. */
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "orchestrator/engine/model.h"
#include "tests/scenario/script.h"

enum { OPERATIONS_MAX = 64, ADDED_MAX = 16, EXPECTS_MAX = 8 };

struct batch {
    struct edit edit;
    struct edit_operation operations[OPERATIONS_MAX];
    struct edit_expect expects[EXPECTS_MAX];
    const char *added[ADDED_MAX];
    uint32_t index; /* of the operation that is read */
};

static struct edit_operation *next_operation(struct batch *batch, enum edit_kind kind)
{
    CHECK(batch->edit.operations_count < OPERATIONS_MAX);
    struct edit_operation *operation = &batch->operations[batch->edit.operations_count++];
    operation->kind = kind;
    operation->index = batch->index;
    return operation;
}

/* One that the batch adds above, one of the plan, or one that is nowhere. */
static edit_task task_of(const struct script *script, const struct batch *batch, const char *key)
{
    for (size_t i = 0; i < batch->edit.tasks_added; i++) {
        if (strcmp(batch->added[i], key) == 0) {
            return -1 - (edit_task)i;
        }
    }
    int64_t id = world_task(&script->world, key);
    return id == 0 ? INT32_MAX : id;
}

static void link_to(struct script *script, struct batch *batch, char *need, edit_task to)
{
    struct edit_operation *operation = next_operation(batch, EDIT_ADD_EDGE);
    operation->edge.plan = script_need(script, need);
    operation->edge.when = operation->edge.plan.when;
    operation->edge.named = true;
    operation->edge.from = task_of(script, batch, need);
    operation->edge.to = to;
}

static bool write_task(struct script *script, struct batch *batch, enum edit_kind kind)
{
    struct arena *arena = &script->world.arena;
    struct edit_operation *operation = next_operation(batch, kind);
    struct plan_task *task = arena_alloc(arena, sizeof *task);
    struct plan_class *class = arena_alloc(arena, sizeof *class);
    struct plan_policy *policy = arena_alloc(arena, sizeof *policy);
    script_task(script, task, class, policy);
    operation->write.plan = task;
    operation->write.class = class;
    operation->write.policy = policy;
    if (kind == EDIT_UPDATE_TASK) {
        operation->write.task = task_of(script, batch, script->words[1]);
        return true;
    }
    CHECK(batch->edit.tasks_added < ADDED_MAX);
    operation->write.task = -1 - (edit_task)batch->edit.tasks_added;
    batch->added[batch->edit.tasks_added++] =
        arena_copy(arena, script->words[1], strlen(script->words[1]) + 1);
    const char *needs = script_option(script, "needs");
    needs = needs == NULL ? "" : needs;
    char *rest = arena_copy(arena, needs, strlen(needs) + 1);
    for (char *need = strtok_r(rest, ",", &rest); need != NULL; need = strtok_r(NULL, ",", &rest)) {
        link_to(script, batch, need, operation->write.task);
    }
    return true;
}

/* relink and unlink: the dependency that there is between the two; of unlink of that kind, if one is told. */
static bool change_edge(struct script *script, struct batch *batch, enum edit_kind kind)
{
    bool has_kind = strchr(script->words[1], ':') != NULL;
    struct plan_edge plan = script_need(script, script->words[1]);
    struct edit_operation *operation = next_operation(batch, kind);
    operation->edge.plan = plan;
    operation->edge.when = plan.when;
    operation->edge.named = true;
    operation->edge.edge_id = INT32_MAX;
    int64_t from = world_task(&script->world, script->words[1]);
    int64_t to = world_task(&script->world, script->words[2]);
    const struct constellation *constellation =
        map_get(&script->world.engine->constellations, (uint64_t)batch->edit.constellation_id);
    const struct task *task = constellation_find_task(constellation, to);
    for (uint32_t at = task == NULL ? 0 : task->first_in; at != 0;) {
        const struct edge *edge = constellation_edge(constellation, at - 1);
        bool is_it = kind == EDIT_UPDATE_EDGE || !has_kind || edge->when == plan.when;
        if (constellation_task(constellation, edge->from)->record.id == from && is_it) {
            operation->edge.edge_id = edge->id;
        }
        at = edge->next_in;
    }
    return true;
}

static bool expect(struct script *script, struct batch *batch)
{
    CHECK(batch->edit.expects_count < EXPECTS_MAX);
    struct edit_expect *expected = &batch->expects[batch->edit.expects_count];
    expected->index = (uint32_t)batch->edit.expects_count++;
    expected->task_id = task_of(script, batch, script->words[1]);
    expected->state = TASK_WAITING;
    while (expected->state < TASK_STATES_END &&
           strcmp(task_state_name((enum task_state)expected->state), script->words[2]) != 0) {
        expected->state++;
    }
    if (script->words_count > 3) {
        expected->attempts = (uint32_t)strtoul(script->words[3], NULL, 10);
    }
    return expected->state < TASK_STATES_END || script_complain(script, "no such state");
}

static bool read_operation(struct script *script, struct batch *batch)
{
    const char *word = script->words[0];
    bool good = true;
    if (strcmp(word, "expect") == 0) {
        return expect(script, batch);
    }
    if (strcmp(word, "add") == 0 || strcmp(word, "update") == 0) {
        good = write_task(script, batch, word[0] == 'a' ? EDIT_ADD_TASK : EDIT_UPDATE_TASK);
    } else if (strcmp(word, "remove") == 0) {
        next_operation(batch, EDIT_REMOVE_TASK)->task = task_of(script, batch, script->words[1]);
    } else if (strcmp(word, "link") == 0) {
        link_to(script, batch, script->words[1], task_of(script, batch, script->words[2]));
    } else if (strcmp(word, "relink") == 0 || strcmp(word, "unlink") == 0) {
        good = change_edge(script, batch, word[0] == 'r' ? EDIT_UPDATE_EDGE : EDIT_REMOVE_EDGE);
    } else if (strcmp(word, "set") == 0) {
        struct edit_operation *operation = next_operation(batch, EDIT_SET);
        operation->set.fail_fast = script_flag(script, "fail-fast");
        operation->set.deadline_ms = script_number(script, "deadline", 0);
    } else {
        good = script_complain(script, "no such operation");
    }
    batch->index++;
    return good;
}

static int64_t newest_hold(const struct script *script, int64_t constellation_id)
{
    struct hold_view hold = { .record = NULL };
    while (engine_next_hold(script->world.engine, constellation_id, &hold)) {
        if (hold.record->origin != HOLD_APPROVAL) {
            return hold.record->id;
        }
    }
    return INT32_MAX;
}

/* A finished constellation is not there to be looked at: what is written about its dependencies is found
   once it is loaded, which this turn does; so an edit of one only adds. */
bool command_edit(struct script *script)
{
    struct batch *batch = arena_alloc(&script->world.arena, sizeof *batch);
    struct edit *edit = &batch->edit;
    *edit = (struct edit){
        .constellation_id = script_plan_id(script),
        .base_revision = (uint32_t)script_number(script, "base", 0),
        .exact = script_flag(script, "exact"),
        .dry_run = script_flag(script, "dry-run"),
        .operations = batch->operations,
        .expects = batch->expects,
        .author_kind = AUTHOR_USER,
        .author = STR("test"),
        .text = STR("[]"),
        .inverse = STR("[]"),
    };
    edit->release_hold_id =
        script_flag(script, "release") ? newest_hold(script, edit->constellation_id) : 0;
    while (script_words(script)) {
        if (script->words_count == 0) {
            continue;
        }
        if (strcmp(script->words[0], "end") == 0) {
            break;
        }
        if (!read_operation(script, batch)) {
            return false;
        }
    }
    script_flush(script);
    script->world.added = batch->added;
    struct event event = { .kind = EVENT_EDIT };
    event.edit.request = 1;
    event.edit.edit = edit;
    return script_turns(script, &event);
}
