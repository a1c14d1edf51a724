#include "agent/exec/trash.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/exec/moment.h"

enum {
    TRASH_NAME_BYTES = 24,
    TRASH_NAMES_MAX = 1024, /* tried for one entry, should they all be taken */
};

enum removed {
    REMOVED,
    REMOVED_NOT,   /* it has to stay */
    REMOVED_LATER, /* a directory that is not empty */
};

static bool is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* With all rights on it, which moving it needs too. -1: it is another user's, or no directory. */
static int open_up(int parent_fd, const char *name)
{
    int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    struct stat status;
    int fd = openat(parent_fd, name, flags);
    if (fd >= 0) {
        if (fstat(fd, &status) == 0 && (status.st_mode & 0700) != 0700) {
            (void)fchmod(fd, 0700);
        }
        return fd;
    }
    if (errno != EACCES) {
        return -1;
    }
    /* Without the right to read it, it can only be named through /proc: chmod follows links. */
    int handle = openat(parent_fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (handle < 0) {
        return -1;
    }
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", handle);
    int changed = chmod(path, 0700);
    close(handle);
    return changed == 0 ? openat(parent_fd, name, flags) : -1;
}

static void open_place(struct trash *trash)
{
    int parent_fd = trash->parent_fd;
    const char *name = trash->place;
    if (mkdirat(parent_fd, name, 0700) != 0 && errno != EEXIST) {
        return;
    }
    trash->fd = open_up(parent_fd, name);
    if (trash->fd < 0 && errno == ENOTDIR && unlinkat(parent_fd, name, 0) == 0 &&
        mkdirat(parent_fd, name, 0700) == 0) {
        trash->fd = open_up(parent_fd, name);
    }
}

enum err trash_open(struct trash *trash, int parent_fd, const char *name)
{
    *trash = (struct trash){
        .parent_fd = parent_fd,
        .place = name,
        .fd = -1,
        .next_name = (uint64_t)moment_wall_ms() << 20, /* above what an earlier process has left */
    };
    open_place(trash);
    return trash->fd < 0 ? ERR_IO : ERR_NONE;
}

static void pass_end(struct trash *trash)
{
    if (trash->branch != NULL) {
        closedir(trash->branch);
    }
    if (trash->top != NULL) {
        closedir(trash->top);
    }
    trash->branch = NULL;
    trash->top = NULL;
}

/* A task may have removed it, or moved it to where what is put into it is not ours. */
static void settle(struct trash *trash)
{
    struct stat held;
    struct stat there;
    if (trash->fd >= 0 && fstat(trash->fd, &held) == 0 &&
        fstatat(trash->parent_fd, trash->place, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
        held.st_ino == there.st_ino && held.st_dev == there.st_dev) {
        return;
    }
    pass_end(trash);
    if (trash->fd >= 0) {
        close(trash->fd);
    }
    trash->fd = -1;
    open_place(trash);
}

void trash_close(struct trash *trash)
{
    if (trash->fd > 0) {
        pass_end(trash);
        close(trash->fd);
    }
    *trash = (struct trash){ .fd = -1 };
}

/* Of what is no directory, or an empty one. `type` is a hint, which saves a system call. */
static enum removed remove_simple(int parent_fd, const char *name, unsigned char type)
{
    if (type != DT_DIR) {
        if (unlinkat(parent_fd, name, 0) == 0 || errno == ENOENT) {
            return REMOVED;
        }
        if (errno != EISDIR && errno != EPERM) {
            return REMOVED_NOT;
        }
    }
    if (unlinkat(parent_fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT) {
        return REMOVED;
    }
    /* EBUSY is a mount: what lies behind it is not ours. */
    return errno == ENOTEMPTY || errno == EEXIST || errno == EACCES ? REMOVED_LATER : REMOVED_NOT;
}

/* A directory that is not empty becomes one of the trash itself. */
static bool move_up(struct trash *trash, int parent_fd, const char *name)
{
    bool is_open = false;
    for (int i = 0; i < TRASH_NAMES_MAX; i++) {
        char to[TRASH_NAME_BYTES];
        snprintf(to, sizeof to, "%" PRIu64, trash->next_name++);
        if (renameat(parent_fd, name, trash->fd, to) == 0) {
            trash->is_done = false;
            trash->has_removed = true; /* the pass that is under way may miss it: one more */
            return true;
        }
        if (errno == EACCES && !is_open) {
            int fd = open_up(parent_fd, name);
            if (fd < 0) {
                return false;
            }
            close(fd);
            is_open = true;
        } else if (errno != ENOTEMPTY && errno != EEXIST && errno != ENOTDIR) {
            return false;
        }
    }
    return false;
}

bool trash_add(struct trash *trash, int parent_fd, const char *name)
{
    enum removed removed = remove_simple(parent_fd, name, DT_UNKNOWN);
    if (removed == REMOVED_LATER) {
        settle(trash);
        return move_up(trash, parent_fd, name);
    }
    return removed == REMOVED;
}

/* The next entry of a directory, but for itself and its parent. NULL: there is none. */
static const struct dirent *next_entry(DIR *directory)
{
    const struct dirent *entry;
    do {
        entry = readdir(directory);
    } while (entry != NULL && is_dots(entry->d_name));
    return entry;
}

/* One entry of the directory that is being emptied, or its end. */
static void branch_step(struct trash *trash)
{
    int fd = dirfd(trash->branch);
    const struct dirent *entry = next_entry(trash->branch);
    if (entry == NULL) {
        closedir(trash->branch);
        trash->branch = NULL;
        trash->has_removed |= unlinkat(trash->fd, trash->name, AT_REMOVEDIR) == 0;
        return;
    }
    enum removed removed = remove_simple(fd, entry->d_name, entry->d_type);
    trash->has_removed |=
        removed == REMOVED || (removed == REMOVED_LATER && move_up(trash, fd, entry->d_name));
}

/* One entry of the trash, or the end of the pass. */
static void top_step(struct trash *trash)
{
    const struct dirent *entry = next_entry(trash->top);
    if (entry == NULL) {
        trash->is_done = !trash->has_removed;
        pass_end(trash);
        return;
    }
    enum removed removed = remove_simple(trash->fd, entry->d_name, entry->d_type);
    trash->has_removed |= removed == REMOVED;
    if (removed == REMOVED_LATER) {
        snprintf(trash->name, sizeof trash->name, "%s", entry->d_name);
        int fd = open_up(trash->fd, trash->name);
        trash->branch = fd < 0 ? NULL : fdopendir(fd);
        if (fd >= 0 && trash->branch == NULL) {
            close(fd);
        }
    }
}

bool trash_remove(struct trash *trash, unsigned steps)
{
    if (!trash->is_done) {
        settle(trash);
    }
    for (; steps > 0 && !trash->is_done; steps--) {
        if (trash->branch != NULL) {
            branch_step(trash);
        } else if (trash->top != NULL) {
            top_step(trash);
        } else {
            /* Opened anew: a pass may not see what was moved in while it went on. */
            int fd = openat(trash->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
            trash->top = fd < 0 ? NULL : fdopendir(fd);
            trash->has_removed = false;
            if (trash->top == NULL) {
                trash->is_done = true;
                if (fd >= 0) {
                    close(fd);
                }
            }
        }
    }
    return !trash->is_done;
}
