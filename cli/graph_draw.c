/* The drawing is swept from top to bottom. A column holds one task that is still to come, and is the
   line that leads to it; edges into the same task join in its column as soon as they leave their
   own. So no line ever moves sideways but right below the task it comes from. */
#include "cli/graph_draw.h"

#include <stdint.h>

#include "common/base/mem.h"

/* Edges by their source: those of node n are targets[first[n]] … targets[first[n + 1] - 1]. */
struct adjacency {
    size_t *first;
    size_t *targets;
};

static struct adjacency adjacency_of(const struct graph *graph)
{
    struct adjacency adjacency = {
        .first = mem_array(graph->nodes_count + 2, sizeof(size_t)),
        .targets = mem_array(graph->edges_count + 1, sizeof(size_t)),
    };
    /* Counted two places on, so that filling in leaves each start where it belongs. */
    for (size_t i = 0; i < graph->edges_count; i++) {
        adjacency.first[graph->edges[i].from + 2]++;
    }
    for (size_t n = 2; n < graph->nodes_count + 2; n++) {
        adjacency.first[n] += adjacency.first[n - 1];
    }
    for (size_t i = 0; i < graph->edges_count; i++) {
        adjacency.targets[adjacency.first[graph->edges[i].from + 1]++] = graph->edges[i].to;
    }
    return adjacency;
}

static void adjacency_done(struct adjacency *adjacency)
{
    mem_free(adjacency->first);
    mem_free(adjacency->targets);
}

static void order_by_depth(const struct graph *graph, const size_t *depths, size_t *order)
{
    size_t *starts = mem_array(graph->nodes_count + 2, sizeof *starts);
    for (size_t n = 0; n < graph->nodes_count; n++) {
        starts[depths[n] + 1]++;
    }
    for (size_t d = 1; d <= graph->nodes_count; d++) {
        starts[d] += starts[d - 1];
    }
    for (size_t n = 0; n < graph->nodes_count; n++) {
        order[starts[depths[n]]++] = n;
    }
    mem_free(starts);
}

bool graph_layers(const struct graph *graph, size_t *depths, size_t *order)
{
    struct adjacency next = adjacency_of(graph);
    size_t *open = mem_array(graph->nodes_count + 1, sizeof *open);
    size_t *queue = mem_array(graph->nodes_count + 1, sizeof *queue);
    size_t head = 0;
    size_t tail = 0;
    for (size_t i = 0; i < graph->edges_count; i++) {
        open[graph->edges[i].to]++;
    }
    for (size_t n = 0; n < graph->nodes_count; n++) {
        depths[n] = 0;
        if (open[n] == 0) {
            queue[tail++] = n;
        }
    }
    while (head < tail) {
        size_t n = queue[head++];
        for (size_t i = next.first[n]; i < next.first[n + 1]; i++) {
            size_t to = next.targets[i];
            depths[to] = depths[n] + 1 > depths[to] ? depths[n] + 1 : depths[to];
            if (--open[to] == 0) {
                queue[tail++] = to;
            }
        }
    }
    bool acyclic = tail == graph->nodes_count;
    if (acyclic) {
        order_by_depth(graph, depths, order);
    }
    mem_free(queue);
    mem_free(open);
    adjacency_done(&next);
    return acyclic;
}

enum { FREE_COLUMN = -1, UP = 1, DOWN = 2, LEFT = 4, RIGHT = 8 };

struct columns {
    int64_t holds[GRAPH_COLUMNS_MAX]; /* a node's number, or FREE_COLUMN */
    size_t count;                     /* up to the last one that is in use */
};

static size_t column_of(const struct columns *columns, int64_t node)
{
    for (size_t c = 0; c < columns->count; c++) {
        if (columns->holds[c] == node) {
            return c;
        }
    }
    return GRAPH_COLUMNS_MAX;
}

/* The column that holds the node, or a free one that does from now on. */
static size_t column_take(struct columns *columns, int64_t node)
{
    size_t c = column_of(columns, node);
    if (c < GRAPH_COLUMNS_MAX) {
        return c;
    }
    c = column_of(columns, FREE_COLUMN);
    if (c == GRAPH_COLUMNS_MAX) {
        if (columns->count == GRAPH_COLUMNS_MAX) {
            return GRAPH_COLUMNS_MAX;
        }
        c = columns->count++;
    }
    columns->holds[c] = node;
    return c;
}

static void columns_trim(struct columns *columns)
{
    while (columns->count > 0 && columns->holds[columns->count - 1] == FREE_COLUMN) {
        columns->count--;
    }
}

static const char *joint(unsigned ends, bool ascii)
{
    static const char *const lines[16] = { " ", "│", "│", "│", "─", "╯", "╮", "┤",
                                           "─", "╰", "╭", "├", "─", "┴", "┬", "┼" };
    static const char *const plain[16] = { " ", "|", "|", "|", "-", "+", "+", "+",
                                           "-", "+", "+", "+", "-", "+", "+", "+" };
    return ascii ? plain[ends] : lines[ends];
}

static void append_trimmed(struct buf *to, struct buf *line)
{
    while (line->length > 0 && line->data[line->length - 1] == ' ') {
        line->length--;
    }
    buf_append(to, line->data, line->length);
    buf_append_text(to, "\n");
    buf_clear(line);
}

static void draw_node(const struct columns *columns, size_t at, const char *label, bool ascii,
                      struct buf *to)
{
    for (size_t c = 0; c < columns->count || c <= at; c++) {
        bool used = c < columns->count && columns->holds[c] != FREE_COLUMN;
        buf_append_text(to, c == at ? (ascii ? "*" : "●") : joint(used ? UP | DOWN : 0, ascii));
        buf_append_text(to, " ");
    }
    buf_printf(to, " %s\n", label);
}

/* The line below a node at column `from`: to the columns that are marked. */
static void draw_edges(const struct columns *before, const struct columns *after, size_t from,
                       const bool *marked, bool ascii, struct buf *to)
{
    size_t left = from;
    size_t right = from;
    for (size_t c = 0; c < after->count; c++) {
        if (marked[c]) {
            left = c < left ? c : left;
            right = c > right ? c : right;
        }
    }
    /* A node that leads straight down gets its line too: without it, a node of no connection right
       below would look like its successor. */
    if (left == right && (from >= after->count || !marked[from])) {
        return;
    }
    struct buf line = { 0 };
    size_t width = before->count > after->count ? before->count : after->count;
    for (size_t c = 0; c < width || c <= from; c++) {
        bool was = c == from || (c < before->count && before->holds[c] != FREE_COLUMN);
        bool is = c < after->count && after->holds[c] != FREE_COLUMN;
        bool inside = c >= left && c <= right;
        bool joins = c == from || (c < after->count && marked[c]);
        unsigned ends = (was ? (unsigned)UP : 0) | (is ? (unsigned)DOWN : 0);
        if (inside && (joins || ends == 0)) {
            ends |= (c > left ? (unsigned)LEFT : 0) | (c < right ? (unsigned)RIGHT : 0);
        }
        buf_append_text(&line, joint(ends, ascii));
        bool runs_on = inside && c < right;
        buf_append_text(&line, runs_on ? joint(LEFT | RIGHT, ascii) : " ");
    }
    append_trimmed(to, &line);
    buf_done(&line);
}

static bool draw_one(const struct graph *graph, const struct adjacency *next, size_t node,
                     struct columns *columns, bool ascii, struct buf *to)
{
    size_t at = column_take(columns, (int64_t)node);
    if (at == GRAPH_COLUMNS_MAX) {
        return false;
    }
    draw_node(columns, at, graph->labels[node], ascii, to);
    struct columns before = *columns;
    bool marked[GRAPH_COLUMNS_MAX] = { false };
    columns->holds[at] = FREE_COLUMN;
    for (size_t i = next->first[node]; i < next->first[node + 1]; i++) {
        size_t c = column_take(columns, (int64_t)next->targets[i]);
        if (c == GRAPH_COLUMNS_MAX) {
            return false;
        }
        marked[c] = true;
    }
    draw_edges(&before, columns, at, marked, ascii, to);
    columns_trim(columns);
    return true;
}

bool graph_draw(const struct graph *graph, bool ascii, struct buf *to)
{
    size_t *depths = mem_array(graph->nodes_count + 1, sizeof *depths);
    size_t *order = mem_array(graph->nodes_count + 1, sizeof *order);
    size_t begin = to->length;
    bool fits = graph_layers(graph, depths, order);
    if (fits) {
        struct adjacency next = adjacency_of(graph);
        struct columns columns = { .count = 0 };
        for (size_t i = 0; i < graph->nodes_count && fits; i++) {
            fits = draw_one(graph, &next, order[i], &columns, ascii, to);
        }
        adjacency_done(&next);
    }
    if (!fits) {
        to->length = begin;
    }
    mem_free(order);
    mem_free(depths);
    return fits;
}
