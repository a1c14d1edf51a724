/* What there is, told with a refusal of what is not there. */
#ifndef ORCHESTRATOR_API_CHANGE_WORDS_H
#define ORCHESTRATOR_API_CHANGE_WORDS_H

#include "orchestrator/api/api_inner.h"

enum { CHANGE_NAMED_MAX = 10 };

/* ": did you mean "x"?", if a key of the constellation is near to one that is not there. */
enum err change_say_nearest(struct api *api, int64_t constellation_id, struct str key,
                            struct buf *words, struct reason *reason);
/* A task that is asked for and not there: says so, with the key that is near, or the first of those that there
   are. Returns ERR_NOT_FOUND, or why that cannot be read. */
enum err change_no_task(struct store *store, struct arena *arena,
                        const struct query_constellation *constellation, struct str key,
                        struct reason *reason);
/* Answers a request for a constellation that is not there: with the reason, and the id that is near. */
void change_no_constellation(struct api *api, uint64_t request, struct str id,
                             const struct reason *reason);
/* "a, b": the keys of its tasks in this state, the first few; "" if there are none. */
void change_say_tasks(struct api *api, int64_t constellation_id, enum task_state state,
                      struct buf *words);
/* "2 ready, 1 running": how many of its tasks are in what state. */
void change_say_counts(struct api *api, int64_t constellation_id, struct buf *words);

#endif
