#include "tests/sim/books.h"

#include <string.h>

#include "common/base/check.h"
#include "common/base/mem.h"
#include "tests/sim/promise.h"
#include "tests/sim/wish.h"

struct books *books_new(void)
{
    return mem_alloc(sizeof(struct books));
}

static void free_values(struct map *map)
{
    size_t at = 0;
    uint64_t key = 0;
    void *value = NULL;
    while (map_each(map, &at, &key, &value)) {
        mem_free(value);
    }
    map_done(map);
}

void books_free(struct books *books)
{
    for (struct book_constellation *constellation = books->first; constellation != NULL;
         constellation = constellation->next) {
        while (constellation->edges_count > 0) {
            books_remove_edge(books, constellation->edges[constellation->edges_count - 1]);
        }
        while (constellation->holds != NULL) {
            books_remove_hold(books, constellation->holds);
        }
        mem_free(constellation->tasks);
        mem_free(constellation->edges);
    }
    while (books->bulks != NULL) {
        books_remove_bulk(books, books->bulks);
    }
    free_values(&books->attempts);
    free_values(&books->tasks);
    free_values(&books->constellations);
    free_values(&books->devices);
    map_done(&books->edges);
    map_done(&books->holds);
    mem_free(books);
}

/* --- What is there --- */

struct book_attempt *books_attempt(const struct books *books, uint64_t fence)
{
    return map_get(&books->attempts, fence);
}

struct book_constellation *books_constellation(const struct books *books, int64_t id)
{
    return map_get(&books->constellations, (uint64_t)id);
}

struct book_task *books_task(const struct books *books, int64_t id)
{
    struct book_task *task = map_get(&books->tasks, (uint64_t)id);
    return task == NULL || task->is_removed ? NULL : task;
}

struct book_edge *books_edge(const struct books *books, int64_t id)
{
    return map_get(&books->edges, (uint64_t)id);
}

struct book_hold *books_hold(const struct books *books, int64_t id)
{
    return map_get(&books->holds, (uint64_t)id);
}

struct book_attempt *books_current(const struct books *books, const struct book_task *task)
{
    struct book_attempt *attempt = books_attempt(books, task->record.fence);
    return attempt != NULL && book_task_has_started(task) ? attempt : NULL;
}

struct book_device *books_device_named(const struct books *books, const char *name)
{
    size_t at = 0;
    uint64_t id = 0;
    void *value = NULL;
    while (map_each(&books->devices, &at, &id, &value)) {
        if (strcmp(((struct book_device *)value)->name, name) == 0) {
            return value;
        }
    }
    return NULL;
}

/* --- Plans --- */

struct book_task *books_add_task(struct books *books, struct book_constellation *constellation,
                                 int64_t id, const struct sim_task *spec)
{
    uint32_t count = constellation->tasks_count++;
    constellation->tasks =
        mem_resize(constellation->tasks, (count + 1) * sizeof(struct book_task *));
    struct book_task *task = mem_alloc(sizeof *task);
    task->id = id;
    task->constellation = constellation;
    task->spec = spec;
    task->record.state = TASK_WAITING;
    constellation->tasks[count] = task;
    map_put(&books->tasks, (uint64_t)id, task);
    return task;
}

struct book_edge *books_add_edge(struct books *books, int64_t id, struct book_task *from,
                                 struct book_task *to, const struct plan_edge *plan)
{
    struct book_constellation *constellation = to->constellation;
    uint32_t count = constellation->edges_count++;
    constellation->edges =
        mem_resize(constellation->edges, (count + 1) * sizeof(struct book_edge *));
    struct book_edge *edge = mem_alloc(sizeof *edge);
    *edge = (struct book_edge){
        .id = id, .constellation = constellation, .from = from, .to = to, .plan = *plan
    };
    constellation->edges[count] = edge;
    if (id != 0) {
        map_put(&books->edges, (uint64_t)id, edge);
    }
    return edge;
}

void books_remove_edge(struct books *books, struct book_edge *edge)
{
    struct book_constellation *constellation = edge->constellation;
    uint32_t at = 0;
    while (constellation->edges[at] != edge) {
        at++;
        CHECK(at < constellation->edges_count);
    }
    constellation->edges_count--;
    memmove(&constellation->edges[at], &constellation->edges[at + 1],
            (constellation->edges_count - at) * sizeof(struct book_edge *));
    if (edge->id != 0) {
        map_remove(&books->edges, (uint64_t)edge->id);
    }
    mem_free(edge);
}

uint32_t books_stored_edges(const struct book_constellation *constellation)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < constellation->edges_count; i++) {
        count += constellation->edges[i]->id != 0;
    }
    return count;
}

void books_remove_task(struct books *books, struct book_task *task)
{
    struct book_constellation *constellation = task->constellation;
    for (uint32_t i = constellation->edges_count; i > 0; i--) {
        struct book_edge *edge = constellation->edges[i - 1];
        if (edge->from == task || edge->to == task) {
            books_remove_edge(books, edge);
        }
    }
    uint32_t at = 0;
    while (constellation->tasks[at] != task) {
        at++;
        CHECK(at < constellation->tasks_count);
    }
    constellation->tasks_count--;
    memmove(&constellation->tasks[at], &constellation->tasks[at + 1],
            (constellation->tasks_count - at) * sizeof(struct book_task *));
    task->is_removed = true;
}

/* --- Holds --- */

struct book_hold *books_add_hold(struct books *books, const struct hold_record *record)
{
    struct book_constellation *constellation = books_constellation(books, record->constellation_id);
    struct book_hold *hold = mem_alloc(sizeof *hold);
    hold->record = *record;
    hold->constellation = constellation;
    hold->next = constellation->holds;
    constellation->holds = hold;
    map_put(&books->holds, (uint64_t)record->id, hold);
    return hold;
}

void books_hold_task(struct book_hold *hold, int64_t task_id)
{
    hold->tasks = mem_resize(hold->tasks, (hold->tasks_count + 1) * sizeof hold->tasks[0]);
    hold->tasks[hold->tasks_count++] = task_id;
}

bool books_hold_names(const struct book_hold *hold, int64_t task_id)
{
    for (size_t i = 0; i < hold->tasks_count; i++) {
        if (hold->tasks[i] == task_id) {
            return true;
        }
    }
    return false;
}

void books_remove_hold(struct books *books, struct book_hold *hold)
{
    struct book_hold **at = &hold->constellation->holds;
    while (*at != hold) {
        at = &(*at)->next;
    }
    *at = hold->next;
    map_remove(&books->holds, (uint64_t)hold->record.id);
    mem_free(hold->tasks);
    mem_free(hold);
}

bool book_task_is_held(const struct book_task *task)
{
    for (const struct book_hold *hold = task->constellation->holds; hold != NULL;
         hold = hold->next) {
        if (hold->record.scope == HOLD_ALL || books_hold_names(hold, task->id)) {
            return true;
        }
    }
    return false;
}

/* --- Edits in parts --- */

struct book_bulk *books_bulk(const struct books *books, int64_t id)
{
    struct book_bulk *bulk = books->bulks;
    while (bulk != NULL && bulk->id != id) {
        bulk = bulk->next;
    }
    return bulk;
}

struct book_bulk *books_add_bulk(struct books *books, int64_t id, struct wish *wish)
{
    struct book_bulk *bulk = mem_alloc(sizeof *bulk);
    bulk->id = id;
    bulk->wish = wish;
    bulk->added = mem_array(wish->edit.tasks_added + 1, sizeof bulk->added[0]);
    bulk->done = mem_array(wish->edit.operations_count + 1, sizeof bulk->done[0]);
    bulk->next = books->bulks;
    books->bulks = bulk;
    return bulk;
}

void books_remove_bulk(struct books *books, struct book_bulk *bulk)
{
    struct book_bulk **at = &books->bulks;
    while (*at != bulk) {
        at = &(*at)->next;
    }
    *at = bulk->next;
    mem_free(bulk->added);
    mem_free(bulk->done);
    mem_free(bulk);
}

const struct book_hold *book_bulk_hold(const struct book_constellation *constellation)
{
    const struct book_hold *hold = constellation->holds;
    while (hold != NULL && hold->record.origin != HOLD_BULK) {
        hold = hold->next;
    }
    return hold;
}

/* --- Ways --- */

struct ways {
    unsigned undecided;
    unsigned closed;
    unsigned required_closed;
    unsigned required_undecided;
    unsigned others;
    unsigned others_open;
    unsigned others_closed;
};

static struct ways count_ways(const struct book_task *task)
{
    struct ways ways = { 0 };
    for (uint32_t i = 0; i < task->constellation->edges_count; i++) {
        const struct book_edge *edge = task->constellation->edges[i];
        if (edge->to != task) {
            continue;
        }
        bool is_open = edge->decision == EDGE_OPEN;
        bool is_closed = edge->decision == EDGE_CLOSED;
        ways.undecided += !is_open && !is_closed;
        ways.closed += is_closed;
        ways.required_closed += edge->plan.required && is_closed;
        ways.required_undecided += edge->plan.required && !is_open && !is_closed;
        ways.others += !edge->plan.required;
        ways.others_open += !edge->plan.required && is_open;
        ways.others_closed += !edge->plan.required && is_closed;
    }
    return ways;
}

bool book_task_is_open(const struct book_task *task)
{
    struct ways ways = count_ways(task);
    if ((task->spec->plan.flags & TASK_JOIN_ANY) == 0) {
        return ways.closed == 0 && ways.undecided == 0;
    }
    return ways.required_closed == 0 && ways.required_undecided == 0 &&
           (ways.others == 0 || ways.others_open > 0);
}

bool book_task_is_closed(const struct book_task *task)
{
    struct ways ways = count_ways(task);
    if ((task->spec->plan.flags & TASK_JOIN_ANY) == 0) {
        return ways.closed > 0;
    }
    return ways.required_closed > 0 || (ways.others > 0 && ways.others_closed == ways.others);
}
