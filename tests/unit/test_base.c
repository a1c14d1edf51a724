/* The containers of common/base, each against a model so simple that it is right: an array that is
   searched from end to end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/base/heap.h"
#include "common/base/map.h"
#include "common/base/mem.h"
#include "common/base/rng.h"

enum { KEYS = 300, STEPS = 60000 };

static int things[KEYS];

/* Keys that collide often: few of them, far apart, so that probes run into one another. */
static uint64_t key_of(uint64_t i)
{
    return i % 3 == 0 ? i : i << 40;
}

static void check_map(const struct map *map, void *const *model)
{
    size_t count = 0;
    for (uint64_t i = 0; i < KEYS; i++) {
        assert_ptr_equal(map_get(map, key_of(i)), model[i]);
        count += model[i] != NULL;
    }
    assert_int_equal(map->count, count);
    size_t walked = 0;
    size_t at = 0;
    uint64_t key = 0;
    void *value = NULL;
    while (map_each(map, &at, &key, &value)) {
        size_t i = (size_t)((int *)value - things);
        assert_true(i < KEYS);
        assert_int_equal(key, key_of(i));
        assert_ptr_equal(value, model[i]);
        walked++;
    }
    assert_int_equal(walked, count);
}

static void a_map_agrees_with_its_model_after_any_operations(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 7);
    struct map map = { 0 };
    void *model[KEYS] = { 0 };
    for (int step = 0; step < STEPS; step++) {
        /* Phases of growing and of shrinking, so that long runs of slots come and go. */
        bool growing = (step / 5000) % 2 == 0;
        uint64_t i = rng_below(&rng, KEYS);
        if (rng_below(&rng, 10) < (growing ? 7U : 3U)) {
            map_put(&map, key_of(i), &things[i]);
            model[i] = &things[i];
        } else {
            assert_ptr_equal(map_remove(&map, key_of(i)), model[i]);
            model[i] = NULL;
        }
        if (step % 500 == 0) {
            check_map(&map, model);
        }
    }
    check_map(&map, model);
    map_done(&map);
    assert_null(map_get(&map, 1));
    assert_int_equal(map.count, 0);
}

static void a_map_keeps_key_zero_and_the_largest_and_replaces(void **state)
{
    (void)state;
    struct map map = { 0 };
    assert_null(map_get(&map, 0));
    assert_null(map_remove(&map, 0));
    map_put(&map, 0, &things[0]);
    map_put(&map, UINT64_MAX, &things[1]);
    assert_ptr_equal(map_get(&map, 0), &things[0]);
    assert_ptr_equal(map_get(&map, UINT64_MAX), &things[1]);
    map_put(&map, 0, &things[2]);
    assert_ptr_equal(map_get(&map, 0), &things[2]);
    assert_int_equal(map.count, 2);
    map_done(&map);
}

static void a_map_does_not_grow_when_what_goes_in_comes_out(void **state)
{
    (void)state;
    struct map map = { 0 };
    for (uint64_t i = 0; i < 100000; i++) {
        map_put(&map, i, &things[0]);
        if (i >= 10) {
            assert_ptr_equal(map_remove(&map, i - 10), &things[0]);
        }
    }
    assert_int_equal(map.count, 10);
    assert_true(map.capacity <= 32);
    map_done(&map);
}

static struct str text_of(uint64_t i, char to[32])
{
    int length = snprintf(to, 32, "%.*s%u", (int)(i % 7), "prefix-", (unsigned)i);
    return (struct str){ to, (size_t)length };
}

static void a_strmap_agrees_with_its_model_after_any_operations(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 8);
    struct strmap map = { 0 };
    void *model[KEYS] = { 0 };
    char text[32];
    for (int step = 0; step < STEPS; step++) {
        bool growing = (step / 5000) % 2 == 0;
        uint64_t i = rng_below(&rng, KEYS);
        if (rng_below(&rng, 10) < (growing ? 7U : 3U)) {
            strmap_put(&map, text_of(i, text), &things[i]);
            model[i] = &things[i];
        } else {
            assert_ptr_equal(strmap_remove(&map, text_of(i, text)), model[i]);
            model[i] = NULL;
        }
    }
    size_t count = 0;
    for (uint64_t i = 0; i < KEYS; i++) {
        assert_ptr_equal(strmap_get(&map, text_of(i, text)), model[i]);
        count += model[i] != NULL;
    }
    assert_int_equal(map.count, count);
    size_t at = 0;
    struct str key;
    void *value = NULL;
    while (strmap_each(&map, &at, &key, &value)) {
        size_t i = (size_t)((int *)value - things);
        assert_true(str_equal(key, text_of(i, text)));
        count--;
    }
    assert_int_equal(count, 0);
    strmap_done(&map);
}

static void a_strmap_copies_its_keys_and_takes_any_bytes(void **state)
{
    (void)state;
    struct strmap map = { 0 };
    char key[] = "a\0b";
    strmap_put(&map, (struct str){ key, 3 }, &things[0]);
    strmap_put(&map, (struct str){ NULL, 0 }, &things[1]);
    key[2] = 'c';
    assert_null(strmap_get(&map, (struct str){ key, 3 }));
    assert_ptr_equal(strmap_get(&map, (struct str){ "a\0b", 3 }), &things[0]);
    assert_null(strmap_get(&map, STR("a")));
    assert_ptr_equal(strmap_get(&map, STR("")), &things[1]);
    strmap_done(&map);
}

struct item {
    uint64_t value;
    struct heap_node node;
};

static uint64_t value_of(const struct heap_node *node)
{
    const char *owner = (const char *)node - offsetof(struct item, node);
    return ((const struct item *)(const void *)owner)->value;
}

static bool item_before(const struct heap_node *a, const struct heap_node *b)
{
    return value_of(a) < value_of(b);
}

static const struct item *least_of(const struct item *items)
{
    const struct item *least = NULL;
    for (size_t i = 0; i < KEYS; i++) {
        if (heap_holds(&items[i].node) && (least == NULL || items[i].value < least->value)) {
            least = &items[i];
        }
    }
    return least;
}

static void a_heap_gives_the_least_after_any_operations(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 9);
    struct heap heap = { .before = item_before };
    static struct item items[KEYS];
    memset(items, 0, sizeof items);
    uint32_t count = 0;
    for (int step = 0; step < STEPS; step++) {
        struct item *item = &items[rng_below(&rng, KEYS)];
        uint64_t value = rng_below(&rng, 1000);
        if (!heap_holds(&item->node)) {
            item->value = value;
            heap_insert(&heap, &item->node);
            count++;
        } else if (rng_below(&rng, 2) == 0) {
            item->value = value;
            heap_moved(&heap, &item->node);
        } else {
            heap_remove(&heap, &item->node);
            assert_false(heap_holds(&item->node));
            count--;
        }
        assert_int_equal(heap.count, count);
        const struct item *least = least_of(items);
        const struct heap_node *top = heap_top(&heap);
        assert_int_equal(top == NULL, least == NULL);
        if (top != NULL && least != NULL) {
            assert_int_equal(value_of(top), least->value);
        }
    }
    uint64_t last = 0;
    while (heap_top(&heap) != NULL) {
        struct item *item = HEAP_OWNER(heap_top(&heap), struct item, node);
        assert_true(item->value >= last);
        last = item->value;
        heap_remove(&heap, &item->node);
    }
    heap_done(&heap);
}

static void arena_memory_is_zeroed_aligned_and_its_own(void **state)
{
    (void)state;
    struct arena arena = { 0 };
    struct rng rng;
    rng_init(&rng, 10);
    enum { PIECES = 400 };
    unsigned char *pieces[PIECES];
    size_t sizes[PIECES];
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < PIECES; i++) {
            sizes[i] = (size_t)rng_below(&rng, i % 50 == 0 ? 200000 : 600);
            pieces[i] = arena_alloc(&arena, sizes[i]);
            assert_non_null(pieces[i]);
            assert_int_equal((uintptr_t)pieces[i] % _Alignof(max_align_t), 0);
            for (size_t at = 0; at < sizes[i]; at++) {
                assert_int_equal(pieces[i][at], 0);
            }
            memset(pieces[i], (int)(i % 251) + 1, sizes[i]);
        }
        for (size_t i = 0; i < PIECES; i++) {
            for (size_t at = 0; at < sizes[i]; at++) {
                assert_int_equal(pieces[i][at], i % 251 + 1);
            }
        }
        arena_clear(&arena);
        assert_int_equal(arena.bytes, 0);
    }
    arena_done(&arena);
}

static void an_arena_with_a_limit_says_no_at_it_and_not_before(void **state)
{
    (void)state;
    struct arena arena = { .bytes_max = 1024 };
    assert_non_null(arena_alloc(&arena, 1000));
    assert_non_null(arena_alloc(&arena, 16));
    assert_null(arena_alloc(&arena, 1));
    assert_null(arena_array(&arena, SIZE_MAX, 2));
    assert_null(arena_copy(&arena, "no room", 7));
    assert_int_equal(arena_str(&arena, STR("no room")).length, 0);
    arena_clear(&arena);
    assert_non_null(arena_alloc(&arena, 1024));
    arena_done(&arena);
}

static void an_arena_copies_text_with_a_nul_behind_it(void **state)
{
    (void)state;
    struct arena arena = { 0 };
    char from[] = { 'a', 'b', 'c', 'd' };
    char *copy = arena_copy(&arena, from, 3);
    from[0] = 'x';
    assert_string_equal(copy, "abc");
    assert_string_equal(arena_copy(&arena, NULL, 0), "");
    assert_true(str_is(arena_str(&arena, STR("abc")), "abc"));
    arena_done(&arena);
}

static void a_buf_agrees_with_its_model_after_any_operations(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 11);
    struct buf buf = { 0 };
    static uint8_t model[100000];
    size_t length = 0;
    for (int step = 0; step < 20000; step++) {
        if (length < 90000 && rng_below(&rng, 2) == 0) {
            uint8_t piece[300];
            size_t bytes = (size_t)rng_below(&rng, sizeof piece);
            memset(piece, step % 256, sizeof piece);
            buf_append(&buf, piece, bytes);
            memset(model + length, step % 256, bytes);
            length += bytes;
        } else {
            size_t bytes = (size_t)rng_below(&rng, length + 1 < 200 ? length + 1 : 200);
            buf_consume(&buf, bytes);
            memmove(model, model + bytes, length - bytes);
            length -= bytes;
        }
        assert_int_equal(buf.length, length);
    }
    assert_true(length > 0);
    assert_memory_equal(buf.data, model, length);
    buf_done(&buf);
    assert_null(buf.data);
}

static void a_buf_takes_text_of_any_length_and_ends_it_with_a_nul(void **state)
{
    (void)state;
    struct buf buf = { 0 };
    assert_string_equal(buf_text(&buf), "");
    buf_append_text(&buf, "a");
    buf_printf(&buf, "%d-%s", 7, "b");
    assert_string_equal(buf_text(&buf), "a7-b");
    assert_int_equal(buf.length, 4);
    buf_clear(&buf);
    for (int i = 0; i < 1000; i++) {
        buf_printf(&buf, "%d,", i % 10);
    }
    assert_int_equal(strlen(buf_text(&buf)), 2000);
    buf_printf(&buf, "%5000s", "x");
    assert_int_equal(buf.length, 7000);
    buf_done(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_map_agrees_with_its_model_after_any_operations),
        cmocka_unit_test(a_map_keeps_key_zero_and_the_largest_and_replaces),
        cmocka_unit_test(a_map_does_not_grow_when_what_goes_in_comes_out),
        cmocka_unit_test(a_strmap_agrees_with_its_model_after_any_operations),
        cmocka_unit_test(a_strmap_copies_its_keys_and_takes_any_bytes),
        cmocka_unit_test(a_heap_gives_the_least_after_any_operations),
        cmocka_unit_test(arena_memory_is_zeroed_aligned_and_its_own),
        cmocka_unit_test(an_arena_with_a_limit_says_no_at_it_and_not_before),
        cmocka_unit_test(an_arena_copies_text_with_a_nul_behind_it),
        cmocka_unit_test(a_buf_agrees_with_its_model_after_any_operations),
        cmocka_unit_test(a_buf_takes_text_of_any_length_and_ends_it_with_a_nul),
    };
    return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
