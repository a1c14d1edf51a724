#include "agent/exec/place.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/exec/tree.h"
#include "common/base/mem.h"

enum { PLACE_NAME_BYTES = 48 };

static void name_of(char *name, uint64_t fence, const char *below)
{
    snprintf(name, PLACE_NAME_BYTES, "%" PRIu64 "%s", fence, below);
}

static const char *spool_name(enum stream stream)
{
    return stream == STREAM_STDERR ? "/stderr" : "/stdout";
}

enum err place_open(struct place *place, const char *directory, struct reason *reason)
{
    if (mkdir(directory, 0700) != 0 && errno != EEXIST) {
        return reason_set(reason, ERR_IO, "cannot make %.300s: %s", directory, strerror(errno));
    }
    char *path = realpath(directory, NULL);
    int fd = path == NULL ? -1 : open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        enum err err =
            reason_set(reason, ERR_IO, "cannot open %.300s: %s", directory, strerror(errno));
        free(path);
        return err;
    }
    *place = (struct place){ .root_fd = fd, .root = mem_format("%s/", path) };
    free(path);
    return ERR_NONE;
}

void place_close(struct place *place)
{
    if (place->root == NULL) {
        return;
    }
    while (place->spares_count > 0) {
        char name[PLACE_NAME_BYTES];
        name_of(name, place->spares[--place->spares_count], "");
        tree_remove(place->root_fd, name);
    }
    close(place->root_fd);
    mem_free(place->root);
    *place = (struct place){ .root_fd = -1 };
}

enum err place_make(struct place *place, uint64_t fence, struct reason *reason)
{
    char name[PLACE_NAME_BYTES];
    name_of(name, fence, "");
    while (place->spares_count > 0) {
        char spare[PLACE_NAME_BYTES];
        name_of(spare, place->spares[--place->spares_count], "");
        /* Refused if something stands there, unless that is empty. */
        if (renameat(place->root_fd, spare, place->root_fd, name) == 0) {
            return ERR_NONE;
        }
        tree_remove(place->root_fd, spare);
    }
    if (mkdirat(place->root_fd, name, 0700) != 0) {
        /* Somebody left it: fences are never used twice. */
        if (errno == EEXIST) {
            tree_remove(place->root_fd, name);
        }
        if (mkdirat(place->root_fd, name, 0700) != 0) {
            return reason_set(reason, ERR_IO, "cannot make a work directory: %s", strerror(errno));
        }
    }
    char work[PLACE_NAME_BYTES];
    name_of(work, fence, "/work");
    if (mkdirat(place->root_fd, work, 0700) != 0) {
        enum err err =
            reason_set(reason, ERR_IO, "cannot make a work directory: %s", strerror(errno));
        tree_remove(place->root_fd, name);
        return err;
    }
    return ERR_NONE;
}

bool place_recycle(struct place *place, uint64_t fence)
{
    char name[PLACE_NAME_BYTES];
    if (place->spares_count == PLACE_SPARES_MAX) {
        return false;
    }
    name_of(name, fence, "");
    if (!tree_holds_only(place->root_fd, name, "work")) {
        return false;
    }
    name_of(name, fence, "/work");
    if (!tree_holds_only(place->root_fd, name, NULL)) {
        return false;
    }
    place->spares[place->spares_count++] = fence;
    return true;
}

int place_create_spool(const struct place *place, uint64_t fence, enum stream stream)
{
    char name[PLACE_NAME_BYTES];
    name_of(name, fence, spool_name(stream));
    int flags = O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW | O_CLOEXEC;
    int fd = openat(place->root_fd, name, flags, 0600);
    if (fd < 0 && errno == EEXIST) {
        /* The task put something where only we write. */
        unlinkat(place->root_fd, name, 0);
        fd = openat(place->root_fd, name, flags, 0600);
    }
    return fd;
}

static int open_regular(const struct place *place, const char *name)
{
    int fd = openat(place->root_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        if (errno == ELOOP) {
            errno = ENXIO;
        }
        return -1;
    }
    struct stat status;
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        close(fd);
        errno = ENXIO;
        return -1;
    }
    return fd;
}

int place_open_spool(const struct place *place, uint64_t fence, enum stream stream)
{
    char name[PLACE_NAME_BYTES];
    name_of(name, fence, spool_name(stream));
    return open_regular(place, name);
}

int place_open_output(const struct place *place, uint64_t fence)
{
    char name[PLACE_NAME_BYTES];
    name_of(name, fence, "/output");
    return open_regular(place, name);
}

static bool is_spare(const struct place *place, uint64_t fence)
{
    for (size_t i = 0; i < place->spares_count; i++) {
        if (place->spares[i] == fence) {
            return true;
        }
    }
    return false;
}

bool place_exists(const struct place *place, uint64_t fence)
{
    char name[PLACE_NAME_BYTES];
    name_of(name, fence, "");
    struct stat status;
    return !is_spare(place, fence) &&
           fstatat(place->root_fd, name, &status, AT_SYMLINK_NOFOLLOW) == 0;
}

void place_remove(struct place *place, uint64_t fence)
{
    if (is_spare(place, fence)) {
        return;
    }
    char name[PLACE_NAME_BYTES];
    name_of(name, fence, "");
    tree_remove(place->root_fd, name);
}

void place_remove_others(struct place *place, bool (*is_kept)(void *context, uint64_t fence),
                         void *context)
{
    int fd = openat(place->root_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = fd < 0 ? NULL : fdopendir(fd);
    if (directory == NULL) {
        if (fd >= 0) {
            close(fd);
        }
        return;
    }
    struct dirent *entry;
    while ((entry = readdir(directory)) != NULL) {
        const char *name = entry->d_name;
        uint64_t fence = 0;
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
            continue;
        }
        if (str_to_uint64(str_of(name), UINT64_MAX, &fence) &&
            (is_spare(place, fence) || is_kept(context, fence))) {
            continue;
        }
        tree_remove(place->root_fd, name);
    }
    closedir(directory);
}
