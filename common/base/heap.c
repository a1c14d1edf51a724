#include "common/base/heap.h"

#include "common/base/check.h"
#include "common/base/mem.h"

/* nodes[0] is the top; a node's `place` is its index + 1. */
static void put(struct heap *heap, uint32_t index, struct heap_node *node)
{
    heap->nodes[index] = node;
    node->place = index + 1;
}

static void sift_up(struct heap *heap, uint32_t index)
{
    struct heap_node *node = heap->nodes[index];
    while (index > 0) {
        uint32_t parent = (index - 1) / 2;
        if (!heap->before(node, heap->nodes[parent])) {
            break;
        }
        put(heap, index, heap->nodes[parent]);
        index = parent;
    }
    put(heap, index, node);
}

static void sift_down(struct heap *heap, uint32_t index)
{
    struct heap_node *node = heap->nodes[index];
    for (;;) {
        uint32_t child = index * 2 + 1;
        if (child >= heap->count) {
            break;
        }
        if (child + 1 < heap->count && heap->before(heap->nodes[child + 1], heap->nodes[child])) {
            child++;
        }
        if (!heap->before(heap->nodes[child], node)) {
            break;
        }
        put(heap, index, heap->nodes[child]);
        index = child;
    }
    put(heap, index, node);
}

struct heap_node *heap_top(const struct heap *heap)
{
    return heap->count == 0 ? NULL : heap->nodes[0];
}

void heap_insert(struct heap *heap, struct heap_node *node)
{
    CHECK(!heap_holds(node));
    if (heap->count == heap->capacity) {
        heap->capacity = heap->capacity == 0 ? 16 : heap->capacity * 2;
        heap->nodes = mem_resize(heap->nodes, heap->capacity * sizeof(struct heap_node *));
    }
    heap->count++;
    put(heap, heap->count - 1, node);
    sift_up(heap, heap->count - 1);
}

void heap_remove(struct heap *heap, struct heap_node *node)
{
    CHECK(heap_holds(node) && node->place <= heap->count);
    uint32_t index = node->place - 1;
    CHECK(heap->nodes[index] == node);
    heap->count--;
    node->place = 0;
    if (index < heap->count) {
        put(heap, index, heap->nodes[heap->count]);
        heap_moved(heap, heap->nodes[index]);
    }
}

void heap_moved(struct heap *heap, struct heap_node *node)
{
    CHECK(heap_holds(node));
    sift_up(heap, node->place - 1);
    sift_down(heap, node->place - 1);
}

void heap_done(struct heap *heap)
{
    mem_free(heap->nodes);
    heap->nodes = NULL;
    heap->count = 0;
    heap->capacity = 0;
}
