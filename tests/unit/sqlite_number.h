/* One number of a database. */
#ifndef TESTS_UNIT_SQLITE_NUMBER_H
#define TESTS_UNIT_SQLITE_NUMBER_H

#include <sqlite3.h>
#include <stdint.h>

int64_t sqlite_number(sqlite3 *db, const char *sql); /* the first one; without a row 0 */

#endif
