/* A plan on paper, as it was at an earlier revision: the tasks that have been changed since, with what
   the edits have kept to take themselves back applied to them. The others are as they are now. */
#ifndef ORCHESTRATOR_API_PAPER_H
#define ORCHESTRATOR_API_PAPER_H

#include <jansson.h>

#include "orchestrator/api/edit_lookup.h"
#include "orchestrator/store/reader.h"

enum { PAPER_REVISIONS_MAX = 10000 }; /* gone back through at a time */

struct paper {
    struct store *store;
    const struct reader *reader; /* whose snapshot the store is */
    int64_t constellation_id;
    struct edit_top now;
    uint32_t revision;    /* that it shows */
    json_t *tasks;        /* key → the task's keys, or null: there was none */
    json_t *top;          /* fail_fast, deadline, limits, description as `set` has them */
    struct arena scratch; /* of one revision or one task: there may be thousands */
};

/* At the head: no task is on it. */
enum err paper_open(struct paper *paper, const struct reader *reader, struct store *store,
                    int64_t constellation_id, struct arena *arena, struct reason *reason);
/* Back to an earlier revision, unless the snapshot's time is over. ERR_NOT_FOUND: it is too old, what led there has been dropped, or there
   was none. */
enum err paper_go_back(struct paper *paper, uint32_t revision, struct reason *reason);
/* Puts the task on the paper as it is now, unless it stands there: for one that was not changed between
   the paper's revision and the head. */
enum err paper_take(struct paper *paper, const char *key, struct reason *reason);
void paper_done(struct paper *paper);

/* What a request means by a revision: 0 is the head. ERR_NOT_FOUND. */
enum err paper_check_revision(const struct paper *paper, uint64_t revision, struct reason *reason);

#endif
