/* Removing trees in bounded steps, whatever stands in them. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/exec/trash.h"
#include "common/base/mem.h"
#include "tests/unit/exec_rig.h"

struct bench {
    char directory[64];
    char inside[80]; /* the trash */
    int fd;
    struct trash trash;
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
    snprintf(bench->inside, sizeof bench->inside, "%s/trash", bench->directory);
    *state = bench;
    return 0;
}

static int close_bench(void **state)
{
    struct bench *bench = *state;
    while (trash_remove(&bench->trash, 1000)) {
    }
    trash_close(&bench->trash);
    assert_int_equal(rmdir(bench->inside), 0);
    assert_int_equal(rmdir(bench->directory), 0);
    close(bench->fd);
    mem_free(bench);
    return 0;
}

static void make_file(int fd, const char *name)
{
    int file = openat(fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(file >= 0);
    close(file);
}

static int make_directory(int fd, const char *name)
{
    assert_int_equal(mkdirat(fd, name, 0700), 0);
    int made = openat(fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(made >= 0);
    return made;
}

/* All of them one file: making 20,000 would take longer than removing them. */
static void make_files(int fd, int count)
{
    make_file(fd, "0");
    for (int i = 1; i < count; i++) {
        char name[16];
        snprintf(name, sizeof name, "%d", i);
        assert_int_equal(linkat(fd, "0", fd, name, 0), 0);
    }
}

static bool is_gone(const struct bench *bench, const char *name)
{
    struct stat status;
    return fstatat(bench->fd, name, &status, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT;
}

static void twenty_thousand_files_go_a_bounded_number_at_a_time(void **state)
{
    enum { FILES = 20000, STEPS = 100 };
    struct bench *bench = *state;
    int tree = make_directory(bench->fd, "tree");
    make_files(tree, FILES);
    assert_true(trash_add(&bench->trash, bench->fd, "tree"));
    assert_true(is_gone(bench, "tree"));
    struct stat status;
    assert_int_equal(fstat(tree, &status), 0);
    assert_int_equal(status.st_nlink, 2);
    char path[128];
    snprintf(path, sizeof path, "/proc/self/fd/%d", tree);
    assert_int_equal(rig_entries(path), FILES); /* moved, and nothing else */
    unsigned turns = 1;
    assert_true(trash_remove(&bench->trash, STEPS));
    assert_in_range(rig_entries(path), FILES - STEPS, FILES - STEPS + 4);
    while (trash_remove(&bench->trash, STEPS)) {
        turns++;
    }
    assert_in_range(turns, FILES / STEPS, FILES / STEPS + 2);
    assert_int_equal(rig_entries(bench->inside), 0);
    close(tree);
}

static void what_a_kill_left_is_taken_up(void **state)
{
    struct bench *bench = *state;
    int tree = make_directory(bench->fd, "tree");
    for (int i = 0; i < 20; i++) {
        char name[16];
        snprintf(name, sizeof name, "d%d", i);
        int branch = make_directory(tree, name);
        make_files(branch, 30);
        close(branch);
    }
    close(tree);
    assert_true(trash_add(&bench->trash, bench->fd, "tree"));
    /* Wherever it is cut: between any two steps. */
    do {
        trash_close(&bench->trash);
        assert_int_equal(trash_open(&bench->trash, bench->fd, "trash"), ERR_NONE);
    } while (trash_remove(&bench->trash, 61));
    assert_int_equal(rig_entries(bench->inside), 0);
}

static void ten_thousand_levels_go(void **state)
{
    struct bench *bench = *state;
    int fd = make_directory(bench->fd, "tree");
    for (int i = 0; i < 10000; i++) {
        int deeper = make_directory(fd, "d");
        if (i % 100 == 0) {
            make_file(fd, "file");
        }
        close(fd);
        fd = deeper;
    }
    close(fd);
    assert_true(trash_add(&bench->trash, bench->fd, "tree"));
    assert_true(is_gone(bench, "tree"));
    while (trash_remove(&bench->trash, 1000)) {
    }
    assert_int_equal(rig_entries(bench->inside), 0);
}

static void a_name_that_is_taken_is_passed_over(void **state)
{
    struct bench *bench = *state;
    /* A directory that holds something, a file, an empty directory: each in the way. */
    int taken = make_directory(bench->trash.fd, "5");
    make_file(taken, "file");
    close(taken);
    make_file(bench->trash.fd, "6");
    bench->trash.next_name = 5;
    int tree = make_directory(bench->fd, "tree");
    int inner = make_directory(tree, "inner");
    make_file(inner, "file");
    close(inner);
    close(tree);
    assert_true(trash_add(&bench->trash, bench->fd, "tree"));
    assert_true(is_gone(bench, "tree"));
    char path[128];
    snprintf(path, sizeof path, "%s/7", bench->inside);
    assert_int_equal(rig_entries(path), 1);
    /* Its inner directory is moved up too, and finds its name taken. */
    taken = make_directory(bench->trash.fd, "8");
    make_file(taken, "file");
    close(taken);
    while (trash_remove(&bench->trash, 3)) {
    }
    assert_int_equal(rig_entries(bench->inside), 0);
}

static void what_is_added_while_a_pass_goes_on_goes_too(void **state)
{
    struct bench *bench = *state;
    for (int i = 0; i < 40; i++) {
        char name[16];
        snprintf(name, sizeof name, "tree%d", i);
        int tree = make_directory(bench->fd, name);
        make_files(tree, 7);
        close(tree);
        assert_true(trash_add(&bench->trash, bench->fd, name));
        trash_remove(&bench->trash, 5);
    }
    while (trash_remove(&bench->trash, 5)) {
    }
    assert_int_equal(rig_entries(bench->inside), 0);
}

static void closed_directories_are_opened_and_links_are_not_followed(void **state)
{
    struct bench *bench = *state;
    int outside = make_directory(bench->fd, "outside");
    make_file(outside, "file");
    int tree = make_directory(bench->fd, "tree");
    int closed = make_directory(tree, "closed");
    make_file(closed, "file");
    assert_int_equal(symlinkat("../../outside", closed, "link"), 0);
    assert_int_equal(mkfifoat(closed, "fifo", 0600), 0);
    assert_int_equal(fchmod(closed, 0), 0);
    close(closed);
    assert_int_equal(fchmod(tree, 0), 0);
    close(tree);
    assert_true(trash_add(&bench->trash, bench->fd, "tree"));
    assert_int_equal(symlinkat("outside", bench->fd, "link"), 0);
    assert_true(trash_add(&bench->trash, bench->fd, "link"));
    while (trash_remove(&bench->trash, 10)) {
    }
    assert_int_equal(rig_entries(bench->inside), 0);
    assert_int_equal(unlinkat(outside, "file", 0), 0);
    close(outside);
    assert_int_equal(unlinkat(bench->fd, "outside", AT_REMOVEDIR), 0);
}

enum { CANNOT = 77 };

/* In a world of mounts of its own. What is said is the exit code: 0 when all was as it should be. */
static int remove_with_a_mount(struct bench *bench)
{
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) {
        return CANNOT;
    }
    char path[128];
    snprintf(path, sizeof path, "%s/tree/mount", bench->directory);
    char outside[128];
    snprintf(outside, sizeof outside, "%s/outside", bench->directory);
    if (mount(outside, path, NULL, MS_BIND, NULL) != 0) {
        return CANNOT;
    }
    if (!trash_add(&bench->trash, bench->fd, "tree")) {
        return 1;
    }
    for (int i = 0; trash_remove(&bench->trash, 10); i++) {
        if (i > 100) {
            return 2; /* without an end */
        }
    }
    /* The tree has to stay, its file has gone, and what was mounted is untouched. */
    return rig_entries(bench->inside) == 1 && rig_entries(outside) == 1 ? 0 : 3;
}

static void what_is_mounted_is_not_entered(void **state)
{
    struct bench *bench = *state;
    int outside = make_directory(bench->fd, "outside");
    make_file(outside, "file");
    int tree = make_directory(bench->fd, "tree");
    make_file(tree, "file");
    close(make_directory(tree, "mount"));
    close(tree);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        _exit(remove_with_a_mount(bench));
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    unlinkat(outside, "file", 0);
    close(outside);
    unlinkat(bench->fd, "outside", AT_REMOVEDIR);
    bool cannot = WEXITSTATUS(status) == CANNOT;
    (void)trash_add(&bench->trash, bench->fd, "tree");
    trash_close(&bench->trash);
    assert_int_equal(trash_open(&bench->trash, bench->fd, "trash"), ERR_NONE);
    if (cannot) {
        skip(); /* no mounts for us on this machine */
    }
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void a_trash_that_a_task_removed_is_made_anew(void **state)
{
    struct bench *bench = *state;
    assert_int_equal(rmdir(bench->inside), 0);
    int tree = make_directory(bench->fd, "tree");
    make_file(tree, "file");
    close(tree);
    assert_true(trash_add(&bench->trash, bench->fd, "tree"));
    assert_int_equal(rig_entries(bench->inside), 1);
    while (trash_remove(&bench->trash, 1000)) {
    }
    assert_int_equal(rig_entries(bench->inside), 0);
}

static void what_stands_in_a_trash_that_was_moved_away_is_left_alone(void **state)
{
    struct bench *bench = *state;
    int tree = make_directory(bench->fd, "tree");
    make_files(tree, 100);
    close(tree);
    assert_true(trash_add(&bench->trash, bench->fd, "tree"));
    assert_true(trash_remove(&bench->trash, 10));
    assert_int_equal(renameat(bench->fd, "trash", bench->fd, "elsewhere"), 0);
    char elsewhere[96];
    snprintf(elsewhere, sizeof elsewhere, "%s/elsewhere", bench->directory);
    int moved = open(elsewhere, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    make_file(moved, "precious");
    close(moved);
    while (trash_remove(&bench->trash, 1000)) {
    }
    assert_int_equal(rig_entries(elsewhere), 2);
    assert_int_equal(rig_entries(bench->inside), 0);
    assert_true(trash_add(&bench->trash, bench->fd, "elsewhere"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_bench, close_bench)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(twenty_thousand_files_go_a_bounded_number_at_a_time),
        TEST(what_a_kill_left_is_taken_up),
        TEST(ten_thousand_levels_go),
        TEST(a_name_that_is_taken_is_passed_over),
        TEST(what_is_added_while_a_pass_goes_on_goes_too),
        TEST(closed_directories_are_opened_and_links_are_not_followed),
        TEST(what_is_mounted_is_not_entered),
        TEST(a_trash_that_a_task_removed_is_made_anew),
        TEST(what_stands_in_a_trash_that_was_moved_away_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
