/* A play of the engine against the reference model: both are told the same, and after each step
   they are compared. What may happen in a step stands in a file a kind; what comes next, and from
   which seed, is said by test_living_model.c. */
#ifndef TESTS_UNIT_LIVING_PLAY_H
#define TESTS_UNIT_LIVING_PLAY_H

#include "common/base/rng.h"
#include "tests/unit/living_model.h"
#include "tests/unit/living_world.h"

enum {
    PLAY_SLOTS = 3,
    PLAY_OPERATIONS = 12,
    PLAY_POLICIES_COUNT = 6,
    PLAY_BACKOFFS_MS_MAX = 62000 /* as long as all that there may be of one task take */
};

/* What the runs have reached: a rule that is never tried is not tested. */
enum reached {
    REACHED_SUCCESS,
    REACHED_FAILURE,
    REACHED_CANCELLED,
    REACHED_CANCEL,
    REACHED_CANCEL_AGAIN,
    REACHED_FAIL_FAST,
    REACHED_HOLD,
    REACHED_PAUSE,
    REACHED_RELEASE,
    REACHED_APPROVED,
    REACHED_DENIED,
    REACHED_FAILURE_HOLD,
    REACHED_GATE,
    REACHED_SKIP,
    REACHED_FINALLY,
    REACHED_JOIN_ANY,
    REACHED_CONDITION,
    REACHED_EDIT,
    REACHED_PARTS,
    REACHED_TOO_FAR,
    REACHED_DRY_RUN,
    REACHED_REBASE,
    REACHED_INVERSE,
    REACHED_EDIT_REOPENS,
    REACHED_RETRY,
    REACHED_RERUN,
    REACHED_KEPT_SKIPPED,
    REACHED_REOPENED,
    REACHED_TASK_RUNNING,
    REACHED_NOT_FINAL,
    REACHED_NOT_FAILED,
    REACHED_TASK_SKIPPED,
    REACHED_UNKNOWN_TASK,
    REACHED_STOPPING,
    REACHED_TASK_UNKNOWN,
    REACHED_NOT_UNKNOWN,
    REACHED_RESOLVE_CANCELLED,
    REACHED_STARTED,
    REACHED_RETRIED,
    REACHED_INTERRUPTED,
    REACHED_CUT,
    REACHED_CUT_OFF,
    REACHED_UNKNOWN,
    REACHED_WOKEN,
    REACHED_NEVER_BEGAN,
    REACHED_DIED,
    REACHED_POISON,
    REACHED_ADOPTED,
    REACHED_HEARD_OF_AGAIN,
    REACHED_PROVEN,
    REACHED_RESOLVED_SUCCEEDED,
    REACHED_RESOLVED_FAILED,
    REACHED_RESOLVED_RETRY,
    REACHED_END,
};

extern const char *const play_reached_names[REACHED_END];
extern long play_reached[REACHED_END];
extern long play_refused[EDIT_CODES_END];
extern long play_instants; /* backoffs of no length */

extern const struct plan_class PLAY_CLASS;
extern const struct plan_policy PLAY_POLICIES[PLAY_POLICIES_COUNT];

struct play {
    struct rng rng;
    struct living *living;
    struct model model;
    /* The edit that is made up. */
    struct edit_operation operations[PLAY_OPERATIONS];
    struct plan_task plans[PLAY_OPERATIONS];
    struct model_policy policies[PLAY_OPERATIONS];
    struct edit_expect expect;
    struct edit edit;
    /* An edge that the last edit added: taking it back is its inverse. */
    int64_t last_edge;
    bool is_cut;
    uint32_t backed_off[MODEL_TASKS]; /* as many attempts it had when it last backed off */
};

uint64_t play_below(struct play *play, uint64_t bound);
bool play_one_in(struct play *play, uint64_t n);
struct model_policy play_policy_of(uint64_t index);
bool play_is_under_way(const struct model_task *task);
/* Any that there is; and any that is in this state, -1: none is. */
int play_any_task(struct play *play);
int play_any_in_state(struct play *play, enum task_state state);
int play_any_under_way(struct play *play);

/* After each step: both go on until nothing more happens by itself, and are compared. */
void play_go_on(struct play *play);
/* What the engine has assigned must have been free to run. */
void play_take_assignments(struct play *play);

/* --- living_play_attempt.c: how attempts begin and end, and what is lost --- */

void play_finish(struct play *play); /* or starts it first */
void play_cut(struct play *play);    /* the only device is away … */
void play_come_back(struct play *play);
void play_wait_long(struct play *play); /* for backoffs, and for a device that is away */

/* --- living_play_people.c: what people ask for --- */

void play_resolve(struct play *play);
void play_cancel(struct play *play);
void play_hold(struct play *play);
void play_release(struct play *play);
void play_reopen(struct play *play);
int play_any_hold(struct play *play); /* its number in the model, its id filled in; -1: none */

/* --- living_play_edit.c --- */

unsigned play_any_flags(struct play *play);
size_t play_any_policy(struct play *play);
void play_edit(struct play *play); /* made up, perhaps tried before, made at once or in parts */

#endif
