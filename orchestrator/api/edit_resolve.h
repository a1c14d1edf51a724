/* From a batch as it is written to an edit as the engine takes it: keys become ids, the texts of tasks
   what the engine and the store hold of them, and what takes it all back is worked out. */
#ifndef ORCHESTRATOR_API_EDIT_RESOLVE_H
#define ORCHESTRATOR_API_EDIT_RESOLVE_H

#include "orchestrator/spec/edit_batch.h"
#include "orchestrator/store/store.h"

struct edit_resolved {
    struct edit edit;        /* what could be resolved; as a dry run if there are faults */
    const struct str *added; /* the keys of the tasks that it adds, by number */
    size_t added_count;
    bool is_too_large; /* the engine's edit_rows_max dependencies are not enough: nothing else is said */
    bool has_description; /* the constellation gets a new one, which the engine does not know */
    struct str description;
};

/* Inside the turn (or in a thread: then the engine is one that has no bounds), when what the turn has done so far is with the store. What is wrong with the batch is
   among the faults, nothing else is; a failure is the store's. Everything lives in the arena. The
   caller says in `edit` who wants it, against which revision, and how. */
enum err edit_resolve(struct store *store, const struct engine *engine, int64_t constellation_id,
                      const struct batch *batch, struct arena *arena, struct edit_faults *faults,
                      struct edit_resolved *ret_resolved, struct reason *reason);

#endif
