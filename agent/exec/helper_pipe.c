#include "agent/exec/helper_pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "agent/exec/protocol.h"

static const int places[2] = { STDOUT_FILENO, STDERR_FILENO };

static void close_end(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
    }
    *fd = -1;
}

/* --- Pairs that are used again --- */

void lanes_init(struct lanes *lanes, const char *path)
{
    *lanes = (struct lanes){ .path = path, .directory_fd = -1 };
}

/* Whoever has one of its ends keeps it, but nobody can open it anew. */
static void lane_remove(struct lanes *lanes, struct lane *lane)
{
    for (size_t i = 0; i < 2; i++) {
        close_end(&lane->fds[i]);
        (void)unlinkat(lanes->directory_fd, lane->names[i], 0);
    }
    lane->is_there = false;
}

void lanes_done(struct lanes *lanes)
{
    for (size_t i = 0; i < LANES_MAX; i++) {
        if (lanes->all[i].is_there) {
            lane_remove(lanes, &lanes->all[i]);
        }
    }
    close_end(&lanes->directory_fd);
}

/* What is written to a FIFO gives it a new time. Where that may need room on the disk, or another machine,
   the write of a process could fail for it; these are known to need nothing. */
static bool is_fit(int directory_fd)
{
    static const long kinds[] = { EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC, F2FS_SUPER_MAGIC, TMPFS_MAGIC,
                                  OVERLAYFS_SUPER_MAGIC };
    struct statfs status;
    bool is_known = false;
    bool is_read = fstatfs(directory_fd, &status) == 0;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0] && is_read; i++) {
        is_known |= (long)status.f_type == kinds[i];
    }
    return is_known;
}

/* One that stands there already is not ours. */
static bool has_directory(struct lanes *lanes)
{
    if (lanes->directory_fd < 0 && mkdir(lanes->path, 0700) == 0) {
        lanes->directory_fd = open(lanes->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (lanes->directory_fd >= 0 && !is_fit(lanes->directory_fd)) {
            close_end(&lanes->directory_fd);
        }
    }
    return lanes->directory_fd >= 0;
}

/* Makes one more for those to come, if it can be. */
static void lane_add(struct lanes *lanes)
{
    struct lane *lane = lanes->all;
    while (lane < lanes->all + LANES_MAX && lane->is_there) {
        lane++;
    }
    if (lane == lanes->all + LANES_MAX || lanes->path == NULL) {
        return;
    }
    if (!has_directory(lanes)) {
        lanes->path = NULL; /* nor is it tried again for each process */
        return;
    }
    *lane = (struct lane){ .is_there = true, .fds = { -1, -1 } };
    for (size_t i = 0; i < 2; i++) {
        char *name = lane->names[i];
        snprintf(name, LANE_NAME_BYTES, "%" PRIu64, lanes->next_name++);
        if (mkfifoat(lanes->directory_fd, name, 0600) == 0) {
            lane->fds[i] =
                openat(lanes->directory_fd, name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
        }
        lane->bytes[i] = lane->fds[i] < 0 ? -1 : fcntl(lane->fds[i], F_GETPIPE_SZ);
    }
    if (lane->bytes[0] < 0 || lane->bytes[1] < 0) {
        lane_remove(lanes, lane);
        lanes->path = NULL;
        return;
    }
    lane->next_idle = lanes->idle;
    lanes->idle = lane;
}

/* Opened anew right at its place: the lowest that is free. Without blocking, should something else stand
   there by that name. */
static bool open_at(const struct lanes *lanes, const char *name, int place)
{
    close(place);
    int fd = openat(lanes->directory_fd, name, O_WRONLY | O_NONBLOCK | O_NOFOLLOW); /* NOLINT */
    if (fd == place && fcntl(fd, F_SETFL, 0) == 0) {
        return true;
    }
    if (fd >= 0 && fd != place) {
        close(fd);
    }
    (void)dup2(lanes->directory_fd, place); /* so that nothing else comes to stand there */
    return false;
}

/* False: somebody has done something to it, and it is gone. */
static bool lane_lend(struct lanes *lanes, struct lane *lane)
{
    for (size_t i = 0; i < 2; i++) {
        if (!open_at(lanes, lane->names[i], places[i])) {
            lane_remove(lanes, lane);
            return false;
        }
    }
    return true;
}

/* It is empty and nobody can write to it; so it is as new if it is as large. */
static void lane_give_back(struct lanes *lanes, struct lane *lane)
{
    for (size_t i = 0; i < 2; i++) {
        if (fcntl(lane->fds[i], F_GETPIPE_SZ) != lane->bytes[i]) {
            lane_remove(lanes, lane);
            return;
        }
    }
    lane->next_idle = lanes->idle;
    lanes->idle = lane;
}

/* --- The two of a process --- */

/* The writing end goes to `place`, where it is inherited. False with errno. */
static bool make_pipe(int place, int *ret_read_fd)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) != 0) {
        return false;
    }
    /* Only our end reads without blocking: the two have flags of their own, and the task's must block. */
    bool is_ready = fcntl(fds[0], F_SETFL, O_NONBLOCK) == 0 && dup2(fds[1], place) >= 0;
    int error = errno;
    close(fds[1]);
    if (!is_ready) {
        close(fds[0]);
        errno = error;
        return false;
    }
    *ret_read_fd = fds[0];
    return true;
}

bool pipes_lend(struct lanes *lanes, struct pipes *ret_pipes)
{
    while (lanes->idle != NULL) {
        struct lane *lane = lanes->idle;
        lanes->idle = lane->next_idle;
        if (lane_lend(lanes, lane)) {
            *ret_pipes = (struct pipes){ .fds = { lane->fds[0], lane->fds[1] }, .lane = lane };
            return true;
        }
    }
    *ret_pipes = (struct pipes){ .fds = { -1, -1 } };
    return make_pipe(places[0], &ret_pipes->fds[0]) && make_pipe(places[1], &ret_pipes->fds[1]);
}

/* True: at its end, where nobody holds a writing end any more, so there will never be more. */
static bool read_last(int fd, struct buf *into)
{
    size_t room = PROTOCOL_LAST_BYTES_MAX;
    while (room > 0) {
        ssize_t length = read(fd, buf_reserve(into, room), room);
        if (length == 0) {
            return true;
        }
        if (length < 0 && errno != EINTR) {
            return false;
        }
        if (length > 0) {
            into->length += (size_t)length;
            room -= (size_t)length;
        }
    }
    return false;
}

size_t pipes_read_last(struct lanes *lanes, struct pipes *pipes, struct buf *into)
{
    size_t before = into->length;
    size_t stdout_bytes = 0;
    bool is_at_end[2];
    bool was_ours = pipes->fds[0] >= 0 && pipes->fds[1] >= 0;
    for (size_t i = 0; i < 2; i++) {
        is_at_end[i] = pipes->fds[i] < 0 || read_last(pipes->fds[i], into);
        stdout_bytes = i == 0 ? into->length - before : stdout_bytes;
    }
    if (is_at_end[0] && is_at_end[1] && pipes->lane != NULL) {
        lane_give_back(lanes, pipes->lane);
        *pipes = (struct pipes){ .fds = { -1, -1 } };
        return stdout_bytes;
    }
    for (size_t i = 0; i < 2; i++) {
        int fd = is_at_end[i] ? pipes_take(lanes, pipes, i) : -1;
        close_end(&fd);
    }
    if (was_ours && is_at_end[0] && is_at_end[1] && ++lanes->wanted >= LANE_COST) {
        lanes->wanted = 0;
        lane_add(lanes);
    }
    return stdout_bytes;
}

int pipes_take(struct lanes *lanes, struct pipes *pipes, size_t index)
{
    if (pipes->lane != NULL) {
        pipes->lane->fds[0] = -1;
        pipes->lane->fds[1] = -1;
        lane_remove(lanes, pipes->lane);
        pipes->lane = NULL;
    }
    int fd = pipes->fds[index];
    pipes->fds[index] = -1;
    return fd;
}

void pipes_close(struct lanes *lanes, struct pipes *pipes)
{
    for (size_t i = 0; i < 2; i++) {
        int fd = pipes_take(lanes, pipes, i);
        close_end(&fd);
    }
}
