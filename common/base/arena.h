/* Memory that is given back all at once: what lives for one turn or one parse. */
#ifndef COMMON_BASE_ARENA_H
#define COMMON_BASE_ARENA_H

#include <stddef.h>

#include "common/base/str.h"

struct arena_block;

/* Zero-initialised is empty and ready. bytes_max 0: no limit. */
struct arena {
    struct arena_block *blocks;
    size_t bytes; /* handed out since the last clear */
    size_t bytes_max;
};

/* Zeroed, aligned for any type. NULL only when bytes_max would be passed. */
void *arena_alloc(struct arena *arena, size_t bytes);
void *arena_array(struct arena *arena, size_t count, size_t bytes);
/* A copy with a NUL behind it (not counted). NULL only at the limit. */
char *arena_copy(struct arena *arena, const void *data, size_t bytes);
struct str arena_str(struct arena *arena, struct str text);
void arena_clear(struct arena *arena); /* keeps one block for the next round */
void arena_done(struct arena *arena);

#endif
