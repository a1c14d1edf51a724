/* A constellation with every kind of dependency, conditions, gates, approvals, a failure that is held and
   finally tasks; the person who acts on it, by the CLI and however often the daemon dies meanwhile; and
   the verdict: it ended as it does when nobody disturbs it. */
#ifndef TESTS_E2E_LIVING_H
#define TESTS_E2E_LIVING_H

#include "tests/e2e/fleet.h"

/* Returns its path. Its tasks leave marks (marks.h). */
const char *living_spec(struct fleet *fleet);

enum living_act {
    LIVING_APPROVES,
    LIVING_DENIES,
    LIVING_RELEASES, /* what was held by hand */
    LIVING_RETRIES,  /* what has failed, while its failure is held */
    LIVING_RERUNS,   /* when all has ended */
    LIVING_RESTS,
};

struct living {
    enum living_act act; /* the next one */
    struct process command;
};

/* The next act, if `allowed` and it is time for it; nothing while the daemon is away. A command whose
   answer was lost is given again unless the daemon shows that it was heard. */
void living_step(struct living *living, struct fleet *fleet, bool allowed);
/* All acts have been done, and it has ended for the second time. */
bool living_has_ended(const struct living *living, struct fleet *fleet);
/* Fails the test where it is not as it is undisturbed. */
void living_judge(struct fleet *fleet);

#endif
