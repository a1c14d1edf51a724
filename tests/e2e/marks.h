/* What really ran, told by the tasks themselves: each appends a line "KEY ATTEMPT PID begin" when it
   begins and "… end" before it ends to one file, whose order is the order of what happened. A run too
   many, a run too few and one out of order are seen there whatever the database says. */
#ifndef TESTS_E2E_MARKS_H
#define TESTS_E2E_MARKS_H

#include "tests/e2e/fleet.h"

struct marks_task {
    const char *key;
    const char *role;  /* the device that runs it */
    const char *needs; /* keys with blanks between them, or "" */
    unsigned ms;       /* how long it takes */
    bool fails_once;   /* its first run fails, its second succeeds */
};

/* The constellation that is killed at, cut off, and so on: 14 tasks, 4 wide, one of them retried. */
extern const struct marks_task marks_constellation[];

/* A spec of these tasks (the last has no key), whose marks go to the file "marks" of the fleet. Each
   says "KEY." and after that what those it needs have said. Returns its path. */
const char *marks_spec(struct fleet *fleet, const struct marks_task *tasks);

struct marks_count {
    unsigned reruns;   /* begun oftener than it should */
    unsigned lost;     /* ended seldomer */
    unsigned disorder; /* begun before what it needs had ended */
};
/* Checks the file against the tasks. */
struct marks_count marks_check(struct fleet *fleet, const struct marks_task *tasks);
size_t marks_begun(struct fleet *fleet, const char *key);
size_t marks_ended(struct fleet *fleet, const char *key);

#endif
