/* The checker of what the database tells: read-only, beside the daemon or after it. */
#ifndef TESTS_E2E_HISTORY_H
#define TESTS_E2E_HISTORY_H

#include "tests/e2e/fleet.h"

/* Checks, for all constellations in it, what must hold of any history (see the list in history.c); the
   first rule that is broken fails the test with its words and how often. */
void history_check(struct fleet *fleet);
/* The first broken rule's words, or NULL. */
const char *history_broken(struct fleet *fleet, int64_t *ret_times);
/* The one number of a query. */
int64_t history_number(struct fleet *fleet, const char *sql);

#endif
