/* A plan on its way in, a slice a turn. Private to the engine. */
#ifndef ORCHESTRATOR_ENGINE_INTAKE_H
#define ORCHESTRATOR_ENGINE_INTAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct class;
struct constellation;
struct engine;
struct event;
struct order_build;
struct plan;
struct policy;

struct intake {
    const struct plan *plan;
    uint64_t request;
    struct class **classes;
    struct policy **policies;
    size_t classes_count; /* that are there already */
    size_t policies_count;
    size_t classes_wanted;
    size_t policies_wanted;
    int64_t first_task_id;
    char *actor;
    size_t actor_length;
    uint32_t tasks_wanted;
    uint32_t tasks_in;
    uint32_t edges_in;
    struct order_build *order; /* of a plan that is not written along its edges; last of all */
};

void intake_submit(struct engine *engine, const struct event *event);
size_t intake_work(struct engine *engine, struct constellation *constellation, size_t budget);
void intake_free(struct engine *engine, struct intake *intake);

#endif
