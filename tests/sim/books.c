#include "tests/sim/books.h"

#include <string.h>

#include "common/base/mem.h"
#include "tests/sim/promise.h"

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
        mem_free(constellation->tasks);
    }
    free_values(&books->attempts);
    free_values(&books->tasks);
    free_values(&books->constellations);
    free_values(&books->devices);
    mem_free(books);
}

struct book_attempt *books_attempt(const struct books *books, uint64_t fence)
{
    return map_get(&books->attempts, fence);
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
