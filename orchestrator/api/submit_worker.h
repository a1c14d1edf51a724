/* The one thread that parses large bodies, so that a turn never waits for one. What it runs is pure:
   bytes to a plan and encoded bodies, or to the operations of an edit; nothing shared. */
#ifndef ORCHESTRATOR_API_SUBMIT_WORKER_H
#define ORCHESTRATOR_API_SUBMIT_WORKER_H

#include <stdbool.h>

#include "orchestrator/api/job.h"

struct submit_worker;

enum err submit_worker_new(struct api *api, struct submit_worker **ret_worker,
                           struct reason *reason);
/* Waits for the spec that is being parsed; frees the jobs that it still has. */
void submit_worker_free(struct submit_worker *worker);
/* False: it has enough to do. Otherwise it has the job from its parse() to its parsed(). */
bool submit_worker_take(struct submit_worker *worker, struct job *job);

#endif
