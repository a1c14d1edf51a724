/* SQLite's log (asterism.db-wal) as a file that gathers. SQLite writes each frame by two calls, its head and
   its page; here what follows on what was written before is put beside it, and goes to the system in one
   piece before the log is synced, read, cut or measured. A commit of ten frames is one write in place of
   twenty. Nothing else can see the difference: SQLite tells its other connections of a commit only when it
   has been synced, and that is what synchronous=FULL is for. */
#ifndef ORCHESTRATOR_STORE_LOG_FILE_H
#define ORCHESTRATOR_STORE_LOG_FILE_H

/* What is held at most: SQLite's unix file system takes less than 128 KiB at once. */
enum { LOG_FILE_BYTES_HELD = 64 * 1024 };

/* The name, for sqlite3_open_v2(), of SQLite's default file system with such a log. For the one that writes,
   with synchronous=FULL. Every database file but the log is the default's own. Not to be called by two
   threads at once. */
const char *log_file_vfs(void);

#endif
