/* `explain` and `attention`: what a task waits for, and what waits for a person. */

#include "cli/cli.h"
#include "cli/output.h"
#include "cli/show.h"

static void render_devices(struct cli *cli, const json_t *answer, struct buf *to)
{
    const json_t *devices = json_object_get(answer, "devices");
    if (json_array_size(devices) == 0) {
        return;
    }
    struct table table = { 0 };
    table_row(&table, 3, (const char *const[]){ "DEVICE", "FITS", "WHY" });
    size_t at = 0;
    const json_t *device = NULL;
    json_array_foreach(devices, at, device)
    {
        bool fits = json_is_true(json_object_get(device, "fits"));
        bool free = json_is_true(json_object_get(device, "free"));
        const char *how = !fits ? "no" : free ? "yes, and is free" : "yes";
        table_row(
            &table, 3,
            (const char *const[]){ json_text(device, "device"), how, json_text(device, "why") });
    }
    buf_append_text(to, "\n");
    table_render(&table, cli->colour, SIZE_MAX, to);
    table_done(&table);
    if (json_is_true(json_object_get(answer, "more_devices"))) {
        buf_append_text(to, "and more devices\n");
    }
}

static void render(struct cli *cli, const json_t *answer, struct buf *to)
{
    show_field(to, "task", json_text(answer, "key"));
    show_state(cli, to, json_text(answer, "state"), "");
    struct buf why = { 0 };
    show_why(&why, answer);
    show_field(to, "why", why.length == 0 ? "it waits for nothing" : buf_text(&why));
    buf_done(&why);
    show_needs(to, answer);
    render_devices(cli, answer, to);
}

static int explain(struct cli *cli)
{
    struct tasks_name name;
    int code = tasks_name_of(cli->options.arguments[0], &name);
    if (code == CLI_OK && *name.key == 0) {
        code = cli_fail(CLI_USAGE, "name the task: explain ID/TASK");
    }
    if (code != CLI_OK) {
        return code;
    }
    struct buf text = { 0 };
    tasks_key_path(&text, &name, "/explain");
    json_t *answer = NULL;
    code = http_get(cli->http, buf_text(&text), &answer);
    buf_clear(&text);
    if (code == CLI_OK && cli->json) {
        output_json(answer);
    } else if (code == CLI_OK) {
        render(cli, answer, &text);
        output_flush(&text);
    }
    json_decref(answer);
    buf_done(&text);
    return code;
}

/* "disk-report-7k2m/scan", a device's name, or a constellation's id. */
static void append_ref(const json_t *ref, struct buf *to)
{
    output_safe(to, str_of(json_text(ref, "device")));
    output_safe(to, str_of(json_text(ref, "constellation")));
    if (*json_text(ref, "task") != 0) {
        buf_append_text(to, "/");
        output_safe(to, str_of(json_text(ref, "task")));
    }
    if (json_number(ref, "hold") > 0 && *json_text(ref, "task") == 0) {
        buf_printf(to, " hold %lld", (long long)json_number(ref, "hold"));
    }
}

static void render_refs(const json_t *item, struct buf *to)
{
    const json_t *refs = json_object_get(item, "refs");
    struct buf names = { 0 };
    size_t at = 0;
    const json_t *ref = NULL;
    json_array_foreach(refs, at, ref)
    {
        struct buf name = { 0 };
        append_ref(ref, &name);
        if (name.length > 0) {
            buf_printf(&names, "%s%s", names.length == 0 ? "  " : ", ", buf_text(&name));
        }
        buf_done(&name);
    }
    if (names.length > 0) {
        bool more = json_number(item, "count") > (int64_t)json_array_size(refs);
        buf_printf(to, "%s%s\n", buf_text(&names), more ? ", …" : "");
    }
    buf_done(&names);
}

static void render_item(const json_t *item, struct buf *to)
{
    const char *since = json_text(item, "since");
    const char *until = json_text(item, "until");
    output_safe(to, str_of(json_text(item, "summary")));
    buf_append_text(to, "\n");
    if (*since != 0) {
        buf_printf(to, "  since %s\n", since);
    }
    if (*until != 0) {
        buf_printf(to, "  until %s\n", until);
    }
    render_refs(item, to);
    buf_printf(to, "  %s\n", json_text(item, "advice"));
}

static int attention(struct cli *cli)
{
    json_t *answer = NULL;
    int code = http_get(cli->http, "/api/v1/attention", &answer);
    const json_t *items = json_object_get(answer, "items");
    if (code == CLI_OK && cli->json) {
        output_json(answer);
    } else if (code == CLI_OK && json_array_size(items) == 0) {
        cli_note("nothing needs a person");
    } else if (code == CLI_OK) {
        struct buf text = { 0 };
        size_t at = 0;
        const json_t *item = NULL;
        json_array_foreach(items, at, item)
        {
            buf_append_text(&text, at == 0 ? "" : "\n");
            render_item(item, &text);
        }
        output_flush(&text);
        buf_done(&text);
        if (json_is_true(json_object_get(answer, "more"))) {
            cli_note("there is more than was looked through");
        }
    }
    json_decref(answer);
    return code;
}

const struct verb verb_explain = {
    .name = "explain",
    .summary = "Say what a task waits for, and for each device why it does not run it",
    .usage = "ID/TASK",
    .example = "asterism explain @last/train\n",
    .operand = CLI_OPERAND_TASK,
    .arguments_min = 1,
    .arguments_max = 1,
    .run = explain,
};

const struct verb verb_attention = {
    .name = "attention",
    .summary = "List what needs a person, by its cause",
    .usage = "",
    .text = "Approvals, tasks whose fate is not known, failures that are held, conditions that "
            "could not be\nevaluated, tasks without a device for five minutes, machines that fight "
            "for a name.",
    .example = "asterism attention\n",
    .run = attention,
};
