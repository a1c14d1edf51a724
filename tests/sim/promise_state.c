/* The checker: looks over everything from time to time, and at the end. */
#include <inttypes.h>
#include <string.h>

#include "common/base/mem.h"
#include "tests/sim/promise_plan.h"
#include "tests/sim/world.h"

void promise_check_engine(struct world *world)
{
    struct reason reason = { "" };
    if (world->broken) {
        return;
    }
    if (engine_check(world->daemon.engine, &reason) != ERR_NONE) {
        promise_broken(world, "the engine", "%s", reason.text);
    }
    if (engine_is_blocked(world->daemon.engine)) {
        promise_broken(world, "P5", "the database is taken for an old copy");
    }
}

void promise_check_store(struct world *world)
{
    struct daemon *daemon = &world->daemon;
    struct engine_config config = { .epoch = FENCE_EPOCH_MAX };
    struct engine *twin = engine_new(&config);
    struct reason reason = { "" };
    struct buf ours = { 0 };
    struct buf theirs = { 0 };
    if (store_load(daemon->store, twin, &reason) != ERR_NONE ||
        engine_load_end(twin, daemon_now(world), &reason) != ERR_NONE) {
        promise_broken(world, "P10", "%s", reason.text);
    } else {
        engine_dump(daemon->engine, &ours);
        engine_dump(twin, &theirs);
        const char *a = buf_text(&ours);
        const char *b = buf_text(&theirs);
        size_t line = 0;
        for (size_t i = 0; a[i] != '\0' && a[i] == b[i]; i++) {
            line = a[i] == '\n' ? i + 1 : line;
        }
        if (strcmp(a, b) != 0) {
            promise_broken(world, "P10", "memory \"%.*s\", database \"%.*s\"",
                           (int)strcspn(a + line, "\n"), a + line, (int)strcspn(b + line, "\n"),
                           b + line);
        }
    }
    count_path(world, COUNT_STORE_COMPARED);
    buf_done(&ours);
    buf_done(&theirs);
    engine_free(twin);
}

void promise_check_reasons(struct world *world)
{
    for (const struct book_constellation *constellation = world->books->first;
         constellation != NULL; constellation = constellation->next) {
        if (constellation_state_is_final(constellation->record.state)) {
            continue;
        }
        for (uint32_t i = 0; i < constellation->tasks_count; i++) {
            const struct book_task *task = constellation->tasks[i];
            struct wait wait;
            engine_explain(world->daemon.engine, constellation->id, task->id, daemon_now(world),
                           &wait);
            /* One that is assigned waits for nothing while its device is there. */
            if ((task->record.state == TASK_WAITING || task->record.state == TASK_BACKOFF) &&
                wait.kind == WAIT_NOTHING) {
                promise_broken(world, "P9", "task %" PRId64 " is %s for no reason", task->id,
                               task_state_name((enum task_state)task->record.state));
            }
        }
    }
}

/* What the store says of a task, against the books. */
static void check_stored(struct world *world, const struct book_task *task, bool whole)
{
    struct arena arena = { 0 };
    struct store_outcome outcome = { 0 };
    const struct book_attempt *attempt = books_current(world->books, task);
    enum err err = store_task_outcome(world->daemon.store, task->constellation->id,
                                      task->spec->plan.key, 0, &arena, &outcome);
    bool good = err == ERR_NONE && outcome.state == (enum task_state)task->record.state;
    if (good && attempt != NULL) {
        good = outcome.exit_code == attempt->record.exit_code &&
               outcome.stdout_bytes == attempt->record.stdout_bytes &&
               outcome.stderr_bytes == attempt->record.stderr_bytes;
    }
    for (int i = 0; whole && good && attempt != NULL && i < 2; i++) {
        enum stream stream = i == 0 ? STREAM_STDOUT : STREAM_STDERR;
        uint64_t length = i == 0 ? outcome.stdout_bytes : outcome.stderr_bytes;
        struct buf stored = { 0 };
        struct buf made = { 0 };
        err = store_read_output(world->daemon.store, attempt->fence, stream, 0, (size_t)length,
                                &stored);
        process_output(attempt->fence, stream, 0, (size_t)length, &made);
        good = err == ERR_NONE && stored.length == made.length &&
               (made.length == 0 || memcmp(stored.data, made.data, made.length) == 0);
        buf_done(&stored);
        buf_done(&made);
    }
    if (!good) {
        promise_broken(world, "P5", "what was stored of task %" PRId64 " is not there", task->id);
    }
    arena_done(&arena);
}

static void check_loaded(struct world *world, const struct book_constellation *constellation)
{
    const struct constellation_record *loaded =
        engine_constellation(world->daemon.engine, constellation->id);
    const struct constellation_record *record = &constellation->record;
    if (loaded != NULL &&
        (loaded->revision != record->revision || loaded->tasks != constellation->tasks_count ||
         loaded->edges != books_stored_edges(constellation) ||
         loaded->stopping != record->stopping ||
         loaded->cancel_requested != record->cancel_requested ||
         loaded->deadline_wall_ms != record->deadline_wall_ms)) {
        promise_broken(world, "P5", "constellation %" PRId64 " was not loaded as it was stored",
                       constellation->id);
    }
    if (loaded != NULL) {
        promise_check_holds_loaded(world, constellation);
    }
}

void promise_check_acknowledged(struct world *world)
{
    for (const struct book_constellation *constellation = world->books->first;
         constellation != NULL && !world->broken; constellation = constellation->next) {
        for (uint32_t i = 0; i < constellation->tasks_count; i++) {
            const struct book_task *task = constellation->tasks[i];
            const struct task_record *loaded =
                engine_task(world->daemon.engine, constellation->id, task->id);
            bool final = constellation_state_is_final(constellation->record.state);
            if (final != (loaded == NULL) ||
                (loaded != NULL &&
                 (loaded->state != task->record.state || loaded->fence != task->record.fence ||
                  loaded->tries != task->record.tries || loaded->lost != task->record.lost ||
                  loaded->round != task->record.round || loaded->flags != task->record.flags ||
                  loaded->revision != task->record.revision ||
                  loaded->priority != task->record.priority))) {
                promise_broken(world, "P5", "task %" PRId64 " was not loaded as it was stored",
                               task->id);
            }
        }
        if (constellation->record.state != CONSTELLATION_LOADING) {
            check_loaded(world, constellation);
            check_stored(world, constellation->tasks[chance(world, constellation->tasks_count)],
                         false);
        }
    }
}

int64_t promise_any_constellation(struct world *world)
{
    int64_t id = 0;
    uint64_t seen = 0;
    for (const struct book_constellation *constellation = world->books->first;
         constellation != NULL; constellation = constellation->next) {
        if (!constellation_state_is_final(constellation->record.state) &&
            chance(world, ++seen) == 0) {
            id = constellation->id;
        }
    }
    return id;
}

static bool is_impossible(const struct book_constellation *constellation)
{
    for (uint32_t i = 0; i < constellation->tasks_count; i++) {
        const struct book_task *task = constellation->tasks[i];
        if (plan_class_is_impossible(task->spec->class) &&
            !task_state_is_final((enum task_state)task->record.state)) {
            return true;
        }
    }
    return false;
}

void promise_cancel_impossible(struct world *world)
{
    for (const struct book_constellation *constellation = world->books->first;
         constellation != NULL; constellation = constellation->next) {
        if (!constellation_state_is_final(constellation->record.state) &&
            is_impossible(constellation)) {
            daemon_cancel(world, constellation->id);
        }
    }
}

static bool hosts_are_settled(const struct world *world)
{
    for (size_t i = 0; i < world->hosts_count; i++) {
        const struct host *host = world->hosts[i];
        if (host->retired) {
            continue;
        }
        if (!host->up) {
            return false;
        }
        struct agent_engine_stats stats = agent_engine_stats(host->engine);
        if (!stats.ready || stats.held > 0 || stats.running > 0) {
            return false;
        }
    }
    return true;
}

bool promise_is_settled(const struct world *world)
{
    for (size_t i = 0; i < world->plans.count; i++) {
        if (!world->plans.list[i]->is_answered) {
            return false;
        }
    }
    for (const struct book_constellation *constellation = world->books->first;
         constellation != NULL; constellation = constellation->next) {
        if (!constellation_state_is_final(constellation->record.state)) {
            return false;
        }
    }
    return world->daemon.up && hosts_are_settled(world);
}

/* One that is not settled; its number, or -1. */
static int64_t open_constellation(const struct world *world)
{
    for (const struct book_constellation *constellation = world->books->first;
         constellation != NULL; constellation = constellation->next) {
        if (!constellation_state_is_final(constellation->record.state)) {
            return constellation->id;
        }
    }
    return -1;
}

void promise_give_up(struct world *world)
{
    struct buf text = { 0 };
    int64_t id = open_constellation(world);
    const struct book_constellation *constellation =
        map_get(&world->books->constellations, (uint64_t)id);
    for (uint32_t i = 0; constellation != NULL && i < constellation->tasks_count; i++) {
        const struct book_task *task = constellation->tasks[i];
        if (!task_state_is_final((enum task_state)task->record.state)) {
            struct wait wait;
            engine_explain(world->daemon.engine, id, task->id, daemon_now(world), &wait);
            buf_printf(&text,
                       " task %" PRId64 " of constellation %" PRId64 " is %s, fence %" PRIu64
                       ", waits for %d (%u);",
                       task->id, id, task_state_name((enum task_state)task->record.state),
                       task->record.fence, (int)wait.kind, wait.count);
        }
    }
    for (size_t i = 0; i < world->hosts_count; i++) {
        const struct host *host = world->hosts[i];
        if (!host->retired && host->up) {
            struct agent_engine_stats stats = agent_engine_stats(host->engine);
            buf_printf(&text, " host %zu is %s, holds %zu, runs %zu;", i,
                       stats.ready ? "ready" : "not ready", stats.held, stats.running);
        }
    }
    promise_broken(world, "P9", "an hour after the last fault not everything has ended:%s",
                   buf_text(&text));
    buf_done(&text);
}

static void check_hosts(struct world *world)
{
    for (size_t i = 0; i < world->hosts_count; i++) {
        const struct host *host = world->hosts[i];
        if (!host->retired && host->journal.now.rows.count > 0) {
            promise_broken(world, "P9", "host %u still holds %zu attempts", host->index,
                           host->journal.now.rows.count);
        }
    }
    struct device_view device;
    size_t at = 0;
    while (engine_each_device(world->daemon.engine, &at, daemon_now(world), &device)) {
        if (device.used > 0 && !str_is(device.record->name, "mallory")) {
            promise_broken(world, "P9", "%u slots of %.*s are still taken", device.used,
                           STR_ARG(device.record->name));
        }
    }
    if (engine_stats(world->daemon.engine).constellations > 0) {
        promise_broken(world, "P9", "the engine holds constellations that have ended");
    }
}

void promise_check_end(struct world *world)
{
    if (world->broken) {
        return;
    }
    TRACE(world, "all has ended: % tasks", (uint64_t)world->plans.tasks);
    for (const struct book_constellation *constellation = world->books->first;
         constellation != NULL && !world->broken; constellation = constellation->next) {
        for (uint32_t i = 0; i < constellation->tasks_count; i++) {
            check_stored(world, constellation->tasks[i], true);
        }
    }
    check_hosts(world);
    promise_check_engine(world);
    promise_check_store(world);
}
