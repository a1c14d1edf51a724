/* What `each` has made of one task, many at a time: one line. */
#include <string.h>

#include "cli/output.h"
#include "cli/show.h"

size_t show_group_size(const json_t *tasks, size_t from)
{
    const char *group = json_text(json_array_get(tasks, from), "group");
    size_t count = 1;
    while (*group != 0 && from + count < json_array_size(tasks) &&
           strcmp(json_text(json_array_get(tasks, from + count), "group"), group) == 0) {
        count++;
    }
    return count;
}

void show_group(struct table *table, const json_t *tasks, size_t from, size_t count)
{
    json_t *states = json_object();
    const json_t *told = json_array_get(tasks, from);
    for (size_t i = from; i < from + count; i++) {
        const json_t *task = json_array_get(tasks, i);
        const char *state = json_text(task, "state");
        json_object_set_new(states, state, json_integer(json_number(states, state) + 1));
        if (strcmp(state, "failed") == 0 && strcmp(json_text(told, "state"), "failed") != 0) {
            told = task;
        }
    }
    struct buf key = { 0 };
    struct buf why = { 0 };
    struct buf words = { 0 };
    buf_printf(&key, "%s@… (%zu)", json_text(told, "group"), count);
    const char *state = NULL;
    const json_t *number = NULL;
    json_object_foreach(states, state, number)
    {
        buf_printf(&why, "%s%lld %s", why.length == 0 ? "" : ", ",
                   (long long)json_integer_value(number), state);
    }
    show_why(&words, told);
    if (words.length > 0) {
        buf_printf(&why, "; %s: %s", json_text(told, "key"), buf_text(&words));
    }
    table_row(
        table, 6,
        (const char *const[]){ buf_text(&key),
                               json_object_size(states) == 1 ? json_text(told, "state") : "mixed",
                               "", "", "", buf_text(&why) });
    buf_done(&words);
    buf_done(&why);
    buf_done(&key);
    json_decref(states);
}
