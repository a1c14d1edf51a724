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

#include "agent/exec/moment.h"
#include "agent/exec/protocol.h"
#include "common/base/buf.h"
#include "common/base/check.h"
#include "common/base/mem.h"

#define TRASH_NAME "trash"

enum {
    PLACE_NAME_BYTES = 48,
    PLACE_TIDY_STEPS = 128,  /* about 3 ms: between two of them the loop does all else */
    PLACE_ROOM_STEPS = 4096, /* when nothing else can go on anyway */
    PLACE_CLOSE_MS = 1000,
    PLACE_SPARES_MS = 3,
};

/* What stands on the disk of an attempt. One of which nothing does has none. */
struct trace {
    struct workdir *workdir; /* NULL: given back, or of an earlier agent */
    bool has_spool[2];       /* stdout, stderr */
    bool is_untouched;       /* its directory, as was seen after its end */
};

static const char *const spool_endings[] = { ".stdout", ".stderr" };

static size_t spool_index(enum stream stream)
{
    return stream == STREAM_STDERR ? 1 : 0;
}

static void spool_name(char *name, uint64_t fence, size_t index)
{
    snprintf(name, PLACE_NAME_BYTES, "%" PRIu64 "%s", fence, spool_endings[index]);
}

static struct trace *trace_of(struct place *place, uint64_t fence)
{
    struct trace *trace = map_get(&place->traces, fence);
    if (trace == NULL) {
        trace = mem_alloc(sizeof *trace);
        map_put(&place->traces, fence, trace);
    }
    return trace;
}

/* --- The whole --- */

enum err place_open(struct place *place, const char *directory, struct reason *reason)
{
    if (mkdir(directory, 0700) != 0 && errno != EEXIST) {
        return reason_set(reason, ERR_IO, "cannot make %.300s: %s", directory, strerror(errno));
    }
    char *path = realpath(directory, NULL);
    int fd = path == NULL ? -1 : open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct trash trash = { .fd = -1 };
    if (fd < 0 || trash_open(&trash, fd, TRASH_NAME) != ERR_NONE) {
        enum err err =
            reason_set(reason, ERR_IO, "cannot open %.300s: %s", directory, strerror(errno));
        if (fd >= 0) {
            close(fd);
        }
        free(path);
        return err;
    }
    *place = (struct place){ .root_fd = fd, .root = mem_format("%s/", path), .trash = trash };
    /* Of a helper that was killed: the next one makes its own. */
    (void)trash_add(&place->trash, fd, PROTOCOL_PIPES_NAME);
    workdirs_init(&place->workdirs, fd);
    free(path);
    return ERR_NONE;
}

void place_close(struct place *place)
{
    if (place->root == NULL) {
        return;
    }
    workdirs_done(&place->workdirs, &place->trash);
    (void)trash_add(&place->trash, place->root_fd, PROTOCOL_PIPES_NAME);
    int64_t until_ms = moment_boot_ms() + PLACE_CLOSE_MS;
    while (trash_remove(&place->trash, PLACE_TIDY_STEPS) && moment_boot_ms() < until_ms) {
    }
    trash_close(&place->trash);
    (void)unlinkat(place->root_fd, TRASH_NAME, AT_REMOVEDIR);
    close(place->root_fd);
    size_t at = 0;
    uint64_t fence;
    void *trace;
    while (map_each(&place->traces, &at, &fence, &trace)) {
        mem_free(trace);
    }
    map_done(&place->traces);
    mem_free(place->root);
    *place = (struct place){ .root_fd = -1 };
}

bool place_is_untidy(const struct place *place)
{
    return place->has_strays || !place->trash.is_done || place->spares > 0;
}

/* Once: those that go later are made when they are asked for. Should it fail, the attempts say so. One takes
   a few hundredths of a millisecond, or a whole one where a file system finds room slowly. */
static void make_spares(struct place *place)
{
    int64_t until_ms = moment_boot_ms() + PLACE_SPARES_MS;
    do {
        if (place->workdirs.by_number.count >= place->spares ||
            !workdir_add(&place->workdirs, &place->trash)) {
            place->spares = 0;
        }
    } while (place->spares > 0 && moment_boot_ms() < until_ms);
}

void place_tidy(struct place *place)
{
    if (place->spares > 0) {
        make_spares(place);
    }
    if (place->has_strays) {
        place->has_strays = false;
        place_remove_others(place, NULL, NULL);
    }
    (void)trash_remove(&place->trash, PLACE_TIDY_STEPS);
}

bool place_make_room(struct place *place)
{
    bool had_trash = !place->trash.is_done;
    (void)trash_remove(&place->trash, PLACE_ROOM_STEPS);
    return had_trash;
}

/* --- An attempt's directory --- */

static bool is_disk_full(int error)
{
    return error == ENOSPC || error == EDQUOT;
}

enum err place_make(struct place *place, uint64_t fence, struct reason *reason)
{
    struct workdir *workdir = workdir_take(&place->workdirs, &place->trash);
    while (workdir == NULL && is_disk_full(errno) && place_make_room(place)) {
        workdir = workdir_take(&place->workdirs, &place->trash);
    }
    place->has_strays |= place->workdirs.has_lost;
    place->workdirs.has_lost = false;
    if (workdir == NULL) {
        return reason_set(reason, ERR_IO, "cannot make a work directory: %s", strerror(errno));
    }
    struct trace *trace = trace_of(place, fence);
    CHECK(trace->workdir == NULL);
    trace->workdir = workdir;
    return ERR_NONE;
}

uint64_t place_number(const struct place *place, uint64_t fence)
{
    const struct trace *trace = map_get(&place->traces, fence);
    CHECK(trace != NULL && trace->workdir != NULL);
    return trace->workdir->number;
}

static void trace_drop_if_empty(struct place *place, uint64_t fence, struct trace *trace)
{
    if (trace->workdir == NULL && !trace->has_spool[0] && !trace->has_spool[1]) {
        map_remove(&place->traces, fence);
        mem_free(trace);
    }
}

void place_leave(struct place *place, uint64_t fence, bool may_be_reused)
{
    struct trace *trace = map_get(&place->traces, fence);
    /* What put out something may have put out the name of its directory: that one is its own. */
    if (trace == NULL || trace->workdir == NULL || !may_be_reused || trace->has_spool[0] ||
        trace->has_spool[1]) {
        return;
    }
    if (workdir_keep_if_clean(&place->workdirs, trace->workdir, trace->is_untouched)) {
        trace->workdir = NULL;
        trace_drop_if_empty(place, fence, trace);
    }
}

/* --- Files --- */

int place_create_spool(struct place *place, uint64_t fence, enum stream stream)
{
    char name[PLACE_NAME_BYTES];
    spool_name(name, fence, spool_index(stream));
    int flags = O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW | O_CLOEXEC;
    int fd = openat(place->root_fd, name, flags, 0600);
    if (fd < 0 && errno == EEXIST) {
        /* A task put something where only we write. */
        (void)trash_add(&place->trash, place->root_fd, name);
        fd = openat(place->root_fd, name, flags, 0600);
    }
    while (fd < 0 && is_disk_full(errno) && place_make_room(place)) {
        fd = openat(place->root_fd, name, flags, 0600);
    }
    if (fd >= 0) {
        trace_of(place, fence)->has_spool[spool_index(stream)] = true;
    }
    return fd;
}

static int open_regular(int directory_fd, const char *name)
{
    int fd = openat(directory_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
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
    spool_name(name, fence, spool_index(stream));
    return open_regular(place->root_fd, name);
}

int place_open_output(struct place *place, uint64_t fence)
{
    struct trace *trace = map_get(&place->traces, fence);
    if (trace != NULL && trace->workdir != NULL) {
        trace->is_untouched = workdir_is_untouched(&place->workdirs, trace->workdir);
    }
    if (trace == NULL || trace->workdir == NULL || trace->is_untouched) {
        errno = ENOENT;
        return -1;
    }
    int directory_fd = workdir_open(&place->workdirs, trace->workdir);
    if (directory_fd < 0) {
        errno = errno == ENOTDIR ? ENXIO : errno;
        return -1;
    }
    int fd = open_regular(directory_fd, "output");
    int error = errno;
    close(directory_fd);
    errno = error;
    return fd;
}

bool place_exists(const struct place *place, uint64_t fence)
{
    return map_get(&place->traces, fence) != NULL;
}

/* --- Removing --- */

void place_remove(struct place *place, uint64_t fence)
{
    struct trace *trace = map_remove(&place->traces, fence);
    if (trace == NULL) {
        return;
    }
    for (size_t i = 0; i < 2; i++) {
        if (trace->has_spool[i]) {
            char name[PLACE_NAME_BYTES];
            spool_name(name, fence, i);
            (void)trash_add(&place->trash, place->root_fd, name);
        }
    }
    if (trace->workdir != NULL) {
        place->has_strays |= !workdir_remove_take(&place->workdirs, trace->workdir, &place->trash);
    }
    mem_free(trace);
}

/* FENCE.stdout or FENCE.stderr. */
static bool spool_parse(struct str name, uint64_t *ret_fence, size_t *ret_index)
{
    for (size_t i = 0; i < 2; i++) {
        struct str ending = str_of(spool_endings[i]);
        if (name.length > ending.length &&
            memcmp(name.data + name.length - ending.length, ending.data, ending.length) == 0) {
            *ret_index = i;
            return str_to_uint64((struct str){ name.data, name.length - ending.length }, UINT64_MAX,
                                 ret_fence);
        }
    }
    return false;
}

/* Of the attempts that are known. */
static void remove_known(struct place *place, bool (*is_kept)(void *context, uint64_t fence),
                         void *context)
{
    struct buf fences = { 0 };
    size_t at = 0;
    uint64_t fence;
    void *trace;
    while (map_each(&place->traces, &at, &fence, &trace)) {
        if (!is_kept(context, fence)) {
            buf_append(&fences, &fence, sizeof fence);
        }
    }
    for (at = 0; at < fences.length; at += sizeof fence) {
        memcpy(&fence, fences.data + at, sizeof fence);
        place_remove(place, fence);
    }
    buf_done(&fences);
}

void place_remove_others(struct place *place, bool (*is_kept)(void *context, uint64_t fence),
                         void *context)
{
    if (is_kept != NULL) {
        remove_known(place, is_kept, context);
    }
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
        uint64_t number = 0;
        size_t index = 0;
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strcmp(name, TRASH_NAME) == 0 ||
            strcmp(name, PROTOCOL_PIPES_NAME) == 0 ||
            (str_to_uint64(str_of(name), UINT64_MAX, &number) &&
             map_get(&place->workdirs.by_number, number) != NULL)) {
            continue;
        }
        if (spool_parse(str_of(name), &number, &index) &&
            (is_kept == NULL ? place_exists(place, number) : is_kept(context, number))) {
            trace_of(place, number)->has_spool[index] = true;
            continue;
        }
        (void)trash_add(&place->trash, place->root_fd, name);
    }
    closedir(directory);
}
