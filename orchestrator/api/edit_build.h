/* From drafts to what the engine is asked for, and to what takes it back. Private to edit_*.c. */
#ifndef ORCHESTRATOR_API_EDIT_BUILD_H
#define ORCHESTRATOR_API_EDIT_BUILD_H

#include "orchestrator/api/edit_draft.h"

/* Appends struct edit_operation. */
void edit_build(struct edit_drafts *drafts, struct buf *operations, size_t *ret_added);
/* Appends a JSON array: docs/editing.md has its operations. */
void edit_invert(struct edit_drafts *drafts, struct buf *json);

/* How one dependency of a draft changes: `before` NULL, it is new; `after` NULL, it goes. */
struct edit_need_change {
    const struct edit_known_need *before;
    const struct edit_draft_need *after;
    uint32_t index;
};
/* All of them; those that stay as they are are left out. */
struct edit_need_change *edit_need_changes(struct edit_drafts *drafts, struct edit_draft *draft,
                                           size_t *ret_count);

#endif
