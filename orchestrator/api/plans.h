/* Plans that are being measured for a request, a slice between two turns. */
#ifndef ORCHESTRATOR_API_PLANS_H
#define ORCHESTRATOR_API_PLANS_H

#include <stddef.h>
#include <stdint.h>

enum { PLANS_MAX = 8, PLAN_FINAL_TASKS_MAX = 100000 };

struct api;
struct plan_job;

/* Zero-initialised is empty. */
struct plans {
    struct plan_job *first;
    size_t count;
};

void plans_done(struct plans *plans);
/* INT64_MIN while there is one: at once. */
int64_t plans_deadline(const struct plans *plans);
void plans_tick(struct api *api); /* a slice of one of them; the next one comes first then */
void plans_gone(struct api *api, uint64_t request);

#endif
