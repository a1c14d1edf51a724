/* Looking in for what needs a person. Nothing of it is stored: it is what the engine holds, read as such.
   The words, the grouping and what only the store knows are the API's. */
#ifndef ORCHESTRATOR_ENGINE_ATTENTION_H
#define ORCHESTRATOR_ENGINE_ATTENTION_H

#include "orchestrator/engine/engine.h"

enum {
    ATTENTION_WAIT_MS = 5 * 60 * 1000,     /* without a device that fits */
    ATTENTION_EDIT_MS = 5 * 60 * 1000,     /* an edit of many operations does not go on */
    ATTENTION_CONTEST_MS = 10 * 60 * 1000, /* two machines under one name, within which */
    ATTENTION_CONTESTS = 3,                /* so many times */
};

/* The live constellations in the order of their ids: start with *id = 0. */
bool engine_next_constellation(const struct engine *engine, int64_t *id);

/* Ready tasks of one constellation that need the same. */
struct ready_view {
    int64_t constellation_id;
    const struct class_record *class;
    uint32_t count;
    int64_t task_id;       /* one of them */
    enum wait_kind wait;   /* WAIT_NO_DEVICE, WAIT_OFFLINE or WAIT_DRAINED; else WAIT_NOTHING */
    int64_t since_boot_ms; /* for how long it has been so, at the most */
    const void *at;        /* private: where the walk stands */
};
/* Start with *ret_view zeroed but for constellation_id. None while all of it is held: then that is what they
   wait for. */
bool engine_next_ready(const struct engine *engine, struct ready_view *ret_view);

/* All that the task depends on is open: only a device, or a hold, stands in its way. */
bool engine_task_is_ready(const struct engine *engine, int64_t constellation_id, int64_t task_id);

/* When the attempt of an unknown task was given up, by the wall clock; 0: not known. */
int64_t engine_unknown_since_wall_ms(const struct engine *engine, int64_t constellation_id,
                                     int64_t task_id);

/* Two machines claim the device's name, again and again: wall time of the last time; 0: no. */
int64_t engine_device_contested_wall_ms(const struct engine *engine, int64_t device_id,
                                        struct moment now);

/* For how long none of the edits of many operations that are checked or made has gone on; 0: there is none.
   They go on by themselves, within seconds: what stands still for minutes does so for a cause that nobody
   here knows of. */
int64_t engine_bulks_stand_ms(const struct engine *engine, struct moment now);

/* Whether one device after the other could run the task, and why not: start with *at = 0. False: there
   is no more device, no such task, or it needs none. */
struct device_fit {
    struct str device;
    bool fits; /* it could, when it is free */
    bool free; /* and it could now */
    char why[160];
};
bool engine_next_fit(const struct engine *engine, int64_t constellation_id, int64_t task_id,
                     size_t *at, struct device_fit *ret_fit);

/* A named limit, with what is taken of it. */
bool engine_limit(const struct engine *engine, int64_t constellation_id, uint32_t index,
                  const struct limit_record **ret_limit, uint32_t *ret_used);
/* The tasks that take more than `amount` of it, one a call; *at is 0 at first. Each call goes on where the
   last has stopped: all of them together look at every task once. */
bool engine_next_above_limit(const struct engine *engine, int64_t constellation_id, uint32_t index,
                             uint32_t amount, size_t *at, int64_t *ret_task_id);

#endif
