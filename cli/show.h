/* What is told of a task, field by field. */
#ifndef CLI_SHOW_H
#define CLI_SHOW_H

#include <jansson.h>

#include "cli/tasks.h"

struct cli;
struct table;

/* "name         value"; nothing if it is empty. */
void show_field(struct buf *to, const char *name, const char *value);
void show_state(struct cli *cli, struct buf *to, const char *state, const char *more);
/* Why it is as it is: what it waits for, or why it ended; and if some of its output is missing. */
void show_why(struct buf *to, const json_t *task);
void show_task(struct cli *cli, const struct tasks_name *name, const json_t *task, struct buf *to);
/* "needs        a on failure if exit_code < 3 (open)", a line each. */
void show_needs(struct buf *to, const json_t *task);

/* How many tasks from `from` on are of one group, and one row for all of them: how many are in which
   state, and why the first failed. */
size_t show_group_size(const json_t *tasks, size_t from);
void show_group(struct table *table, const json_t *tasks, size_t from, size_t count);

#endif
