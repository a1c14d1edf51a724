/* The parts of large edits, from the store to the engine. Floor 4, shared with the tests of the API. */
#ifndef ORCHESTRATOR_PARTS_H
#define ORCHESTRATOR_PARTS_H

#include "orchestrator/store/store.h"

/* In the turn, before its tick: the next part, if the engine wants one, with its rows. */
enum err parts_make_one(struct store *store, struct engine *engine, struct effects *effects,
                        struct moment now, struct arena *arena, bool *ret_made,
                        struct reason *reason);

#endif
