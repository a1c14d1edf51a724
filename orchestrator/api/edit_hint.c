/* What keys there are, told with one that is not: the nearest, and all of a small plan. */
#include <string.h>

#include "orchestrator/api/edit_draft.h"
#include "orchestrator/api/edit_resolve.h"
#include "orchestrator/spec/spec_nearest.h"

enum {
    HINT_KEYS_MAX = 20000, /* looked at for the nearest one */
    HINT_KEYS_A_TURN = 2000,
    HINT_LISTED_MAX = 50, /* of a plan of at most so many all are named */
    HINT_PAGE = 500,
};

static void read_keys(struct edit_drafts *drafts)
{
    const size_t max =
        drafts->budget->reads <= EDIT_READS_A_TURN ? HINT_KEYS_A_TURN : HINT_KEYS_MAX;
    size_t room = HINT_PAGE;
    struct str *keys = arena_array(drafts->arena, room, sizeof(*keys));
    int64_t ids[HINT_PAGE];
    int64_t after = 0;
    size_t count = 0;
    size_t got = HINT_PAGE;
    while (got == HINT_PAGE && count + HINT_PAGE <= max) {
        if (count + HINT_PAGE > room) { /* most plans fit into the first page */
            struct str *more = arena_array(drafts->arena, max, sizeof(*more));
            memcpy(more, keys, count * sizeof(*keys));
            keys = more;
            room = max;
        }
        enum err err =
            edit_lookup_keys(drafts->store, drafts->constellation_id, after, drafts->arena,
                             keys + count, ids, HINT_PAGE, &got, drafts->reason);
        if (err != ERR_NONE) {
            drafts->err = err;
            return;
        }
        after = got > 0 ? ids[got - 1] : after;
        count += got;
    }
    drafts->hint_keys = keys;
    drafts->hint_keys_count = count;
    drafts->has_all_hint_keys = got < HINT_PAGE;
}

void edit_hint(struct edit_drafts *drafts, struct edit_fault *fault, struct str key)
{
    if (drafts->hint_keys == NULL) {
        read_keys(drafts);
    }
    if (drafts->hint_keys == NULL) {
        return; /* the store has failed */
    }
    struct spec_nearest nearest;
    spec_nearest_init(&nearest, key);
    struct buf listed = { 0 };
    bool lists_all = drafts->has_all_hint_keys && drafts->hint_keys_count <= HINT_LISTED_MAX;
    for (size_t i = 0; i < drafts->hint_keys_count; i++) {
        struct str known = drafts->hint_keys[i];
        spec_nearest_offer(&nearest, known);
        if (lists_all) {
            buf_printf(&listed, "%s%.*s", i == 0 ? "" : ", ", STR_ARG(known));
        }
    }
    for (size_t i = 0; i < drafts->count; i++) {
        if (drafts->list[i]->is_added) {
            spec_nearest_offer(&nearest, drafts->list[i]->key);
        }
    }
    if (nearest.best.length > 0) {
        char hint[SPEC_HINT_BYTES_MAX];
        struct buf words = { 0 };
        buf_append(&words, fault->detail.data, fault->detail.length);
        buf_append_text(&words, spec_nearest_hint(&nearest, hint));
        fault->detail =
            arena_str(drafts->arena, (struct str){ (const char *)words.data, words.length });
        buf_done(&words);
    }
    fault->allowed = lists_all ? arena_str(drafts->arena,
                                           (struct str){ (const char *)listed.data, listed.length })
                               : nearest.best;
    buf_done(&listed);
}
