#include "tests/sim/wish.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/base/mem.h"
#include "tests/sim/world.h"

struct wish *wish_new(struct world *world, enum event_kind kind, int64_t constellation_id,
                      const char *what)
{
    struct wishes *wishes = &world->wishes;
    if (wishes->count == wishes->capacity) {
        wishes->capacity = wishes->capacity == 0 ? 16 : wishes->capacity * 2;
        wishes->list = mem_resize(wishes->list, wishes->capacity * sizeof(struct wish *));
    }
    struct wish *wish = arena_alloc(&world->arena, sizeof *wish);
    wish->index = (uint32_t)wishes->count;
    wish->event.kind = kind;
    wish->constellation_id = constellation_id;
    wish->what = what;
    wishes->list[wishes->count++] = wish;
    return wish;
}

static int print_operation(const struct edit_operation *operation, char *text, size_t bytes)
{
    static const char *const names[] = { "",       "add task", "remove task", "update task", "add",
                                         "update", "remove",   "set",         "touch" };
    switch (operation->kind) {
    case EDIT_ADD_TASK:
    case EDIT_UPDATE_TASK:
        return snprintf(text, bytes, " %s %" PRId64 ";", names[operation->kind],
                        operation->write.task);
    case EDIT_REMOVE_TASK:
    case EDIT_TOUCH:
        return snprintf(text, bytes, " %s %" PRId64 ";", names[operation->kind], operation->task);
    case EDIT_ADD_EDGE:
        return snprintf(text, bytes, " add %" PRId64 "-%" PRId64 " %s;", operation->edge.from,
                        operation->edge.to, edge_when_name(operation->edge.when));
    case EDIT_UPDATE_EDGE:
    case EDIT_REMOVE_EDGE:
        return snprintf(text, bytes, " %s dependency %" PRId64 ";", names[operation->kind],
                        operation->edge.edge_id);
    case EDIT_SET:
        return snprintf(text, bytes, " set;");
    }
    return 0;
}

void wish_print(const struct wish *wish, char *text, size_t bytes)
{
    int length = snprintf(text, bytes, "base %u%s:", wish->edit.base_revision,
                          wish->edit.exact ? " exactly" : "");
    for (size_t i = 0; i < wish->edit.operations_count && (size_t)length < bytes; i++) {
        length += print_operation(&wish->edit.operations[i], text + length, bytes - (size_t)length);
    }
}

void wish_send(struct world *world, struct wish *wish)
{
    if (!world->daemon.up) {
        return;
    }
    TRACE(world, "wish %: $, of constellation %", wish->index, TRACE_TEXT(wish->what),
          (uint64_t)wish->constellation_id);
    wish->is_sent = true;
    wish->sends++;
    inbox_add(&world->daemon.inbox, ARRIVAL_WISH, 0)->number = wish->index;
    daemon_arrived(world);
}

void wishes_done(struct wishes *wishes)
{
    mem_free(wishes->list);
    *wishes = (struct wishes){ 0 };
}
