/* The pipes of processes, as the helper lends and reads them: used again, and never by two. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/exec/helper_pipe.h"
#include "agent/exec/protocol.h"
#include "common/base/mem.h"

struct bench {
    struct lanes lanes;
    char directory[64];
    int own[2]; /* stdout and stderr of this program, whose places are lent */
    int null_fd;
    struct buf text;
};

static int set_up(void **state)
{
    struct bench *bench = mem_alloc(sizeof *bench);
    snprintf(bench->directory, sizeof bench->directory, "/tmp/asterism-XXXXXX");
    assert_non_null(mkdtemp(bench->directory));
    assert_int_equal(rmdir(bench->directory), 0);
    for (int i = 0; i < 2; i++) {
        bench->own[i] = fcntl(i + 1, F_DUPFD_CLOEXEC, 3);
        assert_true(bench->own[i] >= 0);
    }
    bench->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    assert_true(bench->null_fd > 2);
    lanes_init(&bench->lanes, bench->directory);
    *state = bench;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;
    bool was_made = bench->lanes.directory_fd >= 0;
    lanes_done(&bench->lanes);
    /* Nothing is left in it. */
    assert_int_equal(rmdir(bench->directory), was_made ? 0 : -1);
    close(bench->own[0]);
    close(bench->own[1]);
    close(bench->null_fd);
    buf_done(&bench->text);
    mem_free(bench);
    return 0;
}

/* What a process does with its stdout and stderr, right away and in this one. */
struct deeds {
    const char *out;
    const char *err;
    int held;  /* 1 or 2: a writing end that outlives the process; it becomes that descriptor */
    int bytes; /* what its stdout is to hold; 0: as it is */
};

static ino_t inode_of(int fd)
{
    struct stat status;
    assert_int_equal(fstat(fd, &status), 0);
    assert_true(S_ISFIFO(status.st_mode));
    return status.st_ino;
}

static void say(int fd, const char *text)
{
    if (text != NULL) {
        assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    }
}

/* Lends, lets the process do that and takes back. Returns which FIFO or pipe its stdout was. */
static ino_t process(struct bench *bench, struct pipes *pipes, struct deeds *deeds)
{
    fflush(NULL);
    bool is_lent = pipes_lend(&bench->lanes, pipes);
    ino_t inode = is_lent ? inode_of(STDOUT_FILENO) : 0;
    bool blocks = is_lent && (fcntl(STDOUT_FILENO, F_GETFL) & O_NONBLOCK) == 0 &&
                  (fcntl(STDERR_FILENO, F_GETFL) & O_NONBLOCK) == 0;
    bool is_inherited =
        is_lent && fcntl(STDOUT_FILENO, F_GETFD) == 0 && fcntl(STDERR_FILENO, F_GETFD) == 0;
    say(STDOUT_FILENO, deeds->out);
    say(STDERR_FILENO, deeds->err);
    if (deeds->bytes > 0) {
        fcntl(STDOUT_FILENO, F_SETPIPE_SZ, deeds->bytes);
    }
    deeds->held = deeds->held > 0 ? fcntl(deeds->held, F_DUPFD_CLOEXEC, 3) : -1;
    dup2(bench->own[0], STDOUT_FILENO);
    dup2(bench->own[1], STDERR_FILENO);
    assert_true(is_lent && blocks && is_inherited);
    return inode;
}

/* The whole of one that puts out nothing. */
static ino_t silent(struct bench *bench)
{
    struct pipes pipes;
    struct deeds none = { .out = NULL };
    ino_t inode = process(bench, &pipes, &none);
    assert_int_equal(pipes_read_last(&bench->lanes, &pipes, &bench->text), 0);
    assert_int_equal(bench->text.length, 0);
    assert_int_equal(pipes.fds[0], -1);
    assert_int_equal(pipes.fds[1], -1);
    return inode;
}

/* Until there is a pair to be used again. */
static ino_t warm_up(struct bench *bench)
{
    for (int i = 0; i < LANE_COST; i++) {
        silent(bench);
    }
    if (bench->lanes.path == NULL) {
        skip(); /* the file system of /tmp is one that is not fit for it */
    }
    assert_non_null(bench->lanes.idle);
    return silent(bench);
}

static void a_pair_that_was_left_empty_is_used_again(void **state)
{
    struct bench *bench = *state;
    ino_t inode = warm_up(bench);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(silent(bench), inode);
    }
}

static void short_last_words_are_read_and_the_pair_is_used_again(void **state)
{
    struct bench *bench = *state;
    ino_t inode = warm_up(bench);
    struct pipes pipes;
    struct deeds deeds = { .out = "said", .err = "wrong" };
    assert_int_equal(process(bench, &pipes, &deeds), inode);
    assert_int_equal(pipes_read_last(&bench->lanes, &pipes, &bench->text), 4);
    assert_int_equal(bench->text.length, 9);
    assert_memory_equal(bench->text.data, "saidwrong", 9);
    assert_int_equal(pipes.fds[0], -1);
    assert_int_equal(pipes.fds[1], -1);
    buf_clear(&bench->text);
    assert_int_equal(silent(bench), inode);
}

static void what_is_more_stays_in_the_pipe_which_is_not_used_again(void **state)
{
    struct bench *bench = *state;
    ino_t inode = warm_up(bench);
    char words[PROTOCOL_LAST_BYTES_MAX + 2];
    memset(words, 'x', sizeof words - 1);
    words[sizeof words - 1] = 0;
    struct pipes pipes;
    struct deeds deeds = { .out = words };
    assert_int_equal(process(bench, &pipes, &deeds), inode);
    assert_int_equal(pipes_read_last(&bench->lanes, &pipes, &bench->text), PROTOCOL_LAST_BYTES_MAX);
    assert_int_equal(pipes.fds[1], -1);
    int fd = pipes_take(&bench->lanes, &pipes, 0);
    assert_int_equal(read(fd, words, sizeof words), 1);
    assert_int_equal(read(fd, words, sizeof words), 0);
    close(fd);
    buf_clear(&bench->text);
    assert_int_not_equal(silent(bench), inode);
}

/* Whichever it is: who holds it could write into what is another's. */
static void what_somebody_holds_open_is_not_used_again(void **state)
{
    struct bench *bench = *state;
    for (int held = 1; held <= 2; held++) {
        ino_t inode = warm_up(bench);
        struct pipes pipes;
        struct deeds deeds = { .held = held };
        assert_int_equal(process(bench, &pipes, &deeds), inode);
        assert_int_equal(pipes_read_last(&bench->lanes, &pipes, &bench->text), 0);
        assert_true(pipes.fds[held - 1] >= 0);
        assert_int_equal(pipes.fds[2 - held], -1);
        say(deeds.held, "late");
        assert_int_not_equal(silent(bench), inode);
        assert_int_not_equal(silent(bench), inode);
        char words[8];
        assert_int_equal(read(pipes.fds[held - 1], words, sizeof words), 4);
        pipes_close(&bench->lanes, &pipes);
        close(deeds.held);
    }
}

static void what_was_handed_over_is_not_used_again(void **state)
{
    struct bench *bench = *state;
    ino_t inode = warm_up(bench);
    struct pipes pipes;
    struct deeds deeds = { .out = NULL };
    assert_int_equal(process(bench, &pipes, &deeds), inode);
    int fds[2];
    for (size_t i = 0; i < 2; i++) {
        fds[i] = pipes_take(&bench->lanes, &pipes, i);
        assert_true(fds[i] >= 0);
    }
    assert_int_not_equal(silent(bench), inode);
    close(fds[0]);
    close(fds[1]);
}

static void one_of_another_size_is_not_used_again(void **state)
{
    struct bench *bench = *state;
    ino_t inode = warm_up(bench);
    struct pipes pipes;
    struct deeds deeds = { .bytes = 4096 };
    assert_int_equal(process(bench, &pipes, &deeds), inode);
    pipes_read_last(&bench->lanes, &pipes, &bench->text);
    assert_int_not_equal(silent(bench), inode);
}

/* Plain pipes do where somebody has removed, or put something else in the place of, what we made. */
static void what_was_tampered_with_is_not_used_again(void **state)
{
    struct bench *bench = *state;
    for (int deed = 0; deed < 3; deed++) {
        ino_t inode = warm_up(bench);
        int at = bench->lanes.directory_fd;
        const char *name = bench->lanes.idle->names[deed == 2];
        assert_int_equal(unlinkat(at, name, 0), 0);
        if (deed > 0) {
            /* A FIFO that nobody reads: to open it would take for ever. */
            assert_int_equal(mkfifoat(at, name, 0600), 0);
        }
        assert_int_not_equal(silent(bench), inode);
    }
}

static void without_a_directory_plain_pipes_do(void **state)
{
    struct bench *bench = *state;
    assert_int_equal(mkdir(bench->directory, 0700), 0); /* of somebody else */
    for (int i = 0; i < 3 * LANE_COST; i++) {
        silent(bench);
    }
    assert_null(bench->lanes.idle);
    assert_int_equal(rmdir(bench->directory), 0);
}

static void of_pairs_that_are_kept_there_is_a_limit(void **state)
{
    struct bench *bench = *state;
    enum { AT_ONCE = LANES_MAX + 8 };
    static struct pipes pipes[AT_ONCE];
    struct deeds none = { .out = NULL };
    for (int round = 0; round < 2 * LANE_COST; round++) {
        for (size_t i = 0; i < AT_ONCE; i++) {
            process(bench, &pipes[i], &none);
        }
        for (size_t i = 0; i < AT_ONCE; i++) {
            pipes_read_last(&bench->lanes, &pipes[i], &bench->text);
        }
    }
    warm_up(bench);
    size_t count = 0;
    for (const struct lane *lane = bench->lanes.idle; lane != NULL; lane = lane->next_idle) {
        count++;
    }
    assert_int_equal(count, LANES_MAX);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_pair_that_was_left_empty_is_used_again),
        TEST(short_last_words_are_read_and_the_pair_is_used_again),
        TEST(what_is_more_stays_in_the_pipe_which_is_not_used_again),
        TEST(what_somebody_holds_open_is_not_used_again),
        TEST(what_was_handed_over_is_not_used_again),
        TEST(one_of_another_size_is_not_used_again),
        TEST(what_was_tampered_with_is_not_used_again),
        TEST(without_a_directory_plain_pipes_do),
        TEST(of_pairs_that_are_kept_there_is_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
