/* The tables of the database and the numbered steps that make them. The number of the last step that
   ran is the database's user_version. */
#ifndef ORCHESTRATOR_STORE_SCHEMA_H
#define ORCHESTRATOR_STORE_SCHEMA_H

#include <sqlite3.h>

#include "common/base/err.h"

/* Marks a file as ours in its header ("Astr"), so that another program's database is not migrated. */
#define SCHEMA_APPLICATION_ID 0x41737472

/* Runs the steps that this database lacks, each in a transaction of its own. ERR_VERSION: written by
   a newer program. ERR_CORRUPT: not a database of ours, or a damaged one. */
enum err schema_migrate(sqlite3 *db, struct reason *reason);
/* The same verdicts without changing anything; an older version than ours is fine. */
enum err schema_check(sqlite3 *db, struct reason *reason);

#endif
