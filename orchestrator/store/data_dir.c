/* The data directory and its locks. */
#include "orchestrator/store/data_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "common/sys/file.h"

enum err data_dir_make(const char *data_dir, struct reason *reason)
{
    size_t length = strlen(data_dir);
    if (length == 0 || length >= PATH_MAX - 64) {
        return reason_set(reason, ERR_INVALID, "the path of the data directory is %s",
                          length == 0 ? "empty" : "too long");
    }
    return file_make_directories(data_dir, 0700, reason);
}

static enum err lock_file(const char *data_dir, const char *name, int how, int *ret_fd,
                          struct reason *reason)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", data_dir, name);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return reason_set(reason, ERR_IO, "%s cannot be opened: %s", path, strerror(errno));
    }
    if (flock(fd, how | LOCK_NB) != 0) {
        enum err err = errno == EWOULDBLOCK ? ERR_BUSY : ERR_IO;
        reason_set(reason, err, "%s cannot be locked: %s", path, strerror(errno));
        *ret_fd = fd; /* the caller reads who holds it */
        return err;
    }
    *ret_fd = fd;
    return ERR_NONE;
}

enum err data_dir_lock(const char *data_dir, int *ret_fd, struct reason *reason)
{
    int fd = -1;
    enum err err = lock_file(data_dir, "lock", LOCK_EX, &fd, reason);
    if (err == ERR_NONE) {
        char pid[32];
        int length = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());
        if (ftruncate(fd, 0) != 0 || pwrite(fd, pid, (size_t)length, 0) != length) {
            err = reason_set(reason, ERR_IO, "%s/lock cannot be written: %s", data_dir,
                             strerror(errno));
            close(fd);
            return err;
        }
        *ret_fd = fd;
        return ERR_NONE;
    }
    if (err == ERR_BUSY) {
        char pid[32] = { 0 };
        ssize_t got = pread(fd, pid, sizeof pid - 1, 0);
        pid[strspn(pid, "0123456789")] = '\0';
        reason_set(reason, err, "another asterismd (pid %s) uses %s",
                   got > 0 && pid[0] != '\0' ? pid : "unknown", data_dir);
    }
    if (fd >= 0) {
        close(fd);
    }
    return err;
}

enum err data_dir_lock_backup(const char *data_dir, bool exclusive, int *ret_fd,
                              struct reason *reason)
{
    int fd = -1;
    enum err err = lock_file(data_dir, "backup.lock", exclusive ? LOCK_EX : LOCK_SH, &fd, reason);
    if (err != ERR_NONE) {
        if (fd >= 0) {
            close(fd);
        }
        return err;
    }
    *ret_fd = fd;
    return ERR_NONE;
}

enum err data_dir_is_empty(const char *path, bool *ret_is_empty, struct reason *reason)
{
    DIR *directory = opendir(path);
    if (directory == NULL) {
        if (errno == ENOENT) {
            *ret_is_empty = true;
            return ERR_NONE;
        }
        return reason_set(reason, ERR_IO, "%s cannot be read: %s", path, strerror(errno));
    }
    bool is_empty = true;
    const struct dirent *entry;
    while (is_empty && (entry = readdir(directory)) != NULL) {
        is_empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
    }
    closedir(directory);
    *ret_is_empty = is_empty;
    return ERR_NONE;
}

enum err data_dir_sync(const char *path, struct reason *reason)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0) {
        enum err err = reason_set(reason, ERR_IO, "%s cannot be synced: %s", path, strerror(errno));
        if (fd >= 0) {
            close(fd);
        }
        return err;
    }
    close(fd);
    return ERR_NONE;
}
