/* A constellation that has one of everything that a plan can have, with no number 0, given to a store
   effect by effect and to an engine record by record. */
#ifndef TESTS_UNIT_STORE_SAMPLE_H
#define TESTS_UNIT_STORE_SAMPLE_H

#include "tests/unit/store_world.h"

enum { SAMPLE_TASKS = 3, SAMPLE_EDGES = 3 };

struct sample {
    struct class_record class;
    struct policy_record policy;
    struct device_record device;
    struct constellation_record constellation;
    struct task_record tasks[SAMPLE_TASKS]; /* ids 11 …: "scan", "gate", "report" */
    struct plan_task texts[SAMPLE_TASKS];
    struct edge_record edges[SAMPLE_EDGES]; /* ids 21 …; the second has a condition */
    struct plan_edge edge_texts[SAMPLE_EDGES];
    struct attempt_record attempt; /* 77, of "scan" */
    struct limit_record limits[2];
    struct hold_record holds[2]; /* 31: by request, of two tasks; 32: of all */
    struct plan plan;
};

void sample_init(struct sample *sample);
/* In the order of an intake, up to and with the event that tells of the submission. */
void sample_submit(struct sample *sample, struct effects *effects);
/* What the engine would hold of it. The caller frees the text. */
void sample_dump(const struct sample *sample, struct buf *text);

struct effect *sample_add_task(struct effects *effects, const struct task_record *record,
                               const struct plan_task *text);
struct effect *sample_edge(struct effects *effects, enum effect_kind kind,
                           const struct edge_record *record, const struct plan_edge *text);

#endif
