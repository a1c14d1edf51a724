/* One constellation as its change stream tells it: a copy to look at, rebuilt by every snapshot. */
#ifndef CLI_LIVE_H
#define CLI_LIVE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/base/map.h"
#include "common/base/str.h"

enum { LIVE_TEXT_BYTES = 32 };

struct live_task {
    char *key;
    char state[LIVE_TEXT_BYTES];
    char *device; /* "" none */
    int64_t attempt;
    int64_t since_ms; /* boot time at which this state was first seen */
    bool has_exit_code;
    int64_t exit_code;
};

struct live {
    json_t *constellation; /* the C of the contract; NULL before the first snapshot */
    int64_t told_ms;       /* boot time at which it was last told of */
    struct strmap tasks;   /* key → struct live_task */
    bool has_snapshot;
    bool was_over; /* by the first snapshot: nothing of it is news */
    bool ended;    /* the stream said so */
    /* Told of each task whose state, device or attempt is new; NULL: nobody wants to know. */
    void (*changed)(void *context, const struct live_task *task);
    void (*constellation_changed)(void *context, const char *state);
    void *context;
    uint64_t turn; /* rises with each event */
};

/* An event of the stream. now_ms is boot time. */
void live_event(struct live *live, const char *name, struct str data, int64_t now_ms);
const char *live_state(const struct live *live); /* "" before the first snapshot */
const char *live_id(const struct live *live);
int64_t live_count(const struct live *live, const char *state);
bool live_is_final(const struct live *live);
/* A state that a constellation or task does not leave. */
bool live_state_is_final(const char *state);
/* The cli_exit of a final state. */
int live_exit(const char *state);
const struct live_task *live_task(const struct live *live, const char *key);
void live_done(struct live *live);

#endif
