#include "tests/unit/store_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/mem.h"

static int open(void **state, bool is_sqlite)
{
    struct bench *bench = mem_alloc(sizeof *bench);
    bench->world = world_new(is_sqlite);
    sample_init(&bench->sample);
    *state = bench;
    return 0;
}

int bench_open_sqlite(void **state)
{
    return open(state, true);
}

int bench_open_memory(void **state)
{
    return open(state, false);
}

int bench_close(void **state)
{
    struct bench *bench = *state;
    world_free(bench->world);
    arena_done(&bench->arena);
    mem_free(bench);
    return 0;
}

struct effects *bench_effects(struct bench *bench)
{
    return &bench->world->effects;
}

void bench_submit(struct bench *bench)
{
    sample_submit(&bench->sample, bench_effects(bench));
    world_commit(bench->world);
}

void bench_dump(struct bench *bench, struct buf *text)
{
    struct reason reason = { { 0 } };
    struct engine_config config = { .epoch = 1, .lease_ms = 60000, .ping_ms = 20000 };
    struct engine *engine = engine_new(&config);
    if (store_load(bench->world->store, engine, &reason) != ERR_NONE) {
        fail_msg("%s", reason.text);
    }
    engine_dump(engine, text);
    engine_free(engine);
}

void bench_expect_dump(struct bench *bench, const char *line, bool is_there)
{
    struct buf text = { 0 };
    world_reopen(bench->world);
    bench_dump(bench, &text);
    if ((strstr(buf_text(&text), line) != NULL) != is_there) {
        fail_msg("%s is %sin\n%s", line, is_there ? "not " : "", buf_text(&text));
    }
    buf_done(&text);
}

void bench_expect_condition(struct bench *bench, int64_t edge_id, const char *condition,
                            const char *arguments)
{
    struct str text;
    struct str values;
    enum err err =
        store_edge_condition(bench->world->store, edge_id, &bench->arena, &text, &values);
    if (condition == NULL) {
        assert_int_equal(err, ERR_NOT_FOUND);
        return;
    }
    assert_int_equal(err, ERR_NONE);
    assert_true(str_is(text, condition));
    assert_true(str_is(values, arguments));
}
