/* Lanes: the ready tasks of a class, those of each constellation apart, in the order in which they go:
   priority strictly; then the constellation with the smallest share of what runs; then the task that
   is furthest from an end; then age. */
#include "common/base/mem.h"
#include "orchestrator/engine/model.h"

/* A share changes at every assignment and every end. So many lanes of the constellation are moved
   then; one that is ready in more classes than this has some of them where they stood a while ago, and
   when many have been moved in a turn the rest of it moves one each time. */
enum { LANES_MOVED = 16 };

/* The order of lane.ready. */
static bool task_before(const struct heap_node *a, const struct heap_node *b)
{
    const struct task *x = HEAP_OWNER(a, const struct task, node);
    const struct task *y = HEAP_OWNER(b, const struct task, node);
    if (x->record.priority != y->record.priority) {
        return x->record.priority > y->record.priority;
    }
    return x->rank != y->rank ? x->rank > y->rank : x->record.id < y->record.id;
}

bool lane_before(const struct heap_node *a, const struct heap_node *b)
{
    const struct lane *x = HEAP_OWNER(a, const struct lane, node);
    const struct lane *y = HEAP_OWNER(b, const struct lane, node);
    const struct heap_node *first_x = heap_top(&x->ready);
    const struct heap_node *first_y = heap_top(&y->ready);
    int32_t priority_x = HEAP_OWNER(first_x, const struct task, node)->record.priority;
    int32_t priority_y = HEAP_OWNER(first_y, const struct task, node)->record.priority;
    if (priority_x != priority_y) {
        return priority_x > priority_y;
    }
    uint32_t share_x = x->constellation->running;
    uint32_t share_y = y->constellation->running;
    return share_x != share_y ? share_x < share_y : task_before(first_x, first_y);
}

struct task *lane_top(const struct class *class)
{
    const struct heap_node *node = heap_top(&class->ready);
    return node == NULL ? NULL
                        : HEAP_OWNER(heap_top(&HEAP_OWNER(node, struct lane, node)->ready),
                                     struct task, node);
}

static void enlist(struct lane *lane)
{
    struct constellation *constellation = lane->constellation;
    lane->next = NULL;
    lane->previous = constellation->lanes_last;
    if (lane->previous == NULL) {
        constellation->lanes_first = lane;
    } else {
        lane->previous->next = lane;
    }
    constellation->lanes_last = lane;
    constellation->lanes_count++;
}

static void delist(struct lane *lane)
{
    struct constellation *constellation = lane->constellation;
    if (lane->previous == NULL) {
        constellation->lanes_first = lane->next;
    } else {
        lane->previous->next = lane->next;
    }
    if (lane->next == NULL) {
        constellation->lanes_last = lane->previous;
    } else {
        lane->next->previous = lane->previous;
    }
    constellation->lanes_count--;
}

static struct lane *lane_of(const struct class *class, const struct constellation *constellation)
{
    return map_get(&class->lanes, (uint64_t)constellation->record.id);
}

static struct lane *make_lane(struct class *class, struct constellation *constellation)
{
    struct lane *lane = class->spare;
    class->spare = NULL;
    if (lane == NULL) {
        lane = mem_alloc(sizeof *lane);
        lane->class = class;
        lane->ready.before = task_before;
    }
    lane->constellation = constellation;
    map_put(&class->lanes, (uint64_t)constellation->record.id, lane);
    enlist(lane);
    return lane;
}

void lane_free(struct lane *lane)
{
    if (lane != NULL) {
        heap_done(&lane->ready);
        mem_free(lane);
    }
}

static void drop_lane(struct lane *lane)
{
    struct class *class = lane->class;
    map_remove(&class->lanes, (uint64_t)lane->constellation->record.id);
    delist(lane);
    if (class->spare == NULL) {
        class->spare = lane;
    } else {
        lane_free(lane);
    }
}

void lane_push(struct engine *engine, struct task *task)
{
    struct class *class = task->class;
    if (!class->is_linked) {
        placement_link_class(engine, class);
    }
    struct lane *lane = lane_of(class, task->constellation);
    if (lane == NULL) {
        lane = make_lane(class, task->constellation);
        lane->since_boot_ms = engine->now.boot_ms;
    }
    heap_insert(&lane->ready, &task->node);
    if (heap_holds(&lane->node)) {
        heap_moved(&class->ready, &lane->node);
    } else {
        heap_insert(&class->ready, &lane->node);
    }
    placement_class_changed(engine, class);
}

void lane_remove(struct engine *engine, struct task *task)
{
    struct class *class = task->class;
    struct lane *lane = lane_of(class, task->constellation);
    if (lane->ready.count == 1) {
        /* Out of the order first, which looks at the top. */
        heap_remove(&class->ready, &lane->node);
        heap_remove(&lane->ready, &task->node);
        drop_lane(lane);
    } else {
        heap_remove(&lane->ready, &task->node);
        heap_moved(&class->ready, &lane->node);
    }
    placement_class_changed(engine, class);
}

void lane_moved(struct engine *engine, struct task *task)
{
    struct lane *lane = lane_of(task->class, task->constellation);
    heap_moved(&lane->ready, &task->node);
    heap_moved(&task->class->ready, &lane->node);
    placement_class_changed(engine, task->class);
}

void lane_share_changed(struct engine *engine, struct constellation *constellation)
{
    struct lane *lane = constellation->lanes_first;
    bool is_much =
        constellation->lanes_count > LANES_MOVED && engine->lanes_moved >= engine->config.slice;
    int max = is_much ? 1 : LANES_MOVED;
    for (int i = 0; i < max && lane != NULL; i++) {
        struct lane *next = lane->next;
        struct class *class = lane->class;
        if (class->ready.count > 1 || engine->active.count > 1) {
            heap_moved(&class->ready, &lane->node);
            placement_class_changed(engine, class);
            engine->lanes_moved++;
        }
        if (constellation->lanes_last != lane) {
            delist(lane); /* to the end, so that all have their turn */
            enlist(lane);
        }
        lane = next;
    }
}
