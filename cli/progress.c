#include "cli/progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/http.h"
#include "cli/output.h"
#include "common/base/mem.h"

/* Appends `line`, cut at the width (colour sequences take none), and a newline. */
static void append_line(struct buf *to, struct str line, unsigned width, bool colour)
{
    size_t column = 0;
    for (size_t i = 0; i < line.length; i++) {
        if (line.data[i] == 0x1b) {
            while (i < line.length && line.data[i] != 'm') {
                buf_append(to, &line.data[i++], 1);
            }
            buf_append_text(to, "m");
            continue;
        }
        column += ((unsigned char)line.data[i] & 0xc0U) != 0x80;
        if (column > width) {
            buf_append_text(to, output_plain(colour));
            break;
        }
        buf_append(to, &line.data[i], 1);
    }
    buf_append_text(to, "\n");
}

/* Appends a name made safe; where there is no room for it, with its middle left out: both ends tell
   more than the first half. */
static void append_name(struct buf *to, const char *name, size_t room)
{
    enum { ROOM_MIN = 8 };
    struct buf safe = { 0 };
    output_safe(&safe, str_of(name));
    room = room < ROOM_MIN ? ROOM_MIN : room;
    size_t width = output_width((struct str){ (const char *)safe.data, safe.length });
    size_t column = 0;
    size_t head = (room - 1) / 2;
    for (size_t i = 0; i < safe.length; i++) {
        bool begins = ((unsigned char)safe.data[i] & 0xc0U) != 0x80;
        column += begins;
        if (width > room && begins && column == head + 1) {
            buf_append_text(to, "..");
        }
        if (width <= room || column <= head || column > width - (room - head - 2)) {
            buf_append(to, &safe.data[i], 1);
        }
    }
    buf_done(&safe);
}

/* Nothing where there is no room for a bar that says anything. */
static void append_bar(struct buf *to, int64_t done, int64_t all, unsigned cells)
{
    enum { CELLS_MIN = 4 };
    if (cells < CELLS_MIN) {
        return;
    }
    unsigned full = all <= 0 ? 0 : (unsigned)(done * cells / all);
    full = full > cells ? cells : full;
    buf_append_text(to, "[");
    for (unsigned i = 0; i < cells; i++) {
        buf_append_text(to, i < full ? "#" : "-");
    }
    buf_append_text(to, "] ");
}

/* The bar gives way first, then the id: the numbers are what is looked at. */
static void append_head(const struct live *live, unsigned width, bool colour, int64_t now_ms,
                        struct buf *line)
{
    enum { CELLS_MAX = 24, BAR_FRAME = 3 };
    const char *state = live_state(live);
    int64_t all = json_number(live->constellation, "tasks");
    int64_t done = live_count(live, "succeeded") + live_count(live, "failed") +
                   live_count(live, "cancelled") + live_count(live, "skipped");
    bool ending = !live_is_final(live) &&
                  json_is_true(json_object_get(live->constellation, "cancel_requested"));
    char span[OUTPUT_SPAN_BYTES];
    /* Its time goes on while nothing else happens. */
    const json_t *duration = json_object_get(live->constellation, "duration");
    int64_t told = (int64_t)(json_number_value(duration) * 1000 + 0.5);
    output_span(told + (live_is_final(live) ? 0 : now_ms - live->told_ms), span);
    char numbers[128];
    snprintf(numbers, sizeof numbers, "%lld/%lld  %s", (long long)done, (long long)all, span);
    const char *shown = ending ? "cancelling" : state;
    size_t taken = 2 + strlen(shown) + 2 + strlen(numbers);
    append_name(line, live_id(live), width > taken ? width - taken : 0);
    buf_printf(line, "  %s%s%s  ", output_colour(colour, state), shown, output_plain(colour));
    taken = output_width((struct str){ (const char *)line->data, line->length }) + strlen(numbers) +
            BAR_FRAME;
    size_t cells = width > taken ? width - taken : 0;
    append_bar(line, done, all, cells > CELLS_MAX ? CELLS_MAX : (unsigned)cells);
    buf_append_text(line, numbers);
}

static void append_counts(const struct live *live, bool colour, struct buf *line)
{
    static const char *const states[] = { "running", "assigned", "ready",     "waiting",  "backoff",
                                          "failed",  "skipped",  "cancelled", "succeeded" };
    const char *between = "  ";
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        int64_t count = live_count(live, states[i]);
        if (count > 0) {
            buf_printf(line, "%s%s%lld %s%s", between, output_colour(colour, states[i]),
                       (long long)count, states[i], output_plain(colour));
            between = ", ";
        }
    }
}

static bool is_shown(const struct live_task *task)
{
    return options_word_in("running assigned backoff", task->state);
}

static int by_age(const void *a, const void *b)
{
    const struct live_task *x = *(const struct live_task *const *)a;
    const struct live_task *y = *(const struct live_task *const *)b;
    if (x->since_ms != y->since_ms) {
        return x->since_ms < y->since_ms ? -1 : 1;
    }
    return strcmp(x->key, y->key);
}

/* Those that run, the longest first; the caller frees the list. */
static const struct live_task **shown_tasks(const struct live *live, size_t *ret_count)
{
    const struct live_task **list = mem_array(live->tasks.count + 1, sizeof(const void *));
    size_t count = 0;
    size_t at = 0;
    struct str key;
    void *value = NULL;
    while (strmap_each(&live->tasks, &at, &key, &value)) {
        if (is_shown(value)) {
            list[count++] = value;
        }
    }
    qsort(list, count, sizeof(const void *), by_age);
    *ret_count = count;
    return list;
}

static void append_task(const struct live_task *task, unsigned width, bool colour, int64_t now_ms,
                        struct buf *line)
{
    char span[OUTPUT_SPAN_BYTES];
    output_span(now_ms - task->since_ms, span);
    buf_printf(line, "  %s%-9s%s ", output_colour(colour, task->state), task->state,
               output_plain(colour));
    buf_printf(line, "%7s  ", span);
    struct buf where = { 0 };
    if (*task->device != 0) {
        buf_append_text(&where, " on ");
        output_safe(&where, str_of(task->device));
    }
    if (task->attempt > 1) {
        buf_printf(&where, ", attempt %lld", (long long)task->attempt);
    }
    size_t taken = output_width((struct str){ (const char *)line->data, line->length }) +
                   output_width((struct str){ (const char *)where.data, where.length });
    append_name(line, task->key, width > taken ? width - taken : 0);
    buf_append(line, where.data, where.length);
    buf_done(&where);
}

void progress_render(const struct live *live, unsigned width, unsigned height, bool colour,
                     int64_t now_ms, struct buf *to)
{
    if (height < 2 || live->constellation == NULL) {
        return;
    }
    struct buf line = { 0 };
    append_head(live, width, colour, now_ms, &line);
    append_line(to, (struct str){ (const char *)line.data, line.length }, width, colour);
    buf_clear(&line);
    append_counts(live, colour, &line);
    append_line(to, (struct str){ (const char *)line.data, line.length }, width, colour);
    size_t count = 0;
    const struct live_task **tasks = shown_tasks(live, &count);
    size_t room = height - 2;
    size_t shown = count <= room ? count : room > 0 ? room - 1 : 0;
    for (size_t i = 0; i < shown; i++) {
        buf_clear(&line);
        append_task(tasks[i], width, colour, now_ms, &line);
        append_line(to, (struct str){ (const char *)line.data, line.length }, width, colour);
    }
    if (shown < count && room > 0) {
        buf_clear(&line);
        buf_printf(&line, "  and %zu more", count - shown);
        append_line(to, (struct str){ (const char *)line.data, line.length }, width, colour);
    }
    mem_free(tasks);
    buf_done(&line);
}

static size_t rows_of(const struct buf *drawn, unsigned width)
{
    size_t rows = 0;
    const char *at = (const char *)drawn->data;
    size_t left = drawn->length;
    while (left > 0) {
        const char *end = memchr(at, '\n', left);
        size_t length = end == NULL ? left : (size_t)(end - at);
        size_t columns = output_width((struct str){ at, length });
        rows += columns == 0 || width == 0 ? 1 : (columns + width - 1) / width;
        at += length + 1;
        left -= end == NULL ? left : length + 1;
    }
    return rows;
}

void progress_draw(struct progress *progress, struct str picture, unsigned width, struct buf *to)
{
    size_t rows = rows_of(&progress->drawn, width);
    if (rows > 0) {
        buf_printf(to, "\x1b[%zuA", rows);
    }
    buf_append_text(to, "\r\x1b[J");
    buf_append(to, picture.data, picture.length);
    buf_clear(&progress->drawn);
    buf_append(&progress->drawn, picture.data, picture.length);
}

void progress_done(struct progress *progress)
{
    buf_done(&progress->drawn);
}

void progress_task_line(const struct live_task *task, const char *time, bool colour, struct buf *to)
{
    buf_printf(to, "%s ", time);
    output_safe(to, str_of(task->key));
    buf_printf(to, " %s%s%s", output_colour(colour, task->state), task->state,
               output_plain(colour));
    if (*task->device != 0) {
        buf_append_text(to, " on ");
        output_safe(to, str_of(task->device));
    }
    if (task->attempt > 1) {
        buf_printf(to, ", attempt %lld", (long long)task->attempt);
    }
    if (task->has_exit_code && task->exit_code != 0) {
        buf_printf(to, ", exit code %lld", (long long)task->exit_code);
    }
    buf_append_text(to, "\n");
}
