/* See log_file.h. The one rule: what is held is written before anybody, SQLite itself included, asks the
   file for anything. */
#include "orchestrator/store/log_file.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <string.h>

#include "common/base/mem.h"

/* The system's file stands behind it, in the same piece of memory, which is SQLite's. */
struct log_file {
    sqlite3_file base;
    char *held;           /* LOG_FILE_BYTES_HELD */
    int held_bytes;       /* of them */
    sqlite3_int64 at;     /* where they belong */
    sqlite3_int64 real[]; /* aligned as SQLite aligns files */
};

static struct {
    sqlite3_vfs vfs;
    sqlite3_vfs *real;
} gathering;

static struct log_file *log_of(sqlite3_file *file)
{
    return (struct log_file *)(void *)file;
}

static sqlite3_file *real_of(sqlite3_file *file)
{
    return (sqlite3_file *)(void *)log_of(file)->real;
}

/* What cannot be written is not kept: its commit fails, and SQLite writes there anew. */
static int let_go(sqlite3_file *file)
{
    struct log_file *log = log_of(file);
    sqlite3_file *real = real_of(file);
    int bytes = log->held_bytes;
    log->held_bytes = 0;
    return bytes == 0 ? SQLITE_OK : real->pMethods->xWrite(real, log->held, bytes, log->at);
}

static int log_close(sqlite3_file *file)
{
    sqlite3_file *real = real_of(file);
    int rc = let_go(file);
    int rc_close = real->pMethods->xClose(real);
    mem_free(log_of(file)->held);
    return rc != SQLITE_OK ? rc : rc_close;
}

static int log_read(sqlite3_file *file, void *data, int bytes, sqlite3_int64 at)
{
    sqlite3_file *real = real_of(file);
    int rc = let_go(file);
    return rc != SQLITE_OK ? rc : real->pMethods->xRead(real, data, bytes, at);
}

static int log_write(sqlite3_file *file, const void *data, int bytes, sqlite3_int64 at)
{
    struct log_file *log = log_of(file);
    sqlite3_file *real = real_of(file);
    bool follows = log->held_bytes > 0 && at == log->at + log->held_bytes;
    if (!follows || bytes > LOG_FILE_BYTES_HELD - log->held_bytes) {
        int rc = let_go(file);
        if (rc != SQLITE_OK) {
            return rc;
        }
        if (bytes >= LOG_FILE_BYTES_HELD) {
            return real->pMethods->xWrite(real, data, bytes, at);
        }
        log->at = at;
    }
    memcpy(log->held + log->held_bytes, data, (size_t)bytes);
    log->held_bytes += bytes;
    return SQLITE_OK;
}

static int log_truncate(sqlite3_file *file, sqlite3_int64 bytes)
{
    sqlite3_file *real = real_of(file);
    int rc = let_go(file);
    return rc != SQLITE_OK ? rc : real->pMethods->xTruncate(real, bytes);
}

static int log_sync(sqlite3_file *file, int flags)
{
    sqlite3_file *real = real_of(file);
    int rc = let_go(file);
    return rc != SQLITE_OK ? rc : real->pMethods->xSync(real, flags);
}

static int log_size(sqlite3_file *file, sqlite3_int64 *ret_bytes)
{
    sqlite3_file *real = real_of(file);
    int rc = let_go(file);
    return rc != SQLITE_OK ? rc : real->pMethods->xFileSize(real, ret_bytes);
}

static int log_lock(sqlite3_file *file, int level)
{
    sqlite3_file *real = real_of(file);
    return real->pMethods->xLock(real, level);
}

static int log_unlock(sqlite3_file *file, int level)
{
    sqlite3_file *real = real_of(file);
    return real->pMethods->xUnlock(real, level);
}

static int log_is_reserved(sqlite3_file *file, int *ret_reserved)
{
    sqlite3_file *real = real_of(file);
    return real->pMethods->xCheckReservedLock(real, ret_reserved);
}

static int log_control(sqlite3_file *file, int operation, void *argument)
{
    sqlite3_file *real = real_of(file);
    int rc = let_go(file);
    return rc != SQLITE_OK ? rc : real->pMethods->xFileControl(real, operation, argument);
}

static int log_sector_bytes(sqlite3_file *file)
{
    sqlite3_file *real = real_of(file);
    return real->pMethods->xSectorSize(real);
}

static int log_characteristics(sqlite3_file *file)
{
    sqlite3_file *real = real_of(file);
    return real->pMethods->xDeviceCharacteristics(real);
}

static const sqlite3_io_methods log_methods = {
    .iVersion = 1,
    .xClose = log_close,
    .xRead = log_read,
    .xWrite = log_write,
    .xTruncate = log_truncate,
    .xSync = log_sync,
    .xFileSize = log_size,
    .xLock = log_lock,
    .xUnlock = log_unlock,
    .xCheckReservedLock = log_is_reserved,
    .xFileControl = log_control,
    .xSectorSize = log_sector_bytes,
    .xDeviceCharacteristics = log_characteristics,
};

static int open_file(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
                     int *ret_flags)
{
    (void)vfs;
    sqlite3_vfs *real = gathering.real;
    if ((flags & SQLITE_OPEN_WAL) == 0) {
        return real->xOpen(real, name, file, flags, ret_flags);
    }
    struct log_file *log = log_of(file);
    *log = (struct log_file){ .base = { NULL } };
    int rc = real->xOpen(real, name, real_of(file), flags, ret_flags);
    if (rc == SQLITE_OK) {
        log->held = mem_alloc(LOG_FILE_BYTES_HELD);
        log->base.pMethods = &log_methods;
    } else if (real_of(file)->pMethods != NULL) {
        real_of(file)->pMethods->xClose(real_of(file));
    }
    return rc;
}

const char *log_file_vfs(void)
{
    sqlite3_vfs *real = sqlite3_vfs_find(NULL);
    if (real != gathering.real) {
        gathering.real = real;
        gathering.vfs = *real;
        gathering.vfs.zName = "asterism-log";
        gathering.vfs.szOsFile = (int)sizeof(struct log_file) + real->szOsFile;
        gathering.vfs.xOpen = open_file;
        sqlite3_vfs_register(&gathering.vfs, 0);
    }
    return gathering.vfs.zName;
}
