/* An edit: a batch of changes to the plan of one constellation, applied whole or not at all. The shell
   has turned keys into ids and text into plans; the engine checks it against what is running, in the
   same turn as everything else. docs/editing.md has the operations as a user writes them: one of them
   may become several of these (a task with its dependencies), which share its index. */
#ifndef ORCHESTRATOR_ENGINE_EDIT_H
#define ORCHESTRATOR_ENGINE_EDIT_H

#include "common/base/err.h"
#include "orchestrator/engine/record.h"

enum {
    EDIT_OPERATIONS_MAX = 100000,
    /* What is made in one turn, which has 20 ms: so many operations as a user writes them, and so many
       tasks and dependencies that it touches (those that go with a task too). What is larger is made in
       parts: see bulk.c. */
    EDIT_TURN_OPERATIONS_MAX = 500,
    EDIT_ROWS_MAX = 2000,
    /* And so many tasks and dependencies that are looked at for a place in the order or for a double: up to
       10 ms, when they are all over memory. */
    EDIT_LOOKS_MAX = 1 << 17,
    EDIT_PROBLEMS_MAX = 100,
    EDIT_PROBLEM_TASKS_MAX = 20,
    EDIT_EXPECTS_MAX = 10000,
    EDIT_LISTED_MAX = 100,     /* of the tasks that become ready, or are skipped */
    EDIT_FORECAST_MAX = 65536, /* dependencies looked at for what follows */
    EDIT_PATH_SIZE_MAX =
        30000, /* tasks and dependencies of a plan whose longest path a turn tells */
};

enum edit_kind {
    EDIT_ADD_TASK = 1,
    EDIT_REMOVE_TASK,
    EDIT_UPDATE_TASK, /* all of it anew: what was not changed is as it was */
    EDIT_ADD_EDGE,
    EDIT_UPDATE_EDGE, /* its kind and condition */
    EDIT_REMOVE_EDGE,
    EDIT_SET,   /* what the constellation itself has: all of it anew */
    EDIT_TOUCH, /* changes nothing; a task that a new text refers to counts as touched */
};

/* A task: its id; or, of one that the batch adds, -1 - its index among edit.tasks. */
typedef int64_t edit_task;

struct edit_operation {
    enum edit_kind kind;
    uint32_t index; /* of the user's operation */
    union {
        edit_task task; /* REMOVE, TOUCH */
        struct {
            edit_task task;
            const struct plan_task *plan; /* its class_index and policy_index are not used */
            const struct plan_class *class;
            const struct plan_policy *policy;
            int64_t same_device; /* edit_task; 0 none */
            int64_t other_device;
        } write; /* ADD and UPDATE */
        struct {
            edit_task from;
            edit_task to;
            int64_t edge_id; /* UPDATE and REMOVE */
            enum edge_when when;
            bool named;
            struct plan_edge plan; /* its texts, and required */
        } edge;
        struct {
            bool fail_fast;
            int64_t deadline_ms; /* from its creation; 0 none */
            const struct plan_limit *limits;
            size_t limits_count;
            bool limits_only; /* the rest stays: of a part, since its tasks may name what is new */
        } set;
    };
};

/* What must hold of a task for the edit to be applied; 0: whatever it is. */
struct edit_expect {
    int64_t task_id;
    uint8_t state; /* enum task_state */
    uint32_t attempts;
    uint32_t index; /* of the user's expectation */
    bool no_attempt;
};

/* What an edit is when it is one part of a larger one that was checked as a whole: its tasks are named
   by their ids, those of later parts too, and only cycles are looked for again. */
struct edit_section {
    int64_t bulk_id;       /* of the whole */
    int64_t first_task_id; /* of those that this part adds */
    bool is_last;          /* with it the revision is there */
};

struct edit {
    int64_t constellation_id;
    uint32_t base_revision; /* 0: whatever the head is */
    bool exact;             /* If-Match: refused on any other head, never rebased */
    bool dry_run;
    int64_t release_hold_id; /* released with it, if it is applied; 0 none */
    const struct edit_operation *operations;
    size_t operations_count;
    size_t tasks_added;
    const struct edit_expect *expects;
    size_t expects_count;
    enum author_kind author_kind;
    struct str author;
    struct str reason;
    struct str text; /* the operations as JSON, and what takes them back: for the revision */
    struct str inverse;
    const struct edit_section *part; /* NULL: it is whole */
    /* Not NULL, of a dry run: takes for each operation that adds a dependency where its `from` stands in an
       order in which every dependency leads upwards. */
    uint64_t *orders;
};

/* Stable: docs/editing.md has them all in one table. */
enum edit_code {
    EDIT_CODE_NONE = 0,
    EDIT_CODE_CONFLICT,    /* it touches what changed since its base */
    EDIT_CODE_STALE,       /* exact, and the head is another */
    EDIT_CODE_FUTURE_BASE, /* a base that does not exist */
    EDIT_CODE_UNKNOWN_TASK,
    EDIT_CODE_UNKNOWN_EDGE,
    EDIT_CODE_DUPLICATE_EDGE,
    EDIT_CODE_TASK_STARTED, /* has an attempt in this round */
    EDIT_CODE_TASK_FINAL,
    EDIT_CODE_TARGET_STARTED, /* a dependency into what has started */
    EDIT_CODE_CYCLE,
    EDIT_CODE_HAS_DEPENDENTS, /* removed, while something that stays depends on it */
    EDIT_CODE_EXPECT_FAILED,
    EDIT_CODE_TOO_MANY_TASKS,
    EDIT_CODE_TOO_MANY_EDGES,
    EDIT_CODE_TOO_MANY_CLASSES,
    EDIT_CODE_UNKNOWN_HOLD,
    EDIT_CODE_CANCELLED, /* the constellation is being cancelled */
    EDIT_CODE_NO_TASKS,  /* nothing would be left */
    EDIT_CODE_TOO_LARGE, /* for one turn: it has to be made in parts */
    EDIT_CODE_REOPENING, /* a large retry, rerun or edit is being made */
    EDIT_CODES_END,
};
const char *edit_code_name(enum edit_code code); /* "edit_conflict", "unknown_task", … */

/* A problem of the batch as a whole has this index. */
#define EDIT_WHOLE UINT32_MAX

struct edit_problem {
    uint32_t index; /* of the user's operation, or of its expectation; or EDIT_WHOLE */
    bool in_expect;
    enum edit_code code;
    struct str detail;
    edit_task tasks[EDIT_PROBLEM_TASKS_MAX]; /* those it is about; the whole cycle, in its order */
    size_t tasks_count;                      /* may be more than are listed */
};

/* What it did; of a dry run, what it would do. */
struct edit_result {
    uint32_t revision; /* the head after it; of a refusal, the head */
    uint32_t added;
    uint32_t removed;
    uint32_t changed;
    uint32_t edges_added;
    uint32_t edges_removed;
    /* By what is known now: a condition that has to be evaluated leaves it open. */
    const edit_task *newly_ready; /* the first of them */
    size_t newly_ready_count;     /* all of them; likewise below */
    const edit_task *newly_skipped;
    size_t newly_skipped_count;
    uint32_t longest_path_before; /* tasks; dry runs only; 0: not told, the plan is too large */
    uint32_t longest_path_after;
    const struct edit_problem *problems;
    size_t problems_count;
    bool more_problems;
};

#endif
