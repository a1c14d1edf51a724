/* The pool of work directories: what makes one fit for another attempt, and what does not. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/exec/workdir.h"
#include "common/base/mem.h"

struct bench {
    char directory[64];
    int fd;
    struct trash trash;
    struct workdirs dirs;
};

static int open_bench(void **state)
{
    struct bench *bench = mem_alloc(sizeof *bench);
    const char *root = getenv("TMPDIR");
    snprintf(bench->directory, sizeof bench->directory, "%.40s/asterism-XXXXXX",
             root != NULL && strlen(root) <= 40 ? root : "/tmp");
    assert_non_null(mkdtemp(bench->directory));
    bench->fd = open(bench->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(trash_open(&bench->trash, bench->fd, "trash"), ERR_NONE);
    workdirs_init(&bench->dirs, bench->fd);
    *state = bench;
    return 0;
}

static int close_bench(void **state)
{
    struct bench *bench = *state;
    workdirs_done(&bench->dirs, &bench->trash);
    (void)trash_add(&bench->trash, bench->fd, "moved");
    while (trash_remove(&bench->trash, 1000)) {
    }
    trash_close(&bench->trash);
    assert_int_equal(unlinkat(bench->fd, "trash", AT_REMOVEDIR), 0);
    assert_int_equal(rmdir(bench->directory), 0);
    close(bench->fd);
    mem_free(bench);
    return 0;
}

static struct workdir *take(struct bench *bench)
{
    struct workdir *dir = workdir_take(&bench->dirs, &bench->trash);
    assert_non_null(dir);
    return dir;
}

/* One that is older than a tick of the file system's clock. */
static struct workdir *take_provable(struct bench *bench)
{
    struct workdir *dir = take(bench);
    while (!dir->is_provable) {
        assert_true(workdir_keep_if_clean(&bench->dirs, dir, false));
        dir = take(bench);
    }
    return dir;
}

static const char *path_of(const struct bench *bench, const struct workdir *dir, const char *below)
{
    static char paths[2][160];
    static unsigned at;
    char *path = paths[at++ % 2];
    snprintf(path, sizeof paths[0], "%s/%" PRIu64 "%s", bench->directory, dir->number, below);
    return path;
}

static void make_file(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
}

static void two_attempts_at_once_never_share_one(void **state)
{
    struct bench *bench = *state;
    struct workdir *dirs[20];
    for (size_t i = 0; i < 20; i++) {
        dirs[i] = take(bench);
        for (size_t j = 0; j < i; j++) {
            assert_int_not_equal(dirs[i]->number, dirs[j]->number);
        }
    }
    for (size_t i = 0; i < 20; i++) {
        assert_true(workdir_keep_if_clean(&bench->dirs, dirs[i], false));
    }
    assert_int_equal(bench->dirs.idle_count, 20);
}

static void a_name_that_is_taken_is_passed_over(void **state)
{
    struct bench *bench = *state;
    assert_int_equal(mkdirat(bench->fd, "1", 0700), 0);
    struct workdir *dir = take(bench);
    assert_int_equal(dir->number, 2);
    assert_true(workdir_remove_take(&bench->dirs, dir, &bench->trash));
    assert_int_equal(unlinkat(bench->fd, "1", AT_REMOVEDIR), 0);
}

static void what_a_link_in_its_place_leads_to_is_left_alone(void **state)
{
    struct bench *bench = *state;
    struct stat status;
    struct workdir *dir = take(bench);
    assert_int_equal(mkdirat(bench->fd, "outside", 0700), 0);
    assert_int_equal(mkdirat(bench->fd, "outside/work", 0700), 0);
    assert_int_equal(rmdir(path_of(bench, dir, "/work")), 0);
    assert_int_equal(rmdir(path_of(bench, dir, "")), 0);
    assert_int_equal(symlink("outside", path_of(bench, dir, "")), 0);
    char name[24];
    snprintf(name, sizeof name, "%" PRIu64, dir->number);
    assert_false(workdir_remove_take(&bench->dirs, dir, &bench->trash));
    assert_int_equal(fstatat(bench->fd, name, &status, AT_SYMLINK_NOFOLLOW), -1);
    assert_int_equal(unlinkat(bench->fd, "outside/work", AT_REMOVEDIR), 0);
    assert_int_equal(unlinkat(bench->fd, "outside", AT_REMOVEDIR), 0);
}

static void spoil_file(struct bench *bench, const struct workdir *dir)
{
    make_file(path_of(bench, dir, "/work/file"));
}

static void spoil_output(struct bench *bench, const struct workdir *dir)
{
    make_file(path_of(bench, dir, "/output"));
}

static void spoil_mode(struct bench *bench, const struct workdir *dir)
{
    assert_int_equal(chmod(path_of(bench, dir, "/work"), 0), 0);
}

static void spoil_outer_mode(struct bench *bench, const struct workdir *dir)
{
    assert_int_equal(chmod(path_of(bench, dir, ""), 0755), 0);
}

static void spoil_attribute(struct bench *bench, const struct workdir *dir)
{
    /* Where the file system has none, something else spoils it. */
    if (setxattr(path_of(bench, dir, "/work"), "user.spoilt", "1", 1, 0) != 0) {
        spoil_mode(bench, dir);
    }
}

static void spoil_by_another(struct bench *bench, const struct workdir *dir)
{
    assert_int_equal(rename(path_of(bench, dir, "/work"), path_of(bench, dir, "/../moved")), 0);
    assert_int_equal(mkdir(path_of(bench, dir, "/work"), 0700), 0);
}

static void spoil_by_link(struct bench *bench, const struct workdir *dir)
{
    assert_int_equal(rmdir(path_of(bench, dir, "/work")), 0);
    assert_int_equal(symlink("/", path_of(bench, dir, "/work")), 0);
}

static void spoil_by_removing(struct bench *bench, const struct workdir *dir)
{
    assert_int_equal(rmdir(path_of(bench, dir, "/work")), 0);
    assert_int_equal(rmdir(path_of(bench, dir, "")), 0);
}

static void (*const spoilers[])(struct bench *bench, const struct workdir *dir) = {
    spoil_file,      spoil_output,     spoil_mode,    spoil_outer_mode,
    spoil_attribute, spoil_by_another, spoil_by_link, spoil_by_removing,
};

/* How it is noticed. */
enum way {
    BY_HEARING,
    BY_TIME,    /* where nothing can be heard */
    BY_LOOKING, /* nor the time proves anything */
    WAYS_END,
};

/* One that something can be noticed of in this way, and in none before it. */
static struct workdir *take_for(struct bench *bench, enum way way)
{
    watches_done(&bench->dirs.watches);
    if (way == BY_HEARING) {
        watches_init(&bench->dirs.watches);
    }
    struct workdir *dir = take_provable(bench);
    assert_true(workdir_keep_if_clean(&bench->dirs, dir, false));
    assert_ptr_equal(take(bench), dir);
    if (way == BY_HEARING && bench->dirs.watches.fd >= 0) {
        assert_true(watch_is_silent(&dir->outer_watch));
        assert_true(watch_is_silent(&dir->inner_watch));
    }
    dir->is_provable = way != BY_LOOKING;
    return dir;
}

static void whatever_is_done_to_one_is_noticed(void **state)
{
    struct bench *bench = *state;
    for (size_t i = 0; i < WAYS_END * sizeof spoilers / sizeof spoilers[0]; i++) {
        struct workdir *dir = take_for(bench, i % WAYS_END);
        spoilers[i / WAYS_END](bench, dir);
        assert_false(workdir_is_untouched(&bench->dirs, dir));
        assert_false(workdir_keep_if_clean(&bench->dirs, dir, false));
        (void)workdir_remove_take(&bench->dirs, dir, &bench->trash);
        (void)trash_add(&bench->trash, bench->fd, "moved");
    }
}

/* By what an attempt has left running, or by anybody who found its name. */
static void what_is_done_to_an_idle_one_is_seen_by_no_attempt(void **state)
{
    struct bench *bench = *state;
    for (size_t i = 0; i < WAYS_END * sizeof spoilers / sizeof spoilers[0]; i++) {
        struct workdir *dir = take_for(bench, i % WAYS_END);
        uint64_t number = dir->number;
        bool is_provable = dir->is_provable;
        assert_true(workdir_keep_if_clean(&bench->dirs, dir, is_provable));
        dir->is_provable = is_provable;
        spoilers[i / WAYS_END](bench, dir);
        dir = take(bench);
        assert_int_not_equal(dir->number, number);
        assert_true(workdir_keep_if_clean(&bench->dirs, dir, false));
        (void)trash_add(&bench->trash, bench->fd, "moved");
    }
    assert_int_equal(bench->dirs.idle_count, 1);
    assert_int_equal(bench->dirs.by_number.count, 1);
}

static void one_that_is_made_ahead_is_taken_first_if_it_is_as_it_was(void **state)
{
    struct bench *bench = *state;
    assert_true(workdir_add(&bench->dirs, &bench->trash));
    assert_true(workdir_add(&bench->dirs, &bench->trash));
    assert_int_equal(bench->dirs.idle_count, 2);
    struct workdir *dir = bench->dirs.idle;
    make_file(path_of(bench, dir, "/work/file"));
    uint64_t touched = dir->number;
    dir = take(bench);
    assert_int_not_equal(dir->number, touched);
    assert_int_equal(bench->dirs.by_number.count, 1);
    assert_true(workdir_keep_if_clean(&bench->dirs, dir, false));
}

/* What is noted of it says the opposite, so it was not looked at. */
static void one_of_which_nothing_was_heard_is_not_looked_at(void **state)
{
    struct bench *bench = *state;
    struct workdir *dir = take_for(bench, BY_HEARING);
    if (bench->dirs.watches.fd < 0) {
        skip();
    }
    struct imprint outer = dir->outer;
    dir->outer.inode++;
    assert_true(workdir_is_untouched(&bench->dirs, dir));
    assert_true(workdir_keep_if_clean(&bench->dirs, dir, true));
    dir->inner.inode++;
    assert_ptr_equal(take(bench), dir);
    assert_false(
        workdir_is_untouched(&bench->dirs, dir)); /* its work is, at the end of an attempt */
    dir->outer = outer;
    dir->inner.inode--;
    assert_true(workdir_keep_if_clean(&bench->dirs, dir, true));
}

/* A directory is listened to once, however often it is used, and not when it is gone. */
static void what_is_listened_to_is_bounded(void **state)
{
    struct bench *bench = *state;
    struct workdir *dir = take_for(bench, BY_HEARING);
    if (bench->dirs.watches.fd < 0) {
        skip();
    }
    for (int i = 0; i < 100; i++) {
        make_file(path_of(bench, dir, "/work/file"));
        assert_int_equal(unlink(path_of(bench, dir, "/work/file")), 0);
        assert_true(workdir_keep_if_clean(&bench->dirs, dir, false));
        assert_int_equal(bench->dirs.watches.by_number.count, 2);
        assert_ptr_equal(take(bench), dir);
    }
    assert_true(workdir_remove_take(&bench->dirs, dir, &bench->trash));
    assert_int_equal(bench->dirs.watches.by_number.count, 0);
}

static void one_that_was_used_and_cleaned_is_kept(void **state)
{
    struct bench *bench = *state;
    struct workdir *dir = take_provable(bench);
    assert_true(workdir_is_untouched(&bench->dirs, dir));
    make_file(path_of(bench, dir, "/work/file"));
    assert_int_equal(unlink(path_of(bench, dir, "/work/file")), 0);
    assert_false(workdir_is_untouched(&bench->dirs, dir));
    assert_true(workdir_keep_if_clean(&bench->dirs, dir, false));
    assert_ptr_equal(take(bench), dir);
    assert_true(workdir_keep_if_clean(&bench->dirs, dir, false));
}

static void of_idle_ones_there_is_a_limit(void **state)
{
    struct bench *bench = *state;
    struct workdir *dirs[WORKDIR_IDLE_MAX + 1];
    for (size_t i = 0; i <= WORKDIR_IDLE_MAX; i++) {
        dirs[i] = take(bench);
    }
    for (size_t i = 0; i < WORKDIR_IDLE_MAX; i++) {
        assert_true(workdir_keep_if_clean(&bench->dirs, dirs[i], false));
    }
    assert_false(workdir_add(&bench->dirs, &bench->trash));
    assert_int_equal(errno, 0);
    assert_false(workdir_keep_if_clean(&bench->dirs, dirs[WORKDIR_IDLE_MAX], false));
    assert_true(workdir_remove_take(&bench->dirs, dirs[WORKDIR_IDLE_MAX], &bench->trash));
}

static void one_that_was_moved_away_is_told(void **state)
{
    struct bench *bench = *state;
    struct workdir *dir = take(bench);
    char moved[80];
    snprintf(moved, sizeof moved, "%s/moved", bench->directory);
    assert_int_equal(rename(path_of(bench, dir, ""), moved), 0);
    assert_false(workdir_remove_take(&bench->dirs, dir, &bench->trash));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_bench, close_bench)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(two_attempts_at_once_never_share_one),
        TEST(a_name_that_is_taken_is_passed_over),
        TEST(whatever_is_done_to_one_is_noticed),
        TEST(what_is_done_to_an_idle_one_is_seen_by_no_attempt),
        TEST(one_that_is_made_ahead_is_taken_first_if_it_is_as_it_was),
        TEST(one_of_which_nothing_was_heard_is_not_looked_at),
        TEST(what_is_listened_to_is_bounded),
        TEST(one_that_was_used_and_cleaned_is_kept),
        TEST(of_idle_ones_there_is_a_limit),
        TEST(one_that_was_moved_away_is_told),
        TEST(what_a_link_in_its_place_leads_to_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
