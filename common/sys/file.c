#include "common/sys/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"

static enum err failed(struct reason *reason, const char *what, const char *path)
{
    int code = errno;
    enum err err = code == ENOENT                    ? ERR_NOT_FOUND
                   : code == EACCES || code == EPERM ? ERR_DENIED
                                                     : ERR_IO;
    return reason_set(reason, err, "cannot %s %s: %s", what, path, strerror(code));
}

static enum err read_open(int fd, const char *path, size_t bytes_max, struct buf *to,
                          struct reason *reason)
{
    size_t got = 0;
    for (;;) {
        enum { PIECE = 64 * 1024 };
        ssize_t n = read(fd, buf_reserve(to, PIECE), PIECE);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return failed(reason, "read", path);
        }
        if (n == 0) {
            return ERR_NONE;
        }
        got += (size_t)n;
        if (got > bytes_max) {
            return reason_set(reason, ERR_LIMIT, "%s is larger than %zu bytes", path, bytes_max);
        }
        to->length += (size_t)n;
    }
}

static enum err open_file(const char *path, int *ret_fd, struct stat *ret_stat,
                          struct reason *reason)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        return failed(reason, "open", path);
    }
    if (fstat(fd, ret_stat) != 0) {
        enum err err = failed(reason, "look at", path);
        close(fd);
        return err;
    }
    if (S_ISDIR(ret_stat->st_mode)) {
        close(fd);
        return reason_set(reason, ERR_INVALID, "%s is a directory", path);
    }
    *ret_fd = fd;
    return ERR_NONE;
}

enum err file_read(const char *path, size_t bytes_max, struct buf *to, struct reason *reason)
{
    int fd = -1;
    struct stat is = { 0 };
    enum err err = open_file(path, &fd, &is, reason);
    if (err != ERR_NONE) {
        return err;
    }
    size_t before = to->length;
    err = read_open(fd, path, bytes_max, to, reason);
    if (err != ERR_NONE) {
        to->length = before;
    }
    close(fd);
    return err;
}

static enum err take_secret(const struct buf *bytes, const char *path,
                            char to[FILE_SECRET_BYTES_MAX], struct reason *reason)
{
    size_t length = bytes->length;
    if (length > 0 && bytes->data[length - 1] == '\n') {
        length--;
    }
    if (length > 0 && bytes->data[length - 1] == '\r') {
        length--;
    }
    if (length == 0) {
        return reason_set(reason, ERR_INVALID, "%s is empty", path);
    }
    for (size_t i = 0; i < length; i++) {
        if (bytes->data[i] <= ' ' || bytes->data[i] > '~') {
            return reason_set(reason, ERR_INVALID,
                              "%s is not one line of printable characters without blanks", path);
        }
    }
    memcpy(to, bytes->data, length);
    to[length] = 0;
    return ERR_NONE;
}

enum err file_read_secret(const char *path, char to[FILE_SECRET_BYTES_MAX], bool *ret_exposed,
                          struct reason *reason)
{
    int fd = -1;
    struct stat is = { 0 };
    enum err err = open_file(path, &fd, &is, reason);
    if (err != ERR_NONE) {
        return err;
    }
    struct buf bytes = { 0 };
    err = read_open(fd, path, FILE_SECRET_BYTES_MAX - 1, &bytes, reason);
    close(fd);
    if (err == ERR_NONE) {
        err = take_secret(&bytes, path, to, reason);
    }
    if (err == ERR_NONE && ret_exposed != NULL) {
        *ret_exposed = (is.st_mode & (S_IRWXG | S_IRWXO)) != 0;
    }
    if (bytes.capacity > 0) {
        explicit_bzero(bytes.data, bytes.capacity);
    }
    buf_done(&bytes);
    return err;
}

enum err file_make_directories(const char *path, mode_t mode, struct reason *reason)
{
    char *copy = mem_copy_text(path);
    enum err err = ERR_NONE;
    for (char *at = copy + (*copy == '/'); err == ERR_NONE; at++) {
        char end = *at;
        if (end != '/' && end != 0) {
            continue;
        }
        *at = 0;
        if (*copy != 0 && mkdir(copy, mode) != 0 && errno != EEXIST) {
            err = failed(reason, "make the directory", copy);
        }
        *at = end;
        if (end == 0) {
            break;
        }
    }
    struct stat is;
    if (err == ERR_NONE && stat(path, &is) != 0) {
        err = failed(reason, "look at", path);
    } else if (err == ERR_NONE && !S_ISDIR(is.st_mode)) {
        err = reason_set(reason, ERR_INVALID, "%s is not a directory", path);
    }
    mem_free(copy);
    return err;
}

enum err file_write_open(int fd, struct str bytes, const char *path, struct reason *reason)
{
    size_t done = 0;
    while (done < bytes.length) {
        ssize_t n = write(fd, bytes.data + done, bytes.length - done);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return failed(reason, "write", path);
        }
        done += (size_t)n;
    }
    return ERR_NONE;
}
