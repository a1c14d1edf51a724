/* A store with a sample beside it: what the tests of plans that change begin with. */
#ifndef TESTS_UNIT_STORE_BENCH_H
#define TESTS_UNIT_STORE_BENCH_H

#include "tests/unit/store_sample.h"

struct bench {
    struct store_world *world;
    struct sample sample;
    struct arena arena;
};

/* Of a test: its state is a bench, with an empty store. */
int bench_open_sqlite(void **state);
int bench_open_memory(void **state);
int bench_close(void **state);

/* The same test over both implementations. */
#define BENCH_BOTH(test)                                                                           \
    { #test " [sqlite]", test, bench_open_sqlite, bench_close, NULL },                             \
    {                                                                                              \
#test " [memory]", test, bench_open_memory, bench_close, NULL                              \
    }

struct effects *bench_effects(struct bench *bench);
void bench_submit(struct bench *bench); /* the sample, in a turn of its own */
/* What an engine would be given; the caller frees the text. */
void bench_dump(struct bench *bench, struct buf *text);
/* After a restart: whether that has the line. */
void bench_expect_dump(struct bench *bench, const char *line, bool is_there);
/* Of a dependency; NULL: it has none. */
void bench_expect_condition(struct bench *bench, int64_t edge_id, const char *condition,
                            const char *arguments);

#endif
