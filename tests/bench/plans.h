/* The constellations that are measured, as specs in JSON. */
#ifndef TESTS_BENCH_PLANS_H
#define TESTS_BENCH_PLANS_H

#include "common/base/buf.h"

/* `body` is what each task does: "\"noop\":true". */
void plan_flat(struct buf *spec, size_t tasks, const char *body);
/* Half of the tasks wait for one of the other half each, in no order; those have priorities in no
   order. What is ready runs at once, so the rows of both halves are touched at random. */
void plan_random(struct buf *spec, size_t tasks);
void plan_chain(struct buf *spec, size_t tasks);
/* Layers of `width`; a task of any but the first needs `parents` of the layer before it. */
void plan_layers(struct buf *spec, size_t tasks, size_t width, size_t parents, const char *body);
void plan_fan(struct buf *spec, size_t width); /* 1 → width → 1 */

#endif
