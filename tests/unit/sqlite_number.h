/* Statements and one number of a database. */
#ifndef TESTS_UNIT_SQLITE_NUMBER_H
#define TESTS_UNIT_SQLITE_NUMBER_H

#include <sqlite3.h>
#include <stdint.h>

void sqlite_run(sqlite3 *db, const char *sql);       /* all of them, or the test fails */
int64_t sqlite_number(sqlite3 *db, const char *sql); /* the first one; without a row 0 */

#endif
