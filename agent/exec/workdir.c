#include "agent/exec/workdir.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/base/mem.h"

enum {
    FLAGS_OF_USERS = 0x000380ff | 0x40000000, /* FS_FL_USER_MODIFIABLE, and folding of case */
    TAKEN_MAX = 4096,                         /* numbers tried, should something stand there */
};

/* --- What a directory looks like --- */

/* Of `name` below fd, or of fd itself if that is "". */
static bool imprint_read(int fd, const char *name, struct imprint *ret_imprint)
{
    struct statx status;
    if (statx(fd, name, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_NO_AUTOMOUNT,
              STATX_BASIC_STATS | STATX_MNT_ID, &status) != 0) {
        return false;
    }
    *ret_imprint = (struct imprint){
        .inode = status.stx_ino,
        .device = (uint64_t)status.stx_dev_major << 32 | status.stx_dev_minor,
        .mount = (status.stx_mask & STATX_MNT_ID) != 0 ? status.stx_mnt_id : 0,
        .bytes = status.stx_size,
        .changed_s = status.stx_ctime.tv_sec,
        .changed_ns = status.stx_ctime.tv_nsec,
        .mode = status.stx_mode,
        .user = status.stx_uid,
        .group = status.stx_gid,
    };
    return true;
}

static bool is_same_directory(const struct imprint *one, const struct imprint *other)
{
    return one->inode == other->inode && one->device == other->device &&
           one->mount == other->mount && one->bytes == other->bytes && one->mode == other->mode &&
           one->user == other->user && one->group == other->group;
}

static bool is_same_moment(const struct imprint *one, const struct imprint *other)
{
    return one->changed_s == other->changed_s && one->changed_ns == other->changed_ns;
}

/* getdents64 by hand: opendir would cost an allocation and two more system calls. */
struct entry_header {
    uint64_t inode;
    int64_t offset;
    uint16_t bytes;
    uint8_t type;
    char name[1];
};

/* Nothing but `entry` (NULL: nothing at all) stands in it. */
static bool holds_only(int fd, const char *entry)
{
    char data[2048];
    long length;
    while ((length = syscall(SYS_getdents64, fd, data, sizeof data)) > 0) {
        for (size_t at = 0; at < (size_t)length;) {
            uint16_t bytes;
            memcpy(&bytes, data + at + offsetof(struct entry_header, bytes), sizeof bytes);
            const char *name = data + at + offsetof(struct entry_header, name);
            if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
                (entry == NULL || strcmp(name, entry) != 0)) {
                return false;
            }
            at += bytes;
        }
    }
    return length == 0;
}

/* Looks at the directory itself: what the time of change stands for, one by one. False: it cannot be
   read, or holds more than `entry`. */
static bool look(const struct workdirs *dirs, const char *name, const char *entry,
                 struct imprint *ret_imprint)
{
    int fd = openat(dirs->root_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    /* The time first: what is done to it meanwhile is newer. */
    bool is_empty = imprint_read(fd, "", ret_imprint) && holds_only(fd, entry);
    int flags = 0;
    ret_imprint->flags = ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0 ? flags & FLAGS_OF_USERS : 0;
    ret_imprint->attributes_bytes = flistxattr(fd, NULL, 0);
    close(fd);
    return is_empty;
}

/* As `look`, and takes the new imprint if it is as new. */
static bool is_as_new(const struct workdirs *dirs, const char *name, const char *entry,
                      struct imprint *imprint)
{
    struct imprint now;
    if (!look(dirs, name, entry, &now) || !is_same_directory(&now, imprint) ||
        now.flags != imprint->flags || now.attributes_bytes != imprint->attributes_bytes) {
        return false;
    }
    *imprint = now;
    return true;
}

/* --- The pool --- */

void workdirs_init(struct workdirs *dirs, int root_fd)
{
    static const long local_kinds[] = {
        EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC, BTRFS_SUPER_MAGIC,
        F2FS_SUPER_MAGIC, TMPFS_MAGIC,     OVERLAYFS_SUPER_MAGIC,
    };
    *dirs = (struct workdirs){ .root_fd = root_fd, .next_number = 1 };
    struct statfs status;
    bool is_known = fstatfs(root_fd, &status) == 0;
    for (size_t i = 0; i < sizeof local_kinds / sizeof local_kinds[0] && is_known; i++) {
        dirs->has_local_clock |= (long)status.f_type == local_kinds[i];
    }
    /* What another machine does there is not heard either. */
    dirs->watches.fd = -1;
    if (dirs->has_local_clock) {
        watches_init(&dirs->watches);
    }
}

static void workdir_free(struct workdirs *dirs, struct workdir *dir)
{
    map_remove(&dirs->by_number, dir->number);
    watch_unset(&dirs->watches, &dir->outer_watch);
    watch_unset(&dirs->watches, &dir->inner_watch);
    mem_free(dir);
}

int workdir_open(const struct workdirs *dirs, const struct workdir *dir)
{
    return openat(dirs->root_fd, dir->outer_name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* From the disk. An empty one, which most are, without a way round by the trash. False: something else
   stands there. */
static bool discard(struct workdirs *dirs, const struct workdir *dir, struct trash *trash)
{
    struct imprint now;
    int fd = workdir_open(dirs, dir);
    bool is_there = fd >= 0 && imprint_read(fd, "", &now) && now.inode == dir->outer.inode &&
                    imprint_read(fd, "work", &now) && now.inode == dir->inner.inode;
    if (is_there) {
        (void)unlinkat(fd, "work", AT_REMOVEDIR);
    }
    if (fd >= 0) {
        close(fd);
    }
    (void)trash_add(trash, dirs->root_fd, dir->outer_name);
    return is_there;
}

void workdirs_done(struct workdirs *dirs, struct trash *trash)
{
    while (dirs->idle != NULL) {
        struct workdir *dir = dirs->idle;
        dirs->idle = dir->next_idle;
        (void)discard(dirs, dir, trash);
        workdir_free(dirs, dir);
    }
    watches_done(&dirs->watches);
    size_t at = 0;
    uint64_t number;
    void *dir;
    while (map_each(&dirs->by_number, &at, &number, &dir)) {
        mem_free(dir);
    }
    map_done(&dirs->by_number);
    *dirs = (struct workdirs){ .root_fd = -1, .watches.fd = -1 };
}

/* NULL with errno: EEXIST if another number may do. */
static struct workdir *make(struct workdirs *dirs, struct trash *trash)
{
    struct workdir draft = { .number = dirs->next_number++ };
    snprintf(draft.outer_name, sizeof draft.outer_name, "%" PRIu64, draft.number);
    snprintf(draft.inner_name, sizeof draft.inner_name, "%" PRIu64 "/work", draft.number);
    if (mkdirat(dirs->root_fd, draft.outer_name, 0700) != 0) {
        return NULL;
    }
    if (mkdirat(dirs->root_fd, draft.inner_name, 0700) != 0 ||
        !look(dirs, draft.outer_name, "work", &draft.outer) ||
        !look(dirs, draft.inner_name, NULL, &draft.inner)) {
        int error = errno;
        (void)discard(dirs, &draft, trash);
        errno = error == EEXIST ? EIO : error;
        return NULL;
    }
    struct workdir *dir = mem_copy(&draft, sizeof draft);
    map_put(&dirs->by_number, dir->number, dir);
    return dir;
}

static bool is_past(const struct imprint *imprint, const struct timespec *now)
{
    return imprint->changed_s < now->tv_sec ||
           (imprint->changed_s == now->tv_sec && (long)imprint->changed_ns < now->tv_nsec);
}

static bool still_holds(const struct workdirs *dirs, const char *name,
                        const struct imprint *imprint)
{
    struct imprint now;
    return imprint_read(dirs->root_fd, name, &now) && is_same_directory(&now, imprint) &&
           is_same_moment(&now, imprint);
}

/* By its time of change alone. */
static bool both_hold(const struct workdirs *dirs, const struct workdir *dir)
{
    return dir->is_provable && still_holds(dirs, dir->outer_name, &dir->outer) &&
           still_holds(dirs, dir->inner_name, &dir->inner);
}

static bool is_listened_to(const struct workdir *dir)
{
    return watch_is_silent(&dir->outer_watch) && watch_is_silent(&dir->inner_watch);
}

/* It is listened to, and nothing was heard of it since it was found clean. */
static bool is_silent(struct workdirs *dirs, const struct workdir *dir)
{
    watches_hear(&dirs->watches);
    return is_listened_to(dir);
}

bool workdir_is_untouched(struct workdirs *dirs, const struct workdir *dir)
{
    if (!is_silent(dirs, dir)) {
        return both_hold(dirs, dir);
    }
    return dir->is_provable && still_holds(dirs, dir->inner_name, &dir->inner);
}

static bool is_clean(const struct workdirs *dirs, struct workdir *dir)
{
    return is_as_new(dirs, dir->outer_name, "work", &dir->outer) &&
           is_as_new(dirs, dir->inner_name, NULL, &dir->inner);
}

/* What was taken or kept at this moment: whether a change from now on shows in its time of change. */
static void note_clock(const struct workdirs *dirs, struct workdir *dir)
{
    /* The clock that the file system reads too: it moves in ticks. */
    struct timespec now;
    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    dir->is_provable =
        dirs->has_local_clock && is_past(&dir->outer, &now) && is_past(&dir->inner, &now);
}

/* An idle one that is as it was kept; those that are not go. NULL: there is none. */
static struct workdir *take_idle(struct workdirs *dirs, struct trash *trash)
{
    while (dirs->idle != NULL) {
        struct workdir *dir = dirs->idle;
        dirs->idle = dir->next_idle;
        dirs->idle_count--;
        dir->next_idle = NULL;
        if (is_silent(dirs, dir) || both_hold(dirs, dir) || is_clean(dirs, dir)) {
            return dir;
        }
        dirs->has_lost |= !workdir_remove_take(dirs, dir, trash);
    }
    return NULL;
}

/* NULL with errno. */
static struct workdir *make_any(struct workdirs *dirs, struct trash *trash)
{
    struct workdir *dir = NULL;
    for (int i = 0; i < TAKEN_MAX && dir == NULL; i++) {
        dir = make(dirs, trash);
        if (dir == NULL && errno != EEXIST) {
            return NULL;
        }
    }
    return dir;
}

/* Listens to one that was found clean, from before that is made sure of. False: it is not clean any more. */
static bool listen_to(struct workdirs *dirs, struct workdir *dir)
{
    if (is_listened_to(dir)) {
        return true; /* what was done since it was found clean will be heard when it is taken */
    }
    return !watch_set(&dirs->watches, &dir->outer_watch, dirs->root_fd, dir->outer_name) ||
           !watch_set(&dirs->watches, &dir->inner_watch, dirs->root_fd, dir->inner_name) ||
           both_hold(dirs, dir) || is_clean(dirs, dir);
}

static void put_idle(struct workdirs *dirs, struct workdir *dir)
{
    note_clock(dirs, dir);
    dir->next_idle = dirs->idle;
    dirs->idle = dir;
    dirs->idle_count++;
}

bool workdir_add(struct workdirs *dirs, struct trash *trash)
{
    errno = 0;
    struct workdir *dir = dirs->idle_count == WORKDIR_IDLE_MAX ? NULL : make_any(dirs, trash);
    if (dir != NULL && !listen_to(dirs, dir)) {
        (void)workdir_remove_take(dirs, dir, trash);
        dir = NULL;
    }
    if (dir != NULL) {
        put_idle(dirs, dir);
    }
    return dir != NULL;
}

struct workdir *workdir_take(struct workdirs *dirs, struct trash *trash)
{
    struct workdir *dir = take_idle(dirs, trash);
    dir = dir != NULL ? dir : make_any(dirs, trash);
    if (dir != NULL) {
        note_clock(dirs, dir);
    }
    return dir;
}

bool workdir_keep_if_clean(struct workdirs *dirs, struct workdir *dir, bool is_untouched)
{
    CHECK(dir->next_idle == NULL);
    if (dirs->idle_count == WORKDIR_IDLE_MAX ||
        !(is_untouched || workdir_is_untouched(dirs, dir) || is_clean(dirs, dir)) ||
        !listen_to(dirs, dir)) {
        return false;
    }
    put_idle(dirs, dir);
    return true;
}

bool workdir_remove_take(struct workdirs *dirs, struct workdir *dir, struct trash *trash)
{
    bool is_there = discard(dirs, dir, trash);
    workdir_free(dirs, dir);
    return is_there;
}
