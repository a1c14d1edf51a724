/* Attempts: a task on a device, under a fence. Private to the engine. */
#ifndef ORCHESTRATOR_ENGINE_ATTEMPT_H
#define ORCHESTRATOR_ENGINE_ATTEMPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/heap.h"
#include "orchestrator/engine/task.h"

struct class;
struct device;
struct engine;
struct msg_finished;
struct task;

struct attempt {
    struct attempt_record record;
    struct task
        *task; /* NULL: a stray, which the daemon's books do not know but a device still runs */
    struct device *device;
    struct attempt *next; /* of the device */
    struct attempt *previous;
    struct heap_node timer;
    int64_t timer_boot_ms;
    int64_t assigned_boot_ms;
    uint32_t unstarted_bytes; /* of its body, while the agent has not said that it began */
    uint64_t mark;
    struct class *class; /* whose resources it has reserved, while it holds a slot; NULL none */
    bool holds_slot;
    bool is_stray; /* it stands in device.strays */
    bool freed;    /* in the graveyard until the turn ends */
};

struct attempt *attempt_new(struct engine *engine, struct task *task, struct device *device);
/* The attempt with this fence, if the device has it. Identity is the channel's: of a fence of another
   device nothing is known here but that this one claims it, as of one that never was. */
struct attempt *attempt_of(const struct engine *engine, const struct device *device,
                           uint64_t fence);
/* class: whose resources it still takes up; NULL: not known. */
struct attempt *attempt_new_stray(struct engine *engine, struct device *device, uint64_t fence,
                                  struct class *class);
void attempt_load(struct engine *engine, const struct attempt_record *record, struct task *task,
                  struct device *device);
/* The only writer of record.state, as task_move is for tasks. */
void attempt_move(struct engine *engine, struct attempt *attempt, enum attempt_state state);
void attempt_save(struct engine *engine, struct attempt *attempt);
void attempt_stop(struct engine *engine, struct attempt *attempt, const char *why);
void attempt_end(struct engine *engine, struct attempt *attempt,
                 const struct msg_finished *finished);
void attempt_lose(struct engine *engine, struct attempt *attempt, enum loss loss, const char *why);
/* Its task is decided without it, or goes on to another. What may still run keeps its slot. */
void attempt_abandon(struct engine *engine, struct attempt *attempt);
void attempt_adopt(struct engine *engine, struct attempt *attempt, bool running);
/* The task is no more, or has gone on to another attempt. */
void attempt_detach(struct engine *engine, struct attempt *attempt);
void attempt_free(struct engine *engine, struct attempt *attempt); /* at the end of the turn */
void attempt_timer_fired(struct engine *engine, struct attempt *attempt);
void attempt_arm(struct engine *engine, struct attempt *attempt);
bool attempt_timer_before(const struct heap_node *a, const struct heap_node *b);
/* The boot time at which a silent device's attempt is given up. */
int64_t attempt_given_up_boot_ms(const struct engine *engine, const struct attempt *attempt);

#endif
