/* What the machine itself can do, now: the figures are judged against these. */
#ifndef TESTS_BENCH_FLOORS_H
#define TESTS_BENCH_FLOORS_H

#include <sys/types.h>

#include "tests/bench/bench.h"

/* An SQLite database in WAL mode, synchronous=FULL, as the daemon has it. */
struct floor_db;
struct floor_db *floor_db_new(struct bench *bench);
void floor_db_free(struct floor_db *db);
/* Seconds that one transaction of one update and one insert took. */
double floor_db_commit(struct floor_db *db);
/* Rows a second: `batches` transactions of 1,000 row writes, half updates in order, half inserts. */
double floor_db_rows(struct floor_db *db, size_t batches);

/* For figures that lean on row writes: this floor over that of the machine the targets were set on,
   between 0.25 and 1. */
double floor_machine_of_rows(double rows_per_s);

double floor_fdatasync(struct bench *bench, size_t count); /* median seconds */

/* A process that sends each byte of a TCP connection back. */
struct floor_trip;
struct floor_trip *floor_trip_new(void);
void floor_trip_free(struct floor_trip *trip);
double floor_trip_once(struct floor_trip *trip); /* seconds there and back */
pid_t floor_trip_echo(const struct floor_trip *trip);

/* posix_spawn and wait of /bin/true, one at a time each: starts a second of all together. */
double floor_spawn(size_t processes, size_t starts);

#endif
