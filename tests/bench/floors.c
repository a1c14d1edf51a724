/* The floors of the disk: an SQLite commit, SQLite rows, fdatasync. */
#include "tests/bench/floors.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <string.h>
#include <unistd.h>

#include "common/base/mem.h"

/* Rows a second on the machine that the targets were set on. */
static const double REFERENCE_ROWS_PER_S = 1500000;
/* Slower than this is a machine in trouble, and no excuse. */
static const double MACHINE_MIN = 0.25;

enum { TABLE_ROWS = 20000, BATCH_ROWS = 1000 };

struct floor_db {
    struct bench *bench;
    sqlite3 *db;
    sqlite3_stmt *begin;
    sqlite3_stmt *commit;
    sqlite3_stmt *update;
    sqlite3_stmt *insert;
    int64_t updated;
    int64_t inserted;
};

static void run(struct floor_db *self, const char *sql)
{
    if (sqlite3_exec(self->db, sql, NULL, NULL, NULL) != SQLITE_OK) {
        bench_die("floor database: %s", sqlite3_errmsg(self->db));
    }
}

static sqlite3_stmt *prepare(struct floor_db *self, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(self->db, sql, -1, &statement, NULL) != SQLITE_OK) {
        bench_die("floor database: %s", sqlite3_errmsg(self->db));
    }
    return statement;
}

static void step(struct floor_db *self, sqlite3_stmt *statement)
{
    if (sqlite3_step(statement) != SQLITE_DONE) {
        bench_die("floor database: %s", sqlite3_errmsg(self->db));
    }
    sqlite3_reset(statement);
}

static void update(struct floor_db *self)
{
    sqlite3_bind_int64(self->update, 1, self->updated++ % TABLE_ROWS + 1);
    sqlite3_bind_int64(self->update, 2, self->updated);
    step(self, self->update);
}

static void insert(struct floor_db *self)
{
    sqlite3_bind_int64(self->insert, 1, ++self->inserted);
    step(self, self->insert);
}

struct floor_db *floor_db_new(struct bench *bench)
{
    struct floor_db *self = mem_alloc(sizeof *self);
    self->bench = bench;
    char *path = mem_format("%s/floor-%u.db", bench->work_dir, bench->fleets++);
    if (sqlite3_open_v2(path, &self->db,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                        NULL) != SQLITE_OK) {
        bench_die("cannot open %s: %s", path, sqlite3_errmsg(self->db));
    }
    mem_free(path);
    run(self, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=4000;"
              "CREATE TABLE task(id INTEGER PRIMARY KEY, state INTEGER NOT NULL, fence INTEGER NOT "
              "NULL, tries INTEGER NOT NULL) STRICT;"
              "CREATE TABLE event(seq INTEGER PRIMARY KEY, kind INTEGER NOT NULL, task INTEGER NOT "
              "NULL, number INTEGER NOT NULL) STRICT");
    run(self, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) "
              "INSERT INTO task SELECT i, 1, i, 0 FROM n");
    /* A log that grows costs the file system a write of its own at each sync. One that has been full once
       is written over: that is what this machine can do, and what a daemon of some minutes has. */
    run(self, "CREATE TABLE fill(page BLOB NOT NULL);"
              "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4000) "
              "INSERT INTO fill SELECT zeroblob(4000) FROM n;"
              "PRAGMA wal_checkpoint(RESTART)");
    self->begin = prepare(self, "BEGIN IMMEDIATE");
    self->commit = prepare(self, "COMMIT");
    self->update = prepare(self, "UPDATE task SET state = 2, fence = ?2, tries = 1 WHERE id = ?1");
    self->insert = prepare(self, "INSERT INTO event VALUES(?1, 6, ?1, 0)");
    return self;
}

void floor_db_free(struct floor_db *db)
{
    sqlite3_finalize(db->begin);
    sqlite3_finalize(db->commit);
    sqlite3_finalize(db->update);
    sqlite3_finalize(db->insert);
    sqlite3_close(db->db);
    mem_free(db);
}

/* Seconds of one transaction of `rows` row writes. */
static double transact(struct floor_db *db, size_t rows)
{
    double began = now_s();
    step(db, db->begin);
    for (size_t row = 0; row < rows; row += 2) {
        update(db);
        insert(db);
    }
    step(db, db->commit);
    double took = now_s() - began;
    db->bench->floor_commits++;
    db->bench->floor_commits_long += took * 1000 > LONG_TURN_MS;
    if (took * 1000 > db->bench->longest_floor_ms) {
        db->bench->longest_floor_ms = took * 1000;
    }
    return took;
}

double floor_db_commit(struct floor_db *db)
{
    return transact(db, 2);
}

double floor_db_rows(struct floor_db *db, size_t batches)
{
    double took = 0;
    for (size_t i = 0; i < batches; i++) {
        took += transact(db, BATCH_ROWS);
    }
    return (double)(batches * BATCH_ROWS) / took;
}

double floor_machine_of_rows(double rows_per_s)
{
    double machine = rows_per_s / REFERENCE_ROWS_PER_S;
    machine = machine > 1 ? 1 : machine;
    return machine < MACHINE_MIN ? MACHINE_MIN : machine;
}

double floor_fdatasync(struct bench *bench, size_t count)
{
    char *path = mem_format("%s/floor-%u.sync", bench->work_dir, bench->fleets++);
    int fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0) {
        bench_die("cannot make %s: %s", path, strerror(errno));
    }
    mem_free(path);
    static const char page[4096] = "";
    double *times = mem_array(count, sizeof *times);
    for (size_t i = 0; i < count; i++) {
        double began = now_s();
        if (pwrite(fd, page, sizeof page, (off_t)(i * sizeof page)) != (ssize_t)sizeof page ||
            fdatasync(fd) != 0) {
            bench_die("cannot write: %s", strerror(errno));
        }
        times[i] = now_s() - began;
    }
    close(fd);
    double middle = median(times, count);
    mem_free(times);
    return middle;
}
