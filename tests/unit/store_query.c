/* See store_query.h. */
#include "tests/unit/store_query.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/sqlite_number.h"

int64_t world_query(const struct store_world *world, const char *sql)
{
    char path[128];
    sqlite3 *db = NULL;
    world_path(world, "data/asterism.db", path);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    int64_t number = sqlite_number(db, sql);
    sqlite3_close(db);
    return number;
}
