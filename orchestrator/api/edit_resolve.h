/* From a batch as it is written to an edit as the engine takes it: keys become ids, the texts of tasks
   what the engine and the store hold of them, and what takes it all back is worked out. */
#ifndef ORCHESTRATOR_API_EDIT_RESOLVE_H
#define ORCHESTRATOR_API_EDIT_RESOLVE_H

#include "orchestrator/spec/edit_batch.h"
#include "orchestrator/store/store.h"

enum {
    /* What a turn takes on: each some 3 to 5 us. A task costs one, a dependency of it that is read two,
       a key that is looked up one, text one for so many bytes. */
    EDIT_READS_A_TURN = 3000,
    EDIT_BYTES_A_READ = 128,
    EDIT_BYTES_MAX =
        1024 * 1024 * 1024, /* of the arena, in the thread: what is read again counts again */
};

struct edit_budget {
    size_t reads; /* that are left */
    size_t bytes_max;
};

struct edit_resolved {
    struct edit edit;        /* what could be resolved; as a dry run if there are faults */
    const struct str *added; /* the keys of the tasks that it adds, by number */
    size_t added_count;
    bool has_description; /* the constellation gets a new one, which the engine does not know */
    struct str description;
};

/* Inside the turn, when what the turn has done so far is with the store. What is wrong with the batch is
   among the faults, nothing else is; a failure is the store's, or ERR_LIMIT: the budget, from which all
   that is looked up and read is taken, did not suffice. Everything lives in the arena. The caller says
   in `edit` who wants it, against which revision, and how. */
enum err edit_resolve(struct store *store, const struct engine *engine, int64_t constellation_id,
                      const struct batch *batch, struct edit_budget *budget, struct arena *arena,
                      struct edit_faults *faults, struct edit_resolved *ret_resolved,
                      struct reason *reason);

#endif
