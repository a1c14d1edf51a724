#include "cli/stdin.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "common/base/str.h"
#include "common/sys/clock.h"

/* A terminal, /dev/null and a closed descriptor are nobody's input. */
static bool may_be_given(int fd)
{
    struct stat status;
    return fstat(fd, &status) == 0 &&
           (S_ISREG(status.st_mode) || S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode));
}

/* True: there is something to be read, or the end. until_ms is boot time, 0: for ever. */
static bool wait_for_bytes(int fd, int64_t until_ms)
{
    for (;;) {
        int64_t left = until_ms == 0 ? -1 : until_ms - clock_boot_ms();
        left = until_ms != 0 && left < 0 ? 0 : left;
        struct pollfd wait = { .fd = fd, .events = POLLIN };
        int count = poll(&wait, 1, left > INT32_MAX ? INT32_MAX : (int)left);
        if (count != 0 && !(count < 0 && errno == EINTR)) {
            return true;
        }
        if (count == 0) {
            return false;
        }
    }
}

/* A pipe that stays silent is left alone, in words: whoever started us may have forgotten it. */
static bool begins(int fd, int64_t deadline_ms)
{
    int64_t until_ms = clock_boot_ms() + STDIN_WAIT_MS;
    if (deadline_ms != 0 && deadline_ms < until_ms) {
        until_ms = deadline_ms;
    }
    if (wait_for_bytes(fd, until_ms)) {
        return true;
    }
    cli_note(
        "nothing has come on stdin, so the command gets none; --stdin waits for it, --no-stdin "
        "does not look");
    return false;
}

int stdin_read(int fd, enum stdin_mode mode, int64_t deadline_ms, struct buf *to)
{
    enum { PIECE = 64 * 1024 };
    if (mode == STDIN_NEVER ||
        (mode == STDIN_IF_GIVEN && (!may_be_given(fd) || !begins(fd, deadline_ms)))) {
        return CLI_OK;
    }
    for (;;) {
        if (!wait_for_bytes(fd, deadline_ms)) {
            return cli_fail(CLI_TIMED_OUT, "stdin has not ended in time; nothing was submitted");
        }
        ssize_t got = read(fd, buf_reserve(to, PIECE), PIECE);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return cli_fail(CLI_USAGE, "cannot read stdin: %s", strerror(errno));
        }
        to->length += (size_t)got;
        if (to->length > STDIN_BYTES_MAX) {
            return cli_fail(CLI_USAGE,
                            "stdin is larger than %d KiB, which is all that a command "
                            "gets; --no-stdin leaves it alone",
                            STDIN_BYTES_MAX / 1024);
        }
        if (got == 0) {
            break;
        }
    }
    if (!str_is_utf8((struct str){ (const char *)to->data, to->length })) {
        return cli_fail(CLI_USAGE, "stdin is not UTF-8 text, which is all that a spec can carry; "
                                   "base64 makes text of it");
    }
    return CLI_OK;
}
