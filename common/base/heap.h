/* A binary heap of nodes that live inside their owners, so that any of them can be moved or taken
   out in O(log n). The order is the caller's; equal nodes come out in no particular order, so a
   caller that must be deterministic breaks ties itself. Zero-initialised but for `before`. */
#ifndef COMMON_BASE_HEAP_H
#define COMMON_BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_node {
    uint32_t place; /* 1 is the top; 0: in no heap */
};

struct heap {
    bool (*before)(const struct heap_node *a, const struct heap_node *b);
    struct heap_node **nodes;
    uint32_t count;
    uint32_t capacity;
};

/* The struct that holds this node as `member`. */
#define HEAP_OWNER(node, type, member) ((type *)((uintptr_t)(node)-offsetof(type, member)))

static inline bool heap_holds(const struct heap_node *node)
{
    return node->place != 0;
}

struct heap_node *heap_top(const struct heap *heap); /* NULL: empty */
void heap_insert(struct heap *heap, struct heap_node *node);
void heap_remove(struct heap *heap, struct heap_node *node);
void heap_moved(struct heap *heap, struct heap_node *node); /* its order has changed */
void heap_done(struct heap *heap);

#endif
