#include "tests/unit/sqlite_number.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

void sqlite_run(sqlite3 *db, const char *sql)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) {
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    }
}

int64_t sqlite_number(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    int64_t number = 0;
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    int rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW) {
        number = sqlite3_column_int64(statement, 0);
    } else {
        assert_int_equal(rc, SQLITE_DONE);
    }
    assert_int_equal(sqlite3_finalize(statement), SQLITE_OK);
    return number;
}
