/* See watched_vfs.h. */
#include "tests/unit/watched_vfs.h"

#include <pthread.h>
#include <sqlite3.h>
#include <time.h>

#include "common/base/check.h"

enum { WAIT_S_MAX = 60 };

static struct {
    sqlite3_vfs vfs;
    sqlite3_vfs *real;
    sqlite3_io_methods methods;
    int (*real_write)(sqlite3_file *file, const void *data, int bytes, sqlite3_int64 at);
    int (*real_sync)(sqlite3_file *file, int flags);
    pthread_t owner;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool failing;
    bool holding;
    bool hold_at_sync;
    bool held;
    size_t own;
    size_t others;
    size_t opened;
} watch = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

static int watched_write(sqlite3_file *file, const void *data, int bytes, sqlite3_int64 at)
{
    pthread_mutex_lock(&watch.lock);
    bool fails = false;
    if (pthread_equal(pthread_self(), watch.owner)) {
        watch.own++;
    } else {
        watch.others++;
        pthread_cond_broadcast(&watch.changed);
        while (watch.holding) {
            watch.held = true;
            pthread_cond_broadcast(&watch.changed);
            pthread_cond_wait(&watch.changed, &watch.lock);
        }
        watch.held = false;
        fails = watch.failing;
    }
    pthread_mutex_unlock(&watch.lock);
    return fails ? SQLITE_IOERR_WRITE : watch.real_write(file, data, bytes, at);
}

static int watched_sync(sqlite3_file *file, int flags)
{
    pthread_mutex_lock(&watch.lock);
    if (watch.hold_at_sync && !pthread_equal(pthread_self(), watch.owner)) {
        watch.hold_at_sync = false;
        watch.holding = true;
    }
    pthread_mutex_unlock(&watch.lock);
    return watch.real_sync(file, flags);
}

static int watched_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
                        int *ret_flags)
{
    (void)vfs;
    int rc = watch.real->xOpen(watch.real, name, file, flags, ret_flags);
    if (rc == SQLITE_OK && (flags & SQLITE_OPEN_MAIN_DB) != 0) {
        pthread_mutex_lock(&watch.lock);
        if (watch.real_write == NULL) {
            watch.methods = *file->pMethods;
            watch.real_write = watch.methods.xWrite;
            watch.methods.xWrite = watched_write;
            watch.real_sync = watch.methods.xSync;
            watch.methods.xSync = watched_sync;
        }
        watch.opened++;
        pthread_mutex_unlock(&watch.lock);
        file->pMethods = &watch.methods;
    }
    return rc;
}

void watched_vfs_start(void)
{
    watch.real = sqlite3_vfs_find(NULL);
    CHECK(watch.real != NULL && watch.real != &watch.vfs);
    watch.vfs = *watch.real;
    watch.vfs.zName = "watched";
    watch.vfs.xOpen = watched_open;
    watch.owner = pthread_self();
    watch.failing = false;
    watch.holding = false;
    watch.hold_at_sync = false;
    watch.held = false;
    watch.own = 0;
    watch.others = 0;
    watch.opened = 0;
    sqlite3_vfs_register(&watch.vfs, 1);
}

void watched_vfs_stop(void)
{
    sqlite3_vfs_unregister(&watch.vfs);
    sqlite3_vfs_register(watch.real, 1);
}

void watched_vfs_fail(bool fail)
{
    pthread_mutex_lock(&watch.lock);
    watch.failing = fail;
    pthread_mutex_unlock(&watch.lock);
}

void watched_vfs_hold(bool hold)
{
    pthread_mutex_lock(&watch.lock);
    watch.holding = hold;
    watch.hold_at_sync = false;
    pthread_cond_broadcast(&watch.changed);
    pthread_mutex_unlock(&watch.lock);
}

void watched_vfs_let_one_pass(void)
{
    pthread_mutex_lock(&watch.lock);
    watch.held = false;
    watch.holding = false;
    watch.hold_at_sync = true;
    pthread_cond_broadcast(&watch.changed);
    pthread_mutex_unlock(&watch.lock);
}

/* Under the lock. Of a thread that never comes the test says so, and does not hang. */
static void wait_for_change(void)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += WAIT_S_MAX;
    int rc = pthread_cond_timedwait(&watch.changed, &watch.lock, &until);
    CHECK(rc == 0);
}

void watched_vfs_wait_for_held(void)
{
    pthread_mutex_lock(&watch.lock);
    while (!watch.held) {
        wait_for_change();
    }
    pthread_mutex_unlock(&watch.lock);
}

void watched_vfs_wait_for_others(void)
{
    pthread_mutex_lock(&watch.lock);
    while (watch.others == 0) {
        wait_for_change();
    }
    pthread_mutex_unlock(&watch.lock);
}

size_t watched_vfs_own(void)
{
    pthread_mutex_lock(&watch.lock);
    size_t own = watch.own;
    watch.own = 0;
    pthread_mutex_unlock(&watch.lock);
    return own;
}

size_t watched_vfs_opened(void)
{
    pthread_mutex_lock(&watch.lock);
    size_t opened = watch.opened;
    pthread_mutex_unlock(&watch.lock);
    return opened;
}
