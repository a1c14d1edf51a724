/* Looking into the database of a world by a connection of its own: while the store is closed, or beside it. */
#ifndef TESTS_UNIT_STORE_QUERY_H
#define TESTS_UNIT_STORE_QUERY_H

#include "tests/unit/store_world.h"

int64_t world_query(const struct store_world *world, const char *sql); /* the first number, or 0 */

#endif
