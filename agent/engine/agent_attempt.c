/* One attempt that the agent holds: its states, the counts and lists it stands in, and when its row
   in the journal is written.

       (Assign) → accepted → running → finished → removed by an Ack, or dropped by a Welcome
                     └────────────────────┘ refused, or stopped before it started
       (journal: running) = died → finished, or removed

   A row says running before the process can exist: so a row that says accepted proves that nothing
   ran. An instant attempt leaves nothing behind, so it has a row only once it has a result. */
#include "agent/engine/agent_state.h"

#include <string.h>

#include "common/base/mem.h"

enum { FRESH_KEPT = 256 };

static const bool moves[HELD_DIED + 1][HELD_DIED + 1] = {
    [0] = { [HELD_ACCEPTED] = true, [HELD_FINISHED] = true, [HELD_DIED] = true },
    [HELD_ACCEPTED] = { [HELD_RUNNING] = true, [HELD_FINISHED] = true },
    [HELD_RUNNING] = { [HELD_FINISHED] = true },
    [HELD_DIED] = { [HELD_FINISHED] = true },
};

static void list_append(struct agent_list *list, struct agent_attempt *attempt,
                        enum agent_link_kind kind)
{
    attempt->next[kind] = NULL;
    attempt->previous[kind] = list->tail;
    if (list->tail == NULL) {
        list->head = attempt;
    } else {
        list->tail->next[kind] = attempt;
    }
    list->tail = attempt;
}

static void list_remove(struct agent_list *list, struct agent_attempt *attempt,
                        enum agent_link_kind kind)
{
    struct agent_attempt *next = attempt->next[kind];
    struct agent_attempt *previous = attempt->previous[kind];
    if (next == NULL) {
        list->tail = previous;
    } else {
        next->previous[kind] = previous;
    }
    if (previous == NULL) {
        list->head = next;
    } else {
        previous->next[kind] = next;
    }
    attempt->next[kind] = NULL;
    attempt->previous[kind] = NULL;
}

struct agent_attempt *agent_attempt_new(struct agent_engine *engine, uint64_t fence)
{
    struct agent_attempt *attempt = engine->fresh;
    if (attempt == NULL) {
        attempt = mem_alloc(sizeof *attempt);
    } else {
        engine->fresh = attempt->next[AGENT_IN_ALL];
        engine->fresh_count--;
        memset(attempt, 0, sizeof *attempt);
    }
    attempt->record.fence = fence;
    attempt->record.result.fence = fence;
    map_put(&engine->attempts, fence, attempt);
    list_append(&engine->all, attempt, AGENT_IN_ALL);
    return attempt;
}

struct agent_attempt *agent_attempt_find(const struct agent_engine *engine, uint64_t fence)
{
    return map_get(&engine->attempts, fence);
}

static void task_free(struct agent_record *record)
{
    mem_free((void *)(uintptr_t)record->name.data);
    record->name = (struct str){ NULL, 0 };
    record->body = (struct str){ NULL, 0 };
}

/* Both in one piece of memory: there are 50,000 of them a second. */
void agent_attempt_set_task(struct agent_attempt *attempt, struct str name, struct str body)
{
    CHECK(attempt->record.name.data == NULL);
    char *memory = mem_resize(NULL, name.length + body.length + 1);
    if (name.length > 0) {
        memcpy(memory, name.data, name.length);
    }
    if (body.length > 0) {
        memcpy(memory + name.length, body.data, body.length);
    }
    attempt->record.name = (struct str){ memory, name.length };
    attempt->record.body = (struct str){ memory + name.length, body.length };
}

static void touch(struct agent_engine *engine, struct agent_attempt *attempt)
{
    if (!attempt->touched) {
        attempt->touched = true;
        attempt->next_touched = engine->touched;
        engine->touched = attempt;
    }
}

static void save(struct agent_engine *engine, struct agent_attempt *attempt,
                 struct agent_effects *effects)
{
    touch(engine, attempt);
    if (!attempt->save_asked) {
        attempt->save_asked = true;
        attempt->journalled = true;
        agent_effects_add(effects, AGENT_EFFECT_SAVE)->record = &attempt->record;
    }
}

/* Adds or takes the attempt, in the state that it is in, to or from the counts. */
static void count(struct agent_engine *engine, const struct agent_attempt *attempt, bool add)
{
    size_t one = add ? 1 : (size_t)-1;
    enum held_state state = attempt->record.state;
    if (state == HELD_ACCEPTED || state == HELD_RUNNING) {
        engine->slots_used += one;
    }
    if (state == HELD_RUNNING) {
        engine->running += one;
    }
    if (state == HELD_FINISHED) {
        engine->finished += one;
    }
}

void agent_attempt_move(struct agent_engine *engine, struct agent_attempt *attempt,
                        enum held_state state, struct agent_effects *effects)
{
    CHECK(moves[attempt->record.state][state]);
    CHECK(!attempt->dropped && !attempt->gone);
    count(engine, attempt, false);
    attempt->record.state = state;
    count(engine, attempt, true);
    touch(engine, attempt);
    if (effects == NULL) {
        attempt->journalled = true; /* it comes from there */
    } else if (!attempt->instant || state == HELD_FINISHED) {
        save(engine, attempt, effects);
    }
}

void agent_attempt_queue(struct agent_engine *engine, struct agent_attempt *attempt,
                         enum agent_queue queue)
{
    if (attempt->queue == queue) {
        return;
    }
    if (attempt->queue != AGENT_QUEUE_NONE) {
        bool start = attempt->queue == AGENT_QUEUE_START;
        list_remove(start ? &engine->starts : &engine->outputs, attempt, AGENT_IN_QUEUE);
    }
    attempt->queue = queue;
    if (queue != AGENT_QUEUE_NONE) {
        list_append(queue == AGENT_QUEUE_START ? &engine->starts : &engine->outputs, attempt,
                    AGENT_IN_QUEUE);
    }
}

static void row_remove(struct agent_attempt *attempt, struct agent_effects *effects)
{
    if (attempt->journalled) {
        attempt->journalled = false;
        agent_effects_add(effects, AGENT_EFFECT_REMOVE)->fence = attempt->record.fence;
    }
}

static void remember(struct agent_engine *engine, uint64_t fence)
{
    engine->forgotten[hash_uint64(fence) & (AGENT_FORGOTTEN_KEPT - 1)] = fence;
}

bool agent_attempt_was_forgotten(const struct agent_engine *engine, uint64_t fence)
{
    return engine->forgotten[hash_uint64(fence) & (AGENT_FORGOTTEN_KEPT - 1)] == fence;
}

void agent_attempt_drop(struct agent_engine *engine, struct agent_attempt *attempt,
                        struct agent_effects *effects)
{
    if (attempt->record.state != HELD_RUNNING) {
        agent_attempt_remove(engine, attempt, effects);
        return;
    }
    /* Without its row a crash now leaves nothing to report, which is what the daemon wants. */
    CHECK(!attempt->dropped);
    attempt->dropped = true;
    engine->dropped++;
    agent_attempt_queue(engine, attempt, AGENT_QUEUE_NONE);
    row_remove(attempt, effects);
    remember(engine, attempt->record.fence);
}

void agent_attempt_remove(struct agent_engine *engine, struct agent_attempt *attempt,
                          struct agent_effects *effects)
{
    CHECK(!attempt->gone);
    row_remove(attempt, effects);
    if (attempt->spooled) {
        agent_effects_add(effects, AGENT_EFFECT_FORGET)->fence = attempt->record.fence;
    }
    remember(engine, attempt->record.fence);
    agent_attempt_queue(engine, attempt, AGENT_QUEUE_NONE);
    count(engine, attempt, false);
    if (attempt->dropped) {
        engine->dropped--;
    }
    map_remove(&engine->attempts, attempt->record.fence);
    list_remove(&engine->all, attempt, AGENT_IN_ALL);
    attempt->gone = true;
    attempt->next[AGENT_IN_ALL] = engine->gone;
    engine->gone = attempt;
}

void agent_attempt_finish(struct agent_engine *engine, struct agent_attempt *attempt,
                          const struct msg_finished *result, struct agent_effects *effects)
{
    struct msg_finished *kept = &attempt->record.result;
    *kept = *result;
    kept->fence = attempt->record.fence;
    kept->reason = (struct str){ NULL, 0 };
    kept->result = (struct str){ NULL, 0 };
    size_t bytes = result->reason.length + result->result.length;
    if (bytes > 0) {
        char *memory = mem_resize(NULL, bytes);
        if (result->reason.length > 0) {
            memcpy(memory, result->reason.data, result->reason.length);
        }
        if (result->result.length > 0) {
            memcpy(memory + result->reason.length, result->result.data, result->result.length);
        }
        kept->reason = (struct str){ memory, result->reason.length };
        kept->result = (struct str){ memory + result->reason.length, result->result.length };
    }
    attempt->stdout_stream.total = kept->stdout_bytes;
    attempt->stderr_stream.total = kept->stderr_bytes;
    agent_attempt_queue(engine, attempt, AGENT_QUEUE_NONE);
    agent_attempt_move(engine, attempt, HELD_FINISHED, effects);
}

void agent_attempt_finish_as(struct agent_engine *engine, struct agent_attempt *attempt,
                             enum outcome outcome, int32_t signal, const char *reason,
                             struct agent_effects *effects)
{
    struct msg_finished result = { .outcome = outcome, .signal = signal, .reason = str_of(reason) };
    agent_attempt_finish(engine, attempt, &result, effects);
}

static void memory_free(struct agent_attempt *attempt)
{
    task_free(&attempt->record);
    /* The reason and the result are one piece, which starts with the reason, even an empty one. */
    mem_free((void *)(uintptr_t)attempt->record.result.reason.data);
}

void agent_attempt_turn_end(struct agent_engine *engine)
{
    for (struct agent_attempt *attempt = engine->touched; attempt != NULL;) {
        struct agent_attempt *next = attempt->next_touched;
        attempt->touched = false;
        attempt->save_asked = false;
        if (attempt->record.state != HELD_ACCEPTED) {
            task_free(&attempt->record); /* it was started, or never will be */
        }
        attempt = next;
    }
    engine->touched = NULL;
    while (engine->gone != NULL) {
        struct agent_attempt *attempt = engine->gone;
        engine->gone = attempt->next[AGENT_IN_ALL];
        memory_free(attempt);
        if (engine->fresh_count < FRESH_KEPT) {
            attempt->next[AGENT_IN_ALL] = engine->fresh;
            engine->fresh = attempt;
            engine->fresh_count++;
        } else {
            mem_free(attempt);
        }
    }
}

void agent_attempt_free_all(struct agent_engine *engine)
{
    agent_attempt_turn_end(engine);
    for (struct agent_attempt *attempt = engine->all.head; attempt != NULL;) {
        struct agent_attempt *next = attempt->next[AGENT_IN_ALL];
        memory_free(attempt);
        mem_free(attempt);
        attempt = next;
    }
    while (engine->fresh != NULL) {
        struct agent_attempt *attempt = engine->fresh;
        engine->fresh = attempt->next[AGENT_IN_ALL];
        mem_free(attempt);
    }
    map_done(&engine->attempts);
}
