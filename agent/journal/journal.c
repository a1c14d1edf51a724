/* The journal: taking the data directory, and committing a turn. */
#include "agent/journal/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/journal/journal_private.h"
#include "common/base/mem.h"

static enum err directory_make(const char *path, struct reason *reason)
{
    char *part = mem_copy_text(path);
    enum err err = ERR_NONE;
    size_t length = strlen(part);
    for (size_t i = 1; i <= length && err == ERR_NONE; i++) {
        if (part[i] != '/' && part[i] != '\0') {
            continue;
        }
        part[i] = '\0';
        if (mkdir(part, 0700) != 0 && errno != EEXIST) {
            err = reason_set(reason, ERR_IO, "cannot make the directory %s: %s", part,
                             strerror(errno));
        }
        part[i] = i < length ? '/' : '\0';
    }
    mem_free(part);
    return err;
}

static enum err lock_refused(int fd, const char *data_dir, struct reason *reason)
{
    if (errno != EWOULDBLOCK) {
        return reason_set(reason, ERR_IO, "cannot lock %s/lock: %s", data_dir, strerror(errno));
    }
    char pid[24] = "";
    ssize_t bytes = pread(fd, pid, sizeof pid - 1, 0);
    pid[bytes > 0 ? bytes : 0] = '\0';
    pid[strcspn(pid, "\n")] = '\0';
    return reason_set(reason, ERR_BUSY,
                      "another asterism-agent (pid %s) uses %s; give each agent its own --data-dir",
                      pid[0] == '\0' ? "unknown" : pid, data_dir);
}

/* Held for as long as the process lives; a kill gives it back. */
static enum err lock_take(struct journal *journal, const char *data_dir, struct reason *reason)
{
    char *path = mem_format("%s/lock", data_dir);
    journal->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    mem_free(path);
    if (journal->lock_fd < 0) {
        return reason_set(reason, ERR_IO, "cannot open %s/lock: %s", data_dir, strerror(errno));
    }
    if (flock(journal->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        return lock_refused(journal->lock_fd, data_dir, reason);
    }
    char pid[24];
    int length = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());
    /* Only for the words of a refusal: without it they say "unknown". */
    if (ftruncate(journal->lock_fd, 0) == 0 &&
        pwrite(journal->lock_fd, pid, (size_t)length, 0) != length) {
        return reason_set(reason, ERR_IO, "cannot write %s/lock: %s", data_dir, strerror(errno));
    }
    return ERR_NONE;
}

/* A new file's name must be on the disk as its sessions are. */
static enum err directory_sync(const char *data_dir, struct reason *reason)
{
    int fd = open(data_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0) {
        enum err err = reason_set(reason, ERR_IO, "cannot sync %s: %s", data_dir, strerror(errno));
        if (fd >= 0) {
            close(fd);
        }
        return err;
    }
    close(fd);
    return ERR_NONE;
}

static enum err database_open(struct journal *journal, const char *boot_id, struct reason *reason)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    if (sqlite3_open_v2(journal->path, &journal->db, flags, NULL) != SQLITE_OK) {
        return journal_failed(journal, "opening it", reason);
    }
    enum err err = journal_schema_open(journal, boot_id, reason);
    return err == ERR_NONE ? journal_row_prepare(journal, reason) : err;
}

enum err journal_open(const char *data_dir, const char *boot_id, struct journal **ret_journal,
                      struct reason *reason)
{
    struct journal *journal = mem_alloc(sizeof *journal);
    journal->lock_fd = -1;
    journal->path = mem_format("%s/journal.db", data_dir);
    enum err err = directory_make(data_dir, reason);
    if (err == ERR_NONE) {
        err = lock_take(journal, data_dir, reason);
    }
    if (err == ERR_NONE) {
        err = database_open(journal, boot_id, reason);
    }
    if (err == ERR_NONE) {
        err = directory_sync(data_dir, reason);
    }
    if (err != ERR_NONE) {
        journal_close(journal);
        return err;
    }
    *ret_journal = journal;
    return ERR_NONE;
}

void journal_close(struct journal *journal)
{
    if (journal == NULL) {
        return;
    }
    journal_row_done(journal);
    sqlite3_close(journal->db);
    if (journal->lock_fd >= 0) {
        close(journal->lock_fd);
    }
    buf_done(&journal->start_id);
    buf_done(&journal->hmac);
    mem_free(journal->path);
    mem_free(journal);
}

struct journal_identity journal_identity(const struct journal *journal)
{
    return (struct journal_identity){
        .journal_id = { (const char *)journal->journal_id, JOURNAL_ID_BYTES },
        .session = journal->session,
        .receipt = { .epoch = journal->receipt_epoch,
                     .start_id = { (const char *)journal->start_id.data, journal->start_id.length },
                     .fence = journal->receipt_fence,
                     .hmac = { (const char *)journal->hmac.data, journal->hmac.length } },
        .rebooted = journal->rebooted,
    };
}

static bool is_row(enum agent_effect_kind kind)
{
    return kind == AGENT_EFFECT_SAVE || kind == AGENT_EFFECT_REMOVE ||
           kind == AGENT_EFFECT_SAVE_SESSION;
}

static enum err row_apply(struct journal *journal, const struct agent_effect *effect,
                          struct reason *reason)
{
    if (effect->kind == AGENT_EFFECT_SAVE) {
        return journal_row_save(journal, effect->record, reason);
    }
    if (effect->kind == AGENT_EFFECT_REMOVE) {
        return journal_row_remove(journal, effect->fence, reason);
    }
    return journal_row_session(journal, effect->session.session, &effect->session.receipt, reason);
}

/* How far a commit goes can only be said between transactions. */
static enum err durability_set(struct journal *journal, bool durable, struct reason *reason)
{
    if (journal->durable == durable) {
        return ERR_NONE;
    }
    const char *sql = durable ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL";
    if (sqlite3_exec(journal->db, sql, NULL, NULL, NULL) != SQLITE_OK) {
        return journal_failed(journal, sql, reason);
    }
    journal->durable = durable;
    return ERR_NONE;
}

enum err journal_commit(struct journal *journal, const struct agent_effects *effects,
                        struct reason *reason)
{
    bool any = false;
    bool durable = false;
    for (size_t i = 0; i < effects->count; i++) {
        any = any || is_row(effects->list[i].kind);
        durable = durable || agent_effect_is_durable(&effects->list[i]);
    }
    if (!any) {
        return ERR_NONE;
    }
    enum err err = durability_set(journal, durable, reason);
    if (err == ERR_NONE) {
        err = journal_row_run(journal, JOURNAL_BEGIN, reason);
    }
    for (size_t i = 0; i < effects->count && err == ERR_NONE; i++) {
        if (is_row(effects->list[i].kind)) {
            err = row_apply(journal, &effects->list[i], reason);
        }
    }
    return err == ERR_NONE ? journal_row_run(journal, JOURNAL_COMMIT, reason) : err;
}
