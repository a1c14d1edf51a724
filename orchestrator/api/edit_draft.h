/* A task while a batch changes it: what it was, and what it will be. Each operation changes drafts; at
   the end their differences are what the engine is asked for. Private to edit_*.c. */
#ifndef ORCHESTRATOR_API_EDIT_DRAFT_H
#define ORCHESTRATOR_API_EDIT_DRAFT_H

#include "common/base/map.h"
#include "orchestrator/api/edit_lookup.h"
#include "orchestrator/spec/edit_batch.h"
#include "orchestrator/spec/spec_intern.h"

struct edit_draft_need {
    struct spec_need need;
    uint32_t known; /* place + 1 of the stored one that it is still the same as; 0: it is new */
    uint32_t index; /* of the operation that wrote it */
    uint32_t next;  /* of the same `from`: its place + 1; 0: none */
    bool is_gone;
};

struct edit_draft {
    struct str key;
    struct edit_known known; /* id 0: it is not there yet; its text is read when it is needed */
    struct spec_one one;     /* once its text has been read anew */
    bool has_one;
    bool is_added;
    bool is_removed;
    bool is_rewritten;
    uint32_t number;      /* of those that are added, in their order */
    uint32_t index;       /* of the operation that wrote its text, added or removed it */
    uint32_t needs_index; /* of the last that changed its needs */
    struct edit_draft_need *needs;
    size_t needs_count;
    size_t needs_capacity;
    struct strmap by_from; /* place + 1 of the last that waits for this key */
    bool has_by_from;      /* else it has not been made */
};

struct edit_budget;

struct edit_drafts {
    struct store *store;
    const struct engine *engine;
    int64_t constellation_id;
    struct arena *arena;
    struct arena scratch; /* for one operation: there may be 100,000 */
    struct edit_faults *faults;
    struct edit_top top;  /* as it was; without name, and without description unless that is set */
    struct edit_top next; /* as it will be */
    bool is_set;
    uint32_t set_index;
    struct strmap by_key; /* struct edit_draft */
    struct strmap ids;    /* of the keys that have been looked up, as numbers */
    struct edit_draft **list;
    size_t count;
    size_t capacity;
    struct condition_engine *conditions; /* NULL: none was needed yet */
    struct spec_intern classes;          /* those that are alike are the same to the engine */
    struct spec_intern policies;
    struct buf class_list; /* const struct plan_class *, by its number */
    struct buf policy_list;
    struct str *hint_keys; /* NULL: not read yet */
    size_t hint_keys_count;
    bool has_all_hint_keys;
    struct edit_budget *budget;
    enum err err; /* of the store, or ERR_LIMIT: the budget is used up. Nothing goes on */
    struct reason *reason;
};

/* What is looked up and read costs. False: there are not so many left, and that is in err. */
bool edit_drafts_spend(struct edit_drafts *drafts, size_t reads);
/* What is stored under this key, looked up once. ERR_NOT_FOUND: nothing is; else the error is in err too. */
enum err edit_drafts_id(struct edit_drafts *drafts, struct str key, int64_t *ret_id);
/* NULL: there is no such task and it is among the faults, or the store has failed. */
struct edit_draft *edit_drafts_find(struct edit_drafts *drafts, struct str key, uint32_t index,
                                    const char *place);
/* Each: what is wrong is among the faults. */
void edit_draft_add(struct edit_drafts *drafts, const struct batch_operation *operation);
void edit_draft_remove(struct edit_drafts *drafts, const struct batch_operation *operation);
void edit_draft_update(struct edit_drafts *drafts, const struct batch_operation *operation);
void edit_draft_depend(struct edit_drafts *drafts, const struct batch_operation *operation);
void edit_draft_undepend(struct edit_drafts *drafts, const struct batch_operation *operation);
void edit_draft_change_dependency(struct edit_drafts *drafts,
                                  const struct batch_operation *operation);
/* edit_set.c */
void edit_draft_set(struct edit_drafts *drafts, const struct batch_operation *operation);

/* Its text and needs as they are now, with the keys of `set` put in, are read anew. */
bool edit_draft_reread(struct edit_drafts *drafts, struct edit_draft *draft, struct str set,
                       uint32_t index, const char *place);
/* Whether its text makes dependencies of its own. */
bool edit_draft_has_references(const struct edit_drafts *drafts, const struct edit_draft *draft);
/* What was known of one that is there, with its text. False: the store has failed, or the budget is used up. */
bool edit_draft_know_text(struct edit_drafts *drafts, struct edit_draft *draft);
/* Its text is known, or has been read anew. */
struct str edit_draft_render(struct edit_drafts *drafts, const struct edit_draft *draft);

/* edit_needs.c: needs by the key of what they wait for, each to be taken once. */
struct edit_needs_map {
    struct arena *arena;
    const struct edit_draft_need *list;
    struct strmap first; /* index + 1 into `next` and the list */
    uint32_t *next;      /* index + 1 of the next with the same key; 0: none */
    bool *is_taken;
};
void edit_needs_map_init(struct edit_needs_map *map, const struct edit_draft_need *list,
                         size_t count, struct arena *arena);
/* One that waits for the same task, in the same way too if it is to be alike; NULL: none is left.
   Conditions are compared as they are shown. */
const struct edit_draft_need *edit_needs_map_take(struct edit_needs_map *map,
                                                  const struct spec_need *need, bool alike);
void edit_needs_map_done(struct edit_needs_map *map);

/* Whether there is, or will be, a task of this key. */
bool edit_drafts_have(struct edit_drafts *drafts, struct str key);
/* "/operations/INDEX/PLACE". */
struct str edit_place(struct edit_drafts *drafts, uint32_t index, const char *place);
void edit_drafts_done(struct edit_drafts *drafts);

/* edit_hint.c: adds what keys there are to a fault about one that is not. */
void edit_hint(struct edit_drafts *drafts, struct edit_fault *fault, struct str key);

#endif
