#include "agent/exec/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    TREE_DEPTH_MAX = 16,       /* directories open at a time; what lies deeper is moved up first */
    TREE_PASSES_MAX = 1 << 20, /* over the top directory, each of which must remove something */
};

struct removal {
    int top_fd;
    unsigned long moved; /* names what was moved up */
};

static bool is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static int open_directory(int parent_fd, const char *name)
{
    int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    struct stat status;
    int fd = openat(parent_fd, name, flags);
    if (fd >= 0 && fstat(fd, &status) == 0 && (status.st_mode & 0700) == 0700) {
        return fd;
    }
    if (fd >= 0) {
        (void)fchmod(fd, 0700);
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

static bool remove_entry(struct removal *removal, int fd, const char *name, int depth);

/* Empties the directory, as far as one pass goes. True: something went. Takes fd. */
static bool remove_content(struct removal *removal, int fd, int depth)
{
    DIR *directory = fdopendir(fd);
    if (directory == NULL) {
        close(fd);
        return false;
    }
    bool has_removed = false;
    struct dirent *entry;
    while ((entry = readdir(directory)) != NULL) {
        if (!is_dots(entry->d_name)) {
            has_removed |= remove_entry(removal, fd, entry->d_name, depth);
        }
    }
    closedir(directory);
    return has_removed;
}

static bool remove_entry(struct removal *removal, int fd, const char *name, int depth)
{
    if (unlinkat(fd, name, 0) == 0) {
        return true;
    }
    if (errno != EISDIR && errno != EPERM) {
        return false;
    }
    if (unlinkat(fd, name, AT_REMOVEDIR) == 0) {
        return true;
    }
    int child_fd = open_directory(fd, name); /* writable now, which renaming it needs too */
    if (child_fd < 0) {
        return false;
    }
    if (depth >= TREE_DEPTH_MAX) {
        char moved[32];
        snprintf(moved, sizeof moved, ".deep-%lu", removal->moved++);
        close(child_fd);
        return renameat(fd, name, removal->top_fd, moved) == 0;
    }
    bool has_removed = remove_content(removal, child_fd, depth + 1);
    return unlinkat(fd, name, AT_REMOVEDIR) == 0 || has_removed;
}

void tree_remove(int parent_fd, const char *name)
{
    if (unlinkat(parent_fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT) {
        return;
    }
    if (errno == ENOTDIR) {
        unlinkat(parent_fd, name, 0);
        return;
    }
    struct removal removal = { .top_fd = open_directory(parent_fd, name) };
    if (removal.top_fd < 0) {
        return;
    }
    for (int pass = 0; pass < TREE_PASSES_MAX; pass++) {
        int fd = openat(removal.top_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0 || !remove_content(&removal, fd, 1) ||
            unlinkat(parent_fd, name, AT_REMOVEDIR) == 0) {
            break;
        }
    }
    unlinkat(parent_fd, name, AT_REMOVEDIR);
    close(removal.top_fd);
}

/* getdents64 by hand: opendir would cost an allocation and two more system calls a task. */
struct entry_header {
    unsigned long long inode;
    long long offset;
    unsigned short bytes;
    unsigned char type;
    char name[1];
};

static bool entries_are_only(const char *data, size_t length, const char *entry)
{
    size_t at = 0;
    while (at < length) {
        unsigned short bytes;
        memcpy(&bytes, data + at + offsetof(struct entry_header, bytes), sizeof bytes);
        const char *name = data + at + offsetof(struct entry_header, name);
        if (!is_dots(name) && (entry == NULL || strcmp(name, entry) != 0)) {
            return false;
        }
        at += bytes;
    }
    return true;
}

bool tree_holds_only(int parent_fd, const char *name, const char *entry)
{
    int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    struct stat status;
    char data[2048];
    long length = -1;
    if (fstat(fd, &status) == 0 && (status.st_mode & 07777) == 0700 && status.st_uid == geteuid()) {
        length = syscall(SYS_getdents64, fd, data, sizeof data);
    }
    close(fd);
    return length >= 0 && entries_are_only(data, (size_t)length, entry);
}
