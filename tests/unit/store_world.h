/* A store to test with: in a directory of its own, or the twin on its disk; a sample of rows; and a
   small run of the real engine over it. */
#ifndef TESTS_UNIT_STORE_WORLD_H
#define TESTS_UNIT_STORE_WORLD_H

#include "orchestrator/store/store.h"

struct store_world {
    bool is_sqlite;
    char directory[64]; /* holds data/ and what a test adds */
    char data_dir[80];
    struct store_disk *disk;
    struct store *store;
    struct store_start start;
    unsigned starts;
    bool in_turn;
    struct effects effects;
    /* The sample: one of each, which tests change before or after they are added. */
    struct constellation_record constellation;
    struct task_record task; /* "first", running as attempt 77 */
    struct attempt_record attempt;
    struct {
        uint64_t fence;
        enum stream stream;
        uint64_t offset;
    } durable[8];
    size_t durable_count;
    /* Of world_run_constellation(). */
    unsigned turns;
    unsigned finished;
};

struct store_world *world_new(bool is_sqlite);
void world_free(struct store_world *world);
/* Of a test: its state is a world on SQLite, or the twin. */
int world_set_up(void **state);
int world_set_up_memory(void **state);
int world_tear_down(void **state);

/* The same test over both implementations. */
#define WORLD_BOTH(test)                                                                           \
    { #test " [sqlite]", test, world_set_up, world_tear_down, NULL },                              \
    {                                                                                              \
#test " [memory]", test, world_set_up_memory, world_tear_down, NULL                        \
    }

void world_open(struct store_world *world);
void world_close(struct store_world *world); /* what is not committed is lost */
void world_reopen(struct store_world *world);
enum err world_try_open(struct store_world *world, struct reason *reason);

void world_path(const struct store_world *world, const char *name,
                char path[128]); /* in its directory */

void world_add_sample(struct store_world *world); /* adds the effects and applies them */
void world_apply(struct store_world *world);      /* begins the turn if there is none */
void world_commit(struct store_world *world);     /* applies what is left, commits, clears */
void world_dump(struct store_world *world, struct buf *text); /* of an engine loaded from it */

/* `bytes` more of a stream of attempt 77, from a pattern that world_expect_output() knows. */
void world_output(struct store_world *world, enum stream stream, size_t bytes);
void world_expect_output(struct store_world *world, enum stream stream, uint64_t offset,
                         uint64_t bytes);
size_t world_sync(struct store_world *world, int64_t boot_ms, bool all);
bool world_is_ahead(struct store_world *world, uint64_t epoch, const uint8_t start_id[16],
                    uint64_t fence);

/* Submits a constellation of `tasks` tasks to a real engine with one agent, some of whose attempts fail
   or put out much, and checks after every commit that an engine loaded from the store equals it. */
void world_run_constellation(struct store_world *world, uint32_t tasks);

#endif
