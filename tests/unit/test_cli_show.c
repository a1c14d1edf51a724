/* What the command line shows: text made harmless, tables, events, the live picture, the graph. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/graph_draw.h"
#include "cli/live.h"
#include "cli/logs_json.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/sse.h"
#include "common/base/mem.h"
#include "common/base/rng.h"

static void foreign_text_cannot_reach_the_terminal(void **state)
{
    (void)state;
    static const struct {
        struct str from;
        const char *to;
    } cases[] = {
        { { "plain \xc3\xa9 \xe2\x82\xac", 12 }, "plain \xc3\xa9 \xe2\x82\xac" },
        { { "\x1b[2J\a", 5 }, "\\x1b[2J\\x07" },
        { { "a\nb\tc", 5 }, "a\\x0ab\\x09c" },
        { { "\xc2\x9b"
            "1m",
            4 },
          "\\xc2\\x9b1m" }, /* CSI as one character */
        { { "\x7f", 1 }, "\\x7f" },
        { { "\xff\xc3", 2 }, "\\xff\\xc3" },
        { { "a\0b", 3 }, "a\\x00b" },
        { { "\xed\xa0\x80", 3 }, "\\xed\\xa0\\x80" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf out = { 0 };
        output_safe(&out, cases[i].from);
        assert_string_equal(buf_text(&out), cases[i].to);
        buf_done(&out);
    }
}

/* However the bytes are cut into pieces, the same comes out. */
static void expect_filtered(bool colours, struct str from, const char *to)
{
    struct rng rng;
    rng_init(&rng, 5);
    for (int round = 0; round < 50; round++) {
        struct output_filter filter = { .colours = colours };
        struct buf out = { 0 };
        size_t at = 0;
        while (at < from.length) {
            size_t most = from.length - at;
            size_t length = round == 0 ? most : 1 + (size_t)rng_below(&rng, most < 5 ? most : 5);
            output_filter_add(&filter, &out, (struct str){ from.data + at, length });
            at += length;
        }
        output_filter_end(&filter, &out);
        assert_string_equal(buf_text(&out), to);
        buf_done(&out);
    }
}

static void output_keeps_lines_and_colours_and_nothing_else_that_acts(void **state)
{
    (void)state;
    expect_filtered(true, STR("a\tb\r\n\x1b[1;31mred\x1b[0m\n"), "a\tb\n\x1b[1;31mred\x1b[0m\n");
    expect_filtered(true, STR("\x1b[31mred\n"), "\x1b[31mred\n\x1b[0m");
    expect_filtered(false, STR("\x1b[31mred"), "\\x1b[31mred");
    expect_filtered(true, STR("\x1b[2J\x1b]0;title\a"), "\\x1b[2J\\x1b]0;title\\x07");
    expect_filtered(true, STR("50%\r100%\r"), "50%\\x0d100%\\x0d");
    expect_filtered(true, STR("\xe2\x82\xac\xf0\x9f\x9a\x80"), "\xe2\x82\xac\xf0\x9f\x9a\x80");
    expect_filtered(true, STR("cut \xe2\x82"), "cut \\xe2\\x82");
    expect_filtered(true, STR("\xff\xfe"), "\\xff\\xfe");
    expect_filtered(true, STR("\x1b[000000000000000000000000000000000m"),
                    "\\x1b[000000000000000000000000000000000m");
    expect_filtered(true, STR("ends in \x1b"), "ends in \\x1b");
}

static void output_as_json_is_a_line_an_object_and_loses_no_byte(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 7);
    struct buf whole = { 0 };
    buf_append_text(&whole, "one\n\n\xff\xfe!\n\x1b[2J \xe2\x82\xac\n");
    for (int i = 0; i < 70000; i++) {
        buf_append_text(&whole, "\xc3\xa9"); /* a line that is cut, and not in a character */
    }
    buf_append_text(&whole, "\nlast");
    struct logs_json json = { .task = "t", .stream = "stderr" };
    struct buf out = { 0 };
    for (size_t at = 0; at < whole.length;) {
        size_t left = whole.length - at;
        size_t length = 1 + (size_t)rng_below(&rng, left < 9000 ? left : 9000);
        logs_json_add(&json, (struct str){ (const char *)whole.data + at, length }, &out);
        at += length;
    }
    logs_json_end(&json, &out);
    struct buf joined = { 0 };
    size_t objects = 0;
    for (char *line = strtok((char *)(uintptr_t)buf_text(&out), "\n"); line != NULL;
         line = strtok(NULL, "\n")) {
        json_t *object = json_loads(line, 0, NULL);
        assert_string_equal(json_string_value(json_object_get(object, "task")), "t");
        assert_string_equal(json_string_value(json_object_get(object, "stream")), "stderr");
        const char *base64 = json_string_value(json_object_get(object, "base64"));
        if (base64 != NULL) {
            assert_string_equal(base64, "//4hCg==");
            buf_append_text(&joined, "\xff\xfe!\n");
        } else {
            buf_append_text(&joined, json_string_value(json_object_get(object, "text")));
        }
        objects++;
        json_decref(object);
    }
    assert_int_equal(objects, 4 + 3 + 1);
    assert_int_equal(joined.length, whole.length);
    assert_memory_equal(joined.data, whole.data, whole.length);
    buf_done(&joined);
    buf_done(&out);
    buf_done(&whole);
}

static void columns_of_a_table_line_up_by_characters(void **state)
{
    (void)state;
    struct table table = { 0 };
    struct buf out = { 0 };
    table_row(&table, 3, (const char *const[]){ "KEY", "STATE", "WHY" });
    table_row(&table, 3, (const char *const[]){ "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9", "failed", "" });
    table_row(&table, 3,
              (const char *const[]){ "b", "ready",
                                     "a\x1b"
                                     "b" });
    table_render(&table, false, 1, &out);
    assert_string_equal(buf_text(&out), "KEY   STATE   WHY\n"
                                        "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9  failed  -\n"
                                        "b     ready   a\\x1bb\n");
    buf_clear(&out);
    table_render(&table, true, 1, &out);
    assert_non_null(strstr(buf_text(&out), "\x1b[31mfailed\x1b[0m  -"));
    buf_done(&out);
    table_done(&table);
}

static void times_and_sizes_are_short(void **state)
{
    (void)state;
    static const struct {
        int64_t ms;
        const char *text;
    } spans[] = { { 0, "0ms" },           { 999, "999ms" },    { 3249, "3.2s" },
                  { 59999, "59.9s" },     { 252000, "4m12s" }, { 7380000, "2h03m" },
                  { 446400000, "5d04h" }, { -5, "0ms" } };
    char text[OUTPUT_SPAN_BYTES];
    for (size_t i = 0; i < sizeof spans / sizeof spans[0]; i++) {
        output_span(spans[i].ms, text);
        assert_string_equal(text, spans[i].text);
    }
    output_span(INT64_MAX, text);
    output_size(512, text);
    assert_string_equal(text, "512 B");
    output_size(3565158, text);
    assert_string_equal(text, "3.4 MiB");
    output_seconds(NULL, text);
    assert_string_equal(text, "-");
    assert_int_equal(output_wall_of("2026-11-22T17:10:47.123Z"), 1795367447123);
    assert_int_equal(output_wall_of("yesterday"), 0);
}

struct heard {
    struct buf text;
};

static void hear(void *context, const char *name, struct str data)
{
    struct heard *heard = context;
    buf_printf(&heard->text, "<%s|%.*s>", name, STR_ARG(data));
}

static void events_come_out_however_the_stream_is_cut(void **state)
{
    (void)state;
    static const char stream[] = "\xef\xbb\xbf: hello\n\nid: L-1\nevent: snapshot\ndata: {\n"
                                 "data:  x}\n\r\ndata\r\n\r\nevent: none\n\nretry: 5\nid: L-2\r"
                                 "data:last\r\rdata: cut off";
    struct rng rng;
    rng_init(&rng, 6);
    for (int round = 0; round < 100; round++) {
        struct heard heard = { { 0 } };
        struct sse sse = { .event = hear, .context = &heard };
        for (size_t at = 0; at < sizeof stream - 1;) {
            size_t most = sizeof stream - 1 - at;
            size_t length = round == 0 ? most : 1 + (size_t)rng_below(&rng, most < 9 ? most : 9);
            sse_add(&sse, (struct str){ stream + at, length });
            at += length;
        }
        assert_string_equal(buf_text(&heard.text), "<snapshot|{\n x}><message|><message|last>");
        assert_string_equal(sse.id, "L-2");
        sse_restart(&sse);
        sse_add(&sse, STR("id: L-3\ndata: half"));
        assert_string_equal(sse.id, "L-2");
        sse_restart(&sse);
        sse_add(&sse, STR("data: whole\n\n"));
        assert_string_equal(sse.id, "L-2");
        assert_non_null(strstr(buf_text(&heard.text), "<message|whole>"));
        sse_done(&sse);
        buf_done(&heard.text);
    }
}

static void count_change(void *context, const struct live_task *task)
{
    (void)task;
    ++*(unsigned *)context;
}

static const char snapshot[] =
    "{\"seq\":7,\"constellation\":{\"id\":\"a-7k2m\",\"state\":\"running\",\"tasks\":4,"
    "\"duration\":3.25,\"counts\":{\"running\":2,\"waiting\":1,\"succeeded\":1}},\"tasks\":["
    "{\"key\":\"one\",\"state\":\"succeeded\",\"device\":\"d1\",\"attempt\":1,\"exit_code\":0},"
    "{\"key\":\"two\",\"state\":\"running\",\"device\":\"d1\",\"attempt\":2,\"exit_code\":null},"
    "{\"key\":\"three\",\"state\":\"running\",\"device\":\"d2\",\"attempt\":1,\"exit_code\":null},"
    "{\"key\":\"four\",\"state\":\"waiting\",\"device\":null,\"attempt\":0,\"exit_code\":null}]}";

static void a_live_copy_follows_snapshots_and_changes(void **state)
{
    (void)state;
    unsigned changes = 0;
    struct live live = { .changed = count_change, .context = &changes };
    live_event(&live, "snapshot", str_of(snapshot), 1000);
    assert_true(live.has_snapshot);
    assert_int_equal(changes, 4);
    assert_string_equal(live_id(&live), "a-7k2m");
    assert_int_equal(live_count(&live, "running"), 2);
    /* The same again, as after a lost connection, is no change. */
    live_event(&live, "snapshot", str_of(snapshot), 2000);
    assert_int_equal(changes, 4);
    assert_int_equal(live_task(&live, "two")->since_ms, 1000);
    live_event(&live, "change",
               STR("{\"seq\":8,\"constellations\":[{\"id\":\"a-7k2m\",\"state\":"
                   "\"failed\"},{\"id\":\"b-1111\",\"state\":\"running\"}],"
                   "\"tasks\":[{\"key\":\"two\",\"state\":\"failed\",\"device\":"
                   "\"d1\",\"attempt\":2,\"exit_code\":3}]}"),
               3000);
    assert_int_equal(changes, 5);
    assert_int_equal(live_task(&live, "two")->exit_code, 3);
    assert_true(live_is_final(&live));
    assert_int_equal(live_exit(live_state(&live)), 1);
    live_event(&live, "change", STR("not json"), 3000);
    live_event(&live, "change", STR("[1]"), 3000);
    assert_false(live.ended);
    live_event(&live, "end", STR("{}"), 3000);
    assert_true(live.ended);
    assert_false(live.was_over);
    live_done(&live);
}

/* Told by its tasks, of which each looks new then. */
static bool was_over;

static void look_whether_it_was_over(void *context, const struct live_task *task)
{
    const struct live *live = context;
    (void)task;
    was_over = live->was_over;
}

static void a_live_copy_knows_what_had_ended_before_it_looked(void **state)
{
    (void)state;
    struct live live = { .changed = look_whether_it_was_over };
    live.context = &live;
    live_event(&live, "snapshot",
               STR("{\"constellation\":{\"id\":\"a-7k2m\",\"state\":\"succeeded\"},\"tasks\":["
                   "{\"key\":\"one\",\"state\":\"succeeded\",\"attempt\":1}]}"),
               1000);
    assert_true(was_over);
    live_done(&live);
}

static void the_picture_keeps_within_the_window(void **state)
{
    (void)state;
    struct live live = { 0 };
    live_event(&live, "snapshot", str_of(snapshot), 1000);
    struct buf out = { 0 };
    progress_render(&live, 80, 24, false, 2500, &out);
    assert_string_equal(buf_text(&out), "a-7k2m  running  [######------------------] 1/4  4.7s\n"
                                        "  2 running, 1 waiting, 1 succeeded\n"
                                        "  running      1.5s  three on d2\n"
                                        "  running      1.5s  two on d1, attempt 2\n");
    /* Where it is narrow the bar and the middles of names go; numbers and devices stay. */
    buf_clear(&out);
    progress_render(&live, 29, 24, false, 2500, &out);
    assert_non_null(strstr(buf_text(&out), "a-7k2m  running  1/4  4.7s\n"));
    live_event(&live, "change",
               STR("{\"seq\":8,\"tasks\":[{\"key\":\"a-long-name-of-a-task-0042\","
                   "\"state\":\"running\",\"device\":\"d3\",\"attempt\":1}]}"),
               2000);
    buf_clear(&out);
    progress_render(&live, 44, 24, false, 2500, &out);
    assert_non_null(strstr(buf_text(&out), "  running     500ms  a-long-n..sk-0042 on d3\n"));
    for (unsigned width = 1; width < 60; width++) {
        for (unsigned height = 2; height < 6; height++) {
            buf_clear(&out);
            progress_render(&live, width, height, true, 2500, &out);
            unsigned lines = 0;
            const char *at = buf_text(&out);
            while (*at != 0) {
                size_t length = strcspn(at, "\n");
                assert_true(output_width((struct str){ at, length }) <= width);
                lines++;
                at += length + 1;
            }
            assert_true(lines <= height);
        }
    }
    buf_done(&out);
    live_done(&live);
}

static void redrawing_goes_up_over_lines_that_the_window_has_wrapped(void **state)
{
    (void)state;
    struct progress progress = { { 0 } };
    struct buf out = { 0 };
    progress_draw(&progress, STR("0123456789\nab\n"), 80, &out);
    assert_string_equal(buf_text(&out), "\r\x1b[J0123456789\nab\n");
    buf_clear(&out);
    progress_draw(&progress, STR("\x1b[31mx\x1b[0m\n"), 80, &out);
    assert_string_equal(buf_text(&out), "\x1b[2A\r\x1b[J\x1b[31mx\x1b[0m\n");
    buf_clear(&out);
    progress_draw(&progress, STR("0123456789\n"), 80, &out);
    buf_clear(&out);
    progress_draw(&progress, STR(""), 4, &out); /* ten characters are three rows of four now */
    assert_string_equal(buf_text(&out), "\x1b[3A\r\x1b[J");
    buf_clear(&out);
    progress_draw(&progress, STR("x\n"), 4, &out);
    assert_string_equal(buf_text(&out), "\r\x1b[Jx\n");
    buf_done(&out);
    progress_done(&progress);
}

static void expect_drawn(size_t nodes, const struct graph_edge *edges, size_t edges_count,
                         const char *drawing)
{
    static const char *const labels[] = { "a", "b", "c", "d", "e", "f" };
    struct graph graph = { nodes, edges, edges_count, labels };
    struct buf out = { 0 };
    assert_true(graph_draw(&graph, false, &out));
    assert_string_equal(buf_text(&out), drawing);
    buf_done(&out);
}

static void a_graph_is_drawn_with_every_edge(void **state)
{
    (void)state;
    expect_drawn(2, NULL, 0, "●  a\n●  b\n");
    static const struct graph_edge chain[] = { { 1, 0 }, { 2, 1 } };
    expect_drawn(3, chain, 2, "●  c\n│\n●  b\n│\n●  a\n");
    static const struct graph_edge diamond[] = { { 0, 1 }, { 0, 2 }, { 0, 3 }, { 1, 4 },
                                                 { 2, 4 }, { 3, 4 }, { 3, 4 } };
    expect_drawn(5, diamond, 7,
                 "●  a\n"
                 "├─┬─╮\n"
                 "● │ │  b\n"
                 "│ │ │\n"
                 "│ ● │  c\n"
                 "├─╯ │\n"
                 "│   ●  d\n"
                 "├───╯\n"
                 "●  e\n");
    /* d leads to e across the line of c, which it does not touch. */
    static const struct graph_edge crossing[] = { { 0, 1 }, { 0, 2 }, { 0, 3 },
                                                  { 1, 4 }, { 2, 5 }, { 3, 4 } };
    expect_drawn(6, crossing, 6,
                 "●  a\n"
                 "├─┬─╮\n"
                 "● │ │  b\n"
                 "│ │ │\n"
                 "│ ● │  c\n"
                 "│ │ │\n"
                 "│ │ ●  d\n"
                 "├─│─╯\n"
                 "● │  e\n"
                 "  ●  f\n");
}

static void layers_put_each_task_below_all_it_needs(void **state)
{
    (void)state;
    enum { NODES = 400, EDGES = 1500 };
    struct rng rng;
    rng_init(&rng, 12);
    static struct graph_edge edges[EDGES];
    for (size_t i = 0; i < EDGES; i++) {
        size_t from = (size_t)rng_below(&rng, NODES - 1);
        edges[i].from = from;
        edges[i].to = from + 1 + (size_t)rng_below(&rng, NODES - 1 - from);
    }
    struct graph graph = { NODES, edges, EDGES, NULL };
    size_t depths[NODES];
    size_t order[NODES];
    assert_true(graph_layers(&graph, depths, order));
    size_t places[NODES];
    bool seen[NODES] = { false };
    for (size_t i = 0; i < NODES; i++) {
        assert_false(seen[order[i]]);
        seen[order[i]] = true;
        places[order[i]] = i;
    }
    for (size_t i = 0; i < EDGES; i++) {
        assert_true(depths[edges[i].from] < depths[edges[i].to]);
        assert_true(places[edges[i].from] < places[edges[i].to]);
    }
    edges[0] = (struct graph_edge){ 1, 0 };
    edges[1] = (struct graph_edge){ 0, 1 };
    assert_false(graph_layers(&graph, depths, order));
}

static void a_graph_that_is_too_wide_is_not_drawn(void **state)
{
    (void)state;
    enum { NODES = GRAPH_COLUMNS_MAX + 2 };
    struct graph_edge edges[NODES];
    const char *labels[NODES];
    for (size_t i = 0; i < NODES; i++) {
        edges[i] = (struct graph_edge){ 0, i + 1 };
        labels[i] = "x";
    }
    struct buf out = { 0 };
    struct graph graph = { NODES, edges, NODES - 1, labels };
    assert_false(graph_draw(&graph, true, &out));
    assert_int_equal(out.length, 0);
    graph.nodes_count = GRAPH_COLUMNS_MAX + 1;
    graph.edges_count = GRAPH_COLUMNS_MAX;
    assert_true(graph_draw(&graph, true, &out));
    assert_true(out.length > 0);
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(foreign_text_cannot_reach_the_terminal),
        cmocka_unit_test(output_keeps_lines_and_colours_and_nothing_else_that_acts),
        cmocka_unit_test(output_as_json_is_a_line_an_object_and_loses_no_byte),
        cmocka_unit_test(columns_of_a_table_line_up_by_characters),
        cmocka_unit_test(times_and_sizes_are_short),
        cmocka_unit_test(events_come_out_however_the_stream_is_cut),
        cmocka_unit_test(a_live_copy_follows_snapshots_and_changes),
        cmocka_unit_test(a_live_copy_knows_what_had_ended_before_it_looked),
        cmocka_unit_test(the_picture_keeps_within_the_window),
        cmocka_unit_test(redrawing_goes_up_over_lines_that_the_window_has_wrapped),
        cmocka_unit_test(a_graph_is_drawn_with_every_edge),
        cmocka_unit_test(layers_put_each_task_below_all_it_needs),
        cmocka_unit_test(a_graph_that_is_too_wide_is_not_drawn),
    };
    return cmocka_run_group_tests_name("cli_show", tests, NULL, NULL);
}
