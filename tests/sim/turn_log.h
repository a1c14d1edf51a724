/* A turn of the daemon, as the checker reads it when it has been committed: in segments, each with its
   rows as they were at its end. A wish is a segment by itself, so that what it has changed can be told
   from all else. */
#ifndef TESTS_SIM_TURN_LOG_H
#define TESTS_SIM_TURN_LOG_H

#include "orchestrator/engine/effect.h"
#include "orchestrator/engine/event.h"

struct wish;

/* Of an edit that is made in parts: which step of it a segment is. */
enum bulk_step {
    BULK_STEP_NONE,
    BULK_STEP_BEGIN,
    BULK_STEP_DROP,
    BULK_STEP_ADMIT,
    BULK_STEP_PART, /* whose wish it was, the books know */
};

struct segment {
    struct wish *wish; /* NULL: agents, submissions, time */
    enum bulk_step step;
    int64_t bulk_id; /* of a part */
    struct effect *list;
    size_t count;
};

/* What the evaluator has said of a condition. */
struct evaluated {
    int64_t edge_id;
    bool opens;
    bool failed;
};

struct turn_log {
    struct segment *segments;
    size_t count;
    size_t capacity;
    size_t taken;     /* effects that are in segments */
    int64_t *refused; /* tasks whose inputs could not be filled in */
    size_t refused_count;
    size_t refused_capacity;
    struct evaluated *evaluated;
    size_t evaluated_count;
    size_t evaluated_capacity;
};

/* Ends a segment: all effects since the last one; NULL: there are none. Copies live in `arena`, until the
   turn is over. */
struct segment *turn_log_cut(struct turn_log *log, struct wish *wish, const struct effects *effects,
                             struct arena *arena);
void turn_log_refused(struct turn_log *log, int64_t task_id);
void turn_log_evaluated(struct turn_log *log, const struct event *event);
const struct evaluated *turn_log_answer(const struct turn_log *log, int64_t edge_id);
void turn_log_clear(struct turn_log *log);
void turn_log_done(struct turn_log *log);

/* The reply to the wish of a segment; NULL: there is none. */
const struct effect *segment_reply(const struct segment *segment);
bool segment_has(const struct segment *segment, enum effect_kind kind);
/* It was done; of an edit that is made in parts, this step of it. */
bool segment_is_done(const struct segment *segment);

#endif
