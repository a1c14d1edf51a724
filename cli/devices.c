/* `devices`: who can run what. */
#include <stdio.h>

#include "cli/cli.h"
#include "cli/http.h"
#include "cli/output.h"

/* "a=b,gpu": a label without a value is its key. */
static void append_labels(struct buf *to, const json_t *labels)
{
    const char *key = NULL;
    const json_t *value = NULL;
    json_object_foreach((json_t *)(uintptr_t)labels, key, value)
    {
        const char *text = json_string_value(value);
        buf_printf(to, "%s%s%s%s", to->length == 0 ? "" : ",", key,
                   text == NULL || *text == 0 ? "" : "=", text == NULL ? "" : text);
    }
}

static void append_words(struct buf *to, const json_t *words)
{
    size_t at = 0;
    const json_t *word = NULL;
    json_array_foreach(words, at, word)
    {
        const char *text = json_string_value(word);
        buf_printf(to, "%s%s", at == 0 ? "" : ", ", text == NULL ? "" : text);
    }
}

static void add_row(struct table *table, const json_t *device)
{
    char slots[64];
    snprintf(slots, sizeof slots, "%lld/%lld", (long long)json_number(device, "used"),
             (long long)json_number(device, "slots"));
    char cpus[32];
    snprintf(cpus, sizeof cpus, "%lld", (long long)json_number(device, "cpus"));
    char memory[OUTPUT_SPAN_BYTES];
    output_size(json_number(device, "memory_bytes"), memory);
    struct buf system = { 0 };
    buf_printf(&system, "%s/%s", json_text(device, "os"), json_text(device, "arch"));
    struct buf labels = { 0 };
    append_labels(&labels, json_object_get(device, "labels"));
    char silent[OUTPUT_SPAN_BYTES];
    output_seconds(json_object_get(device, "silent"), silent);
    table_row(table, 8,
              (const char *const[]){ json_text(device, "name"), json_text(device, "status"), slots,
                                     buf_text(&system), cpus, memory, silent, buf_text(&labels) });
    buf_done(&system);
    buf_done(&labels);
}

static void field(struct buf *to, const char *name, const char *value)
{
    if (*value != 0) {
        buf_printf(to, "%-12s ", name);
        output_safe(to, str_of(value));
        buf_append_text(to, "\n");
    }
}

static void render_one(const json_t *device, struct buf *to)
{
    struct buf text = { 0 };
    field(to, "name", json_text(device, "name"));
    field(to, "status", json_text(device, "status"));
    buf_printf(&text, "%lld of %lld", (long long)json_number(device, "used"),
               (long long)json_number(device, "slots"));
    field(to, "slots used", buf_text(&text));
    field(to, "host", json_text(device, "hostname"));
    buf_clear(&text);
    buf_printf(&text, "%s/%s, %lld CPUs", json_text(device, "os"), json_text(device, "arch"),
               (long long)json_number(device, "cpus"));
    field(to, "system", buf_text(&text));
    char size[OUTPUT_SPAN_BYTES];
    output_size(json_number(device, "memory_bytes"), size);
    field(to, "memory", size);
    buf_clear(&text);
    append_labels(&text, json_object_get(device, "labels"));
    field(to, "labels", buf_text(&text));
    buf_clear(&text);
    append_words(&text, json_object_get(device, "executors"));
    field(to, "executors", buf_text(&text));
    buf_clear(&text);
    append_words(&text, json_object_get(device, "tools"));
    field(to, "tools", buf_text(&text));
    field(to, "agent", json_text(device, "agent_version"));
    field(to, "connected", json_text(device, "connected_at"));
    output_seconds(json_object_get(device, "silent"), size);
    field(to, "silent for", size);
    buf_done(&text);
}

static void render_all(struct cli *cli, const json_t *devices, struct buf *to)
{
    struct table table = { 0 };
    table_row(&table, 8,
              (const char *const[]){ "NAME", "STATUS", "SLOTS", "SYSTEM", "CPUS", "MEMORY",
                                     "SILENT", "LABELS" });
    size_t at = 0;
    const json_t *device = NULL;
    json_array_foreach(devices, at, device)
    {
        add_row(&table, device);
    }
    table_render(&table, cli->colour, 1, to);
    table_done(&table);
}

static int devices(struct cli *cli)
{
    struct buf text = { 0 };
    bool one = cli->options.arguments_count == 1;
    buf_append_text(&text, "/api/v1/devices");
    if (one) {
        buf_append_text(&text, "/");
        http_escape(&text, cli->options.arguments[0]);
    }
    json_t *answer = NULL;
    int code = http_get(cli->http, buf_text(&text), &answer);
    buf_clear(&text);
    const json_t *list = json_object_get(answer, "devices");
    if (code == CLI_OK && cli->json) {
        output_json(answer);
    } else if (code == CLI_OK && one) {
        render_one(answer, &text);
    } else if (code == CLI_OK && json_array_size(list) == 0) {
        cli_note("there is none; start one:  asterism-agent --server URL");
    } else if (code == CLI_OK) {
        render_all(cli, list, &text);
    }
    output_flush(&text);
    json_decref(answer);
    buf_done(&text);
    return code;
}

const struct verb verb_devices = {
    .name = "devices",
    .summary = "List devices, or show one",
    .usage = "[NAME]",
    .example = "asterism devices\n"
               "asterism devices desktop\n",
    .operand = CLI_OPERAND_DEVICE,
    .arguments_max = 1,
    .run = devices,
};
