/* What edits add to a constellation has ids beyond the range of its submission, among those that others
   get at that time. late_task and late_edge say where: a constellation has a row for each block of
   LATE_BLOCK ids in which there is one of its own. So most edits need not write there, as they would to
   an index. A block in which there is none any more has no row, unless it is the constellation's last:
   the next that is added is likely to stand there. */
#ifndef ORCHESTRATOR_STORE_LATE_H
#define ORCHESTRATOR_STORE_LATE_H

#include "orchestrator/store/store.h"

enum { LATE_BLOCK = 32 };

enum late_kind { LATE_TASK, LATE_EDGE };

/* For a FROM: `row` is each row of `table` that edits have added, after the id `after`; `b` its block.
   More conditions may follow. In order by b.first_id and the row's id. The pluses keep SQLite from making
   an index of the whole table for it. */
#define LATE_ROWS(blocks, table, row, after)                                                       \
    blocks " b CROSS JOIN " table " " row " ON b.first_id > " after " - 32 AND " row               \
           ".id BETWEEN max(b.first_id, " after " + 1) AND b.first_id + 31 AND +" row              \
           ".constellation_id = b.constellation_id AND +" row ".late = 1"

/* The row is there by now, and so are those of the constellation that were added before it. */
enum err late_added(struct store *store, enum late_kind kind, int64_t constellation_id, int64_t id,
                    struct reason *reason);
/* The row is about to go; it need not be a late one. */
enum err late_goes(struct store *store, enum late_kind kind, int64_t id, struct reason *reason);

#endif
