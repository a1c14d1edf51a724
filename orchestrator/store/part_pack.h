/* One part of a large edit (engine/bulk.c) as bytes: how it waits in the database until its turn. The
   bytes are read by the program that has written them, or by a later one that knows their version. */
#ifndef ORCHESTRATOR_STORE_PART_PACK_H
#define ORCHESTRATOR_STORE_PART_PACK_H

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "orchestrator/engine/bulk_split.h"

/* bulk_id: of the whole edit. */
void part_pack(const struct edit *part, int64_t bulk_id, struct buf *into);
/* With the ids that its tasks have got. The part lives in the arena and points into the bytes. ERR_CORRUPT:
   no asterismd has written them. */
enum err part_unpack(struct str bytes, int64_t first_task_id, struct arena *arena,
                     const struct edit **ret_part);

#endif
