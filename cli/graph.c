/* `graph`: the DAG as text, or for Graphviz. */
#include <langinfo.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/graph_draw.h"
#include "cli/output.h"
#include "cli/tasks.h"
#include "common/base/map.h"
#include "common/base/mem.h"

enum { EDGES_MAX = 4000000 };

struct loaded_graph {
    struct graph graph;
    struct graph_edge *edges;
    char **labels;
    const json_t *tasks;
};

/* Names of tasks to their numbers; the map's values are the number plus one. */
static void load_edges(struct loaded_graph *to)
{
    struct strmap numbers = { 0 };
    size_t at = 0;
    const json_t *task = NULL;
    size_t count = 0;
    json_array_foreach(to->tasks, at, task)
    {
        strmap_put(&numbers, str_of(json_text(task, "key")), (void *)(uintptr_t)(at + 1));
        count += json_array_size(json_object_get(task, "needs"));
    }
    count = count > EDGES_MAX ? EDGES_MAX : count;
    to->edges = mem_array(count + 1, sizeof *to->edges);
    json_array_foreach(to->tasks, at, task)
    {
        size_t i = 0;
        const json_t *need = NULL;
        json_array_foreach(json_object_get(task, "needs"), i, need)
        {
            void *from = strmap_get(&numbers, str_of(json_text(need, "task")));
            if (from != NULL && to->graph.edges_count < count) {
                struct graph_edge edge = { (size_t)(uintptr_t)from - 1, at };
                to->edges[to->graph.edges_count++] = edge;
            }
        }
    }
    to->graph.edges = to->edges;
    strmap_done(&numbers);
}

/* How an edge is not a plain success: "failure", "if number > 3"; nothing if it is. */
static void append_kind(const json_t *need, struct buf *to)
{
    const char *when = json_text(need, "when");
    const char *condition = json_text(need, "if");
    bool plain = strcmp(when, "success") == 0;
    buf_append_text(to, plain ? "" : when);
    if (*condition != 0) {
        buf_append_text(to, plain ? "if " : " if ");
        output_safe(to, str_of(condition));
    }
}

/* "  [a: failure; b: if number > 3; any]": what the lines alone do not tell of its dependencies. */
static void append_unusual(const json_t *task, struct buf *to)
{
    struct buf words = { 0 };
    size_t at = 0;
    const json_t *need = NULL;
    json_array_foreach(json_object_get(task, "needs"), at, need)
    {
        struct buf kind = { 0 };
        append_kind(need, &kind);
        if (kind.length > 0) {
            buf_append_text(&words, words.length == 0 ? "" : "; ");
            output_safe(&words, str_of(json_text(need, "task")));
            buf_printf(&words, ": %s", buf_text(&kind));
        }
        buf_done(&kind);
    }
    if (strcmp(json_text(task, "join"), "any") == 0) {
        buf_printf(&words, "%sany", words.length == 0 ? "" : "; ");
    }
    if (words.length > 0) {
        buf_printf(to, "  [%s]", buf_text(&words));
    }
    buf_done(&words);
}

static char *label_of(const json_t *task, bool colour)
{
    struct buf label = { 0 };
    const char *state = json_text(task, "state");
    const char *device = json_text(task, "device");
    output_safe(&label, str_of(json_text(task, "key")));
    buf_printf(&label, "  %s", output_colour(colour, state));
    output_safe(&label, str_of(state));
    buf_append_text(&label, output_plain(colour));
    if (*device != 0) {
        buf_append_text(&label, " on ");
        output_safe(&label, str_of(device));
    }
    if (json_is_true(json_object_get(task, "gate"))) {
        buf_append_text(&label, " (gate)");
    }
    if (json_is_true(json_object_get(task, "held"))) {
        buf_append_text(&label, " (held)");
    }
    append_unusual(task, &label);
    char *text = mem_copy_text(buf_text(&label));
    buf_done(&label);
    return text;
}

static void load(struct loaded_graph *to, const json_t *answer, bool colour)
{
    to->tasks = json_object_get(answer, "tasks");
    to->graph.nodes_count = json_array_size(to->tasks);
    to->labels = mem_array(to->graph.nodes_count + 1, sizeof *to->labels);
    size_t at = 0;
    const json_t *task = NULL;
    json_array_foreach(to->tasks, at, task)
    {
        to->labels[at] = label_of(task, colour);
    }
    to->graph.labels = (const char *const *)to->labels;
    load_edges(to);
}

static void unload(struct loaded_graph *graph)
{
    for (size_t i = 0; i < graph->graph.nodes_count; i++) {
        mem_free(graph->labels[i]);
    }
    mem_free(graph->labels);
    mem_free(graph->edges);
}

/* What is too wide to be drawn: its layers, each task with what it needs. */
static void list_layers(const struct loaded_graph *loaded, struct buf *to)
{
    size_t count = loaded->graph.nodes_count;
    size_t *depths = mem_array(count + 1, sizeof *depths);
    size_t *order = mem_array(count + 1, sizeof *order);
    if (graph_layers(&loaded->graph, depths, order)) {
        for (size_t i = 0; i < count; i++) {
            if (i == 0 || depths[order[i]] != depths[order[i - 1]]) {
                buf_printf(to, "%slayer %zu\n", i == 0 ? "" : "\n", depths[order[i]] + 1);
            }
            buf_printf(to, "  %s", loaded->labels[order[i]]);
            const json_t *needs = json_object_get(json_array_get(loaded->tasks, order[i]), "needs");
            size_t at = 0;
            const json_t *need = NULL;
            json_array_foreach(needs, at, need)
            {
                buf_append_text(to, at == 0 ? "  <- " : ", ");
                output_safe(to, str_of(json_text(need, "task")));
            }
            buf_append_text(to, "\n");
        }
    }
    mem_free(order);
    mem_free(depths);
}

/* A quoted Graphviz text: '"' and '\' are escaped, control characters are shown. */
static void append_dot_text(struct buf *to, const char *text)
{
    struct buf safe = { 0 };
    output_safe(&safe, str_of(text));
    for (const char *at = buf_text(&safe); *at != 0; at++) {
        if (*at == '"' || *at == '\\') {
            buf_append_text(to, "\\");
        }
        buf_append(to, at, 1);
    }
    buf_done(&safe);
}

static const char *dot_colour(const char *state)
{
    static const char *const pairs[][2] = {
        { "succeeded", "palegreen" }, { "failed", "salmon" },     { "cancelled", "khaki" },
        { "skipped", "lightgrey" },   { "running", "lightblue" }, { "assigned", "lightblue" },
        { "backoff", "khaki" },
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        if (strcmp(pairs[i][0], state) == 0) {
            return pairs[i][1];
        }
    }
    return "white";
}

/* What `each` has made of one task stands in one box. Members of a group follow each other. */
static void render_groups(const json_t *tasks, struct buf *to)
{
    const char *open = "";
    size_t at = 0;
    const json_t *task = NULL;
    json_array_foreach(tasks, at, task)
    {
        const char *group = json_text(task, "group");
        if (strcmp(group, open) != 0) {
            buf_append_text(to, *open == 0 ? "" : " }\n");
            if (*group != 0) {
                buf_printf(to, "  subgraph \"cluster_%zu\" { label=\"", at);
                append_dot_text(to, group);
                buf_append_text(to, "\";");
            }
            open = group;
        }
        if (*group != 0) {
            buf_append_text(to, " \"");
            append_dot_text(to, json_text(task, "key"));
            buf_append_text(to, "\";");
        }
    }
    buf_append_text(to, *open == 0 ? "" : " }\n");
}

static void render_dot(const char *id, const json_t *tasks, struct buf *to)
{
    buf_append_text(to, "digraph \"");
    append_dot_text(to, id);
    buf_append_text(to, "\" {\n  node [shape=box, style=\"rounded,filled\"];\n");
    size_t at = 0;
    const json_t *task = NULL;
    json_array_foreach(tasks, at, task)
    {
        const char *device = json_text(task, "device");
        buf_append_text(to, "  \"");
        append_dot_text(to, json_text(task, "key"));
        buf_append_text(to, "\" [label=\"");
        append_dot_text(to, json_text(task, "key"));
        buf_append_text(to, "\\n");
        append_dot_text(to, json_text(task, "state"));
        buf_append_text(to, *device == 0 ? "" : " on ");
        append_dot_text(to, device);
        buf_printf(to, "\", fillcolor=%s%s];\n", dot_colour(json_text(task, "state")),
                   json_is_true(json_object_get(task, "gate")) ? ", shape=diamond" : "");
    }
    render_groups(tasks, to);
    json_array_foreach(tasks, at, task)
    {
        size_t i = 0;
        const json_t *need = NULL;
        json_array_foreach(json_object_get(task, "needs"), i, need)
        {
            struct buf kind = { 0 };
            append_kind(need, &kind);
            bool closed = strcmp(json_text(need, "decision"), "closed") == 0;
            buf_append_text(to, "  \"");
            append_dot_text(to, json_text(need, "task"));
            buf_append_text(to, "\" -> \"");
            append_dot_text(to, json_text(task, "key"));
            buf_printf(to, "\" [style=%s, label=\"", closed ? "dashed" : "solid");
            append_dot_text(to, buf_text(&kind));
            buf_append_text(to, "\"];\n");
            buf_done(&kind);
        }
    }
    buf_append_text(to, "}\n");
}

static int graph(struct cli *cli)
{
    struct tasks_name name;
    int code = tasks_name_of(cli->options.arguments[0], &name);
    if (code != CLI_OK) {
        return code;
    }
    struct tasks_query query = { .id = name.id, .limit = GRAPH_NODES_MAX };
    json_t *answer = NULL;
    code = tasks_get(cli->http, &query, &answer);
    if (code != CLI_OK) {
        return code;
    }
    const char *form = options_get(&cli->options, "output");
    struct buf text = { 0 };
    if (cli->json) {
        output_json(answer);
    } else if (form != NULL && strcmp(form, "dot") == 0) {
        render_dot(json_text(answer, "constellation"), json_object_get(answer, "tasks"), &text);
    } else {
        struct loaded_graph loaded = { .tasks = NULL };
        load(&loaded, answer, cli->colour);
        bool ascii = strcmp(nl_langinfo(CODESET), "UTF-8") != 0;
        if (!graph_draw(&loaded.graph, ascii, &text)) {
            list_layers(&loaded, &text);
        }
        unload(&loaded);
    }
    output_flush(&text);
    buf_done(&text);
    json_decref(answer);
    return CLI_OK;
}

static const struct option options[] = {
    { .name = "output",
      .letter = 'o',
      .operand = "FORM",
      .help = "text, dot (for Graphviz) or json.",
      .words = "text table dot json" },
    { .name = NULL },
};

const struct verb verb_graph = {
    .name = "graph",
    .summary = "Draw the tasks and what they need",
    .usage = "ID [-o text|dot|json]",
    .text =
        "A task stands below all that it needs. What is too wide to be drawn is listed in layers.",
    .example = "asterism graph @last\n"
               "asterism graph @last -o dot | dot -Tsvg > graph.svg\n",
    .options = options,
    .operand = CLI_OPERAND_ID,
    .arguments_min = 1,
    .arguments_max = 1,
    .run = graph,
};
