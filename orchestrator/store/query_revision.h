/* What the API reads of the edits of a constellation. As in query.h. */
#ifndef ORCHESTRATOR_STORE_QUERY_REVISION_H
#define ORCHESTRATOR_STORE_QUERY_REVISION_H

#include "orchestrator/store/query.h"

/* ERR_NOT_FOUND: there is none of this number: it is the submission (1), or retention has dropped it. */
enum err query_revision(struct store *store, int64_t constellation_id, uint32_t number,
                        struct arena *arena, struct revision_record *ret_revision,
                        struct reason *reason);

/* There is none: false. Empty: nothing would take it back, because it has changed nothing. */
enum err query_revision_is_empty(struct store *store, int64_t constellation_id, uint32_t number,
                                 bool *ret_empty, struct reason *reason);
/* Its text may be long. */
enum err query_revision_is_in_pieces(struct store *store, int64_t constellation_id, uint32_t number,
                                     bool *ret_in_pieces, struct reason *reason);

struct query_revision_list {
    uint32_t first;   /* of the range that is wanted */
    uint32_t last;    /* UINT32_MAX: the newest */
    bool with_text;   /* else operations and inverse are empty */
    size_t limit;     /* rows */
    size_t bytes_max; /* of text; the first row comes whatever it weighs; 0: no limit */
};

struct query_revisions {
    struct revision_record *list; /* newest first */
    size_t count;
    uint32_t next; /* go on with this as the last; 0: there are no more */
};

enum err query_revision_list(struct store *store, int64_t constellation_id,
                             const struct query_revision_list *wanted, struct arena *arena,
                             struct query_revisions *ret_list, struct reason *reason);

#endif
