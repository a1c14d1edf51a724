/* `plan`: how long a plan is, how wide, and how much of it runs at once. */
#include <stdio.h>

#include "cli/cli.h"
#include "cli/output.h"
#include "cli/show.h"

enum { BAR_COLUMNS = 40, LEVELS_SHOWN = 20 };

/* "7 tasks: a → b → … → z" */
static void path_field(struct buf *to, const char *name, const json_t *path)
{
    enum { ENDS = 4 };
    const json_t *tasks = json_object_get(path, "tasks");
    size_t count = json_array_size(tasks);
    int64_t length = json_number(path, "length");
    struct buf words = { 0 };
    buf_printf(&words, "%lld task%s: ", (long long)length, length == 1 ? "" : "s");
    for (size_t i = 0; i < count; i++) {
        const char *key = json_string_value(json_array_get(tasks, i));
        if (i == ENDS && count > 2 * (size_t)ENDS) {
            buf_append_text(&words, " → …");
            i = count - ENDS;
            key = json_string_value(json_array_get(tasks, i));
        }
        buf_printf(&words, "%s%s", i == 0 ? "" : " → ", key == NULL ? "" : key);
    }
    if (length > (int64_t)count) {
        buf_append_text(&words, " → …");
    }
    show_field(to, name, buf_text(&words));
    buf_done(&words);
}

static void number_field(struct buf *to, const char *name, const json_t *number)
{
    char text[32] = "";
    if (json_is_number(number)) {
        snprintf(text, sizeof text, "%.10g", json_number_value(number));
    }
    show_field(to, name, text);
}

/* What there is, is seen, however little it is. */
static void append_bar(struct buf *to, double part)
{
    int columns = (int)(part * BAR_COLUMNS + 0.5);
    for (int i = 0; i < (part > 0 && columns == 0 ? 1 : columns); i++) {
        buf_append_text(to, "#");
    }
    buf_append_text(to, "\n");
}

static void render_levels(const json_t *answer, struct buf *to)
{
    const json_t *widths = json_object_get(answer, "widths");
    double most = (double)json_number(answer, "width_max");
    size_t at = 0;
    const json_t *width = NULL;
    buf_append_text(to, "\nlevel  tasks\n");
    json_array_foreach(widths, at, width)
    {
        if (at == LEVELS_SHOWN) {
            buf_printf(to, "  … %lld levels in all\n",
                       (long long)json_number(json_object_get(answer, "longest_path"), "length"));
            return;
        }
        buf_printf(to, "%5zu  %5lld  ", at + 1, (long long)json_integer_value(width));
        append_bar(to, most > 0 ? (double)json_integer_value(width) / most : 0);
    }
}

static void render_realised(const json_t *realised, struct buf *to)
{
    double most = json_number_value(json_object_get(realised, "max"));
    double step = json_number_value(json_object_get(realised, "step"));
    size_t at = 0;
    const json_t *width = NULL;
    if (most <= 0) {
        return;
    }
    buf_append_text(to, "\nafter     at once\n");
    json_array_foreach(json_object_get(realised, "width"), at, width)
    {
        char span[OUTPUT_SPAN_BYTES];
        output_span((int64_t)(step * (double)at * 1000.0), span);
        buf_printf(to, "%-8s  %7.2f  ", span, json_number_value(width));
        append_bar(to, json_number_value(width) / most);
    }
}

static void render(const json_t *answer, bool over_time, struct buf *to)
{
    const json_t *time = json_object_get(answer, "time");
    show_field(to, "id", json_text(answer, "constellation"));
    number_field(to, "revision", json_object_get(answer, "revision"));
    number_field(to, "tasks", json_object_get(answer, "tasks"));
    path_field(to, "longest", json_object_get(answer, "longest_path"));
    struct buf widest = { 0 };
    buf_printf(&widest, "%lld tasks, at level %lld", (long long)json_number(answer, "width_max"),
               (long long)json_number(answer, "widest_level"));
    show_field(to, "widest", buf_text(&widest));
    buf_done(&widest);
    number_field(to, "parallelism", json_object_get(answer, "parallelism"));
    if (json_is_object(time)) {
        char span[OUTPUT_SPAN_BYTES];
        output_seconds(json_object_get(time, "work"), span);
        show_field(to, "work", span);
        output_seconds(json_object_get(time, "critical"), span);
        show_field(to, "critical", span);
        path_field(to, "on it", json_object_get(time, "critical_path"));
        number_field(to, "by time", json_object_get(time, "parallelism"));
    }
    const json_t *realised = json_object_get(answer, "realised");
    if (json_is_object(time) && json_is_object(realised)) {
        number_field(to, "at once", json_object_get(realised, "mean"));
        number_field(to, "at most", json_object_get(realised, "max"));
    }
    show_field(to, "ends about", json_text(answer, "expected_end"));
    show_field(to, "no forecast", json_text(answer, "expected_end_why"));
    if (over_time) {
        render_realised(realised, to);
    } else {
        render_levels(answer, to);
    }
}

static int plan(struct cli *cli)
{
    struct tasks_name name;
    int code = tasks_name_of(cli->options.arguments[0], &name);
    if (code == CLI_OK && *name.key != 0) {
        code = cli_fail(CLI_USAGE, "plan takes a constellation, not a task");
    }
    if (code != CLI_OK) {
        return code;
    }
    struct buf text = { 0 };
    tasks_path(&text, name.id, "/plan/metrics");
    json_t *answer = NULL;
    code = http_get(cli->http, buf_text(&text), &answer);
    buf_clear(&text);
    if (code == CLI_OK && cli->json) {
        output_json(answer);
    } else if (code == CLI_OK) {
        render(answer, options_has(&cli->options, "over-time"), &text);
        output_flush(&text);
    }
    json_decref(answer);
    buf_done(&text);
    return code;
}

static const struct option options[] = {
    { .name = "over-time", .help = "How many tasks ran at once as time went, in place of levels." },
    { .name = NULL },
};

const struct verb verb_plan = {
    .name = "plan",
    .summary = "Measure a plan: its longest path, its width, how much can and did run at once",
    .usage = "ID [--over-time]",
    .text = "By count as if all tasks took the same time (parallelism), by time with what they "
            "took, or, of those\nthat have not ended, what others of their kind took (work, "
            "critical, by time).",
    .example = "asterism plan @last\n",
    .options = options,
    .operand = CLI_OPERAND_ID,
    .arguments_min = 1,
    .arguments_max = 1,
    .run = plan,
};
