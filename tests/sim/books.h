/* The checker's books, shared by its two files. */
#ifndef TESTS_SIM_BOOKS_H
#define TESTS_SIM_BOOKS_H

#include "common/base/map.h"
#include "orchestrator/engine/record.h"
#include "tests/sim/plan_make.h"

struct host;

enum lost_why {
    LOST_NOT,
    LOST_GONE,      /* no agent holds it any more */
    LOST_DISPLACED, /* another journal has the device's name */
    LOST_SILENT,
    LOST_UNCONFIRMED, /* it was told to stop, and nothing was heard of that */
};

struct book_attempt {
    uint64_t fence;
    struct book_task *task;
    struct attempt_record record; /* as committed */
    int64_t assigned_ms;
    int64_t stopping_ms; /* when that was committed */
    enum lost_why lost;
    unsigned results;           /* committed */
    struct msg_finished result; /* without its words */
    bool result_is_good;        /* exited with 0, and no complaint */
    /* At the agents. */
    const struct host *target; /* whom it was sent to */
    const struct host *holder; /* whose journal or executor took it in */
    unsigned holder_boots;     /* and in which life of that machine */
    unsigned processes;        /* alive */
    unsigned starts;
    bool ended; /* by itself or as it was told, and said so */
    struct msg_finished end;
    bool spool_cut;
    bool kept;     /* its result is in the journal, and must stay there … */
    bool released; /* … until the daemon has said that it may go */
    bool said;     /* Finished went out at least once */
};

struct book_task {
    int64_t id;
    struct book_constellation *constellation;
    uint32_t index;
    struct task_record record; /* as committed */
    bool prepare_refused;
    unsigned losses;
    unsigned tries; /* attempts that ended and count */
};

struct book_constellation {
    int64_t id;
    const struct sim_plan *plan;
    struct constellation_record record; /* as committed */
    struct book_task **tasks;
    uint32_t tasks_count;
    struct book_constellation *next;
};

struct book_device {
    int64_t id;
    char name[64];
    char journal_id[64];
    uint64_t session; /* committed */
    uint32_t slots;   /* as its agent has said */
    uint32_t live;    /* attempts that are neither ended nor lost */
    uint64_t link;    /* where it was welcomed last */
    int64_t heard_ms; /* its last sign of life, or a start of the daemon */
};

struct books {
    struct map attempts;
    struct map tasks;
    struct map constellations;
    struct map devices;
    struct book_constellation *first;
    uint64_t fence_max;
    uint64_t session_max;
    int64_t jumped_ms;    /* the last jump of the daemon's wall clock; 0 none */
    int64_t restarted_ms; /* the last start of the daemon */
};

struct book_attempt *books_attempt(const struct books *books, uint64_t fence);
struct book_device *books_device_named(const struct books *books, const char *name);

#endif
