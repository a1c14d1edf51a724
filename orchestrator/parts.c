/* See parts.h. */
#include "orchestrator/parts.h"

#include "orchestrator/store/part_pack.h"

enum err parts_make_one(struct store *store, struct engine *engine, struct effects *effects,
                        struct moment now, struct arena *arena, bool *ret_made,
                        struct reason *reason)
{
    struct part_wanted wanted;
    struct str bytes;
    struct event event = { .kind = EVENT_BULK_PART, .now = now };
    *ret_made = engine_wants_part(engine, &wanted);
    if (!*ret_made) {
        return ERR_NONE;
    }
    event.bulk_part.bulk_id = wanted.bulk_id;
    enum err err =
        store_read_piece(store, wanted.bulk_id, PIECE_PART, wanted.number, arena, &bytes);
    if (err == ERR_NONE) {
        err = part_unpack(bytes, wanted.first_task_id, arena, &event.bulk_part.edit);
    }
    if (err != ERR_NONE) {
        return reason_set(reason, err == ERR_NOT_FOUND ? ERR_CORRUPT : err,
                          "part %u of an edit cannot be read", (unsigned)wanted.number);
    }
    engine_step(engine, &event, effects);
    return store_apply(store, effects, reason);
}
