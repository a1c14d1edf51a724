/* The checkpointer: a checkpoint's passes in a thread, its end in the writer's turn. Between the two
   stands one lock, and nothing of SQLite's. */
#include "orchestrator/store/checkpoint.h"

#include <pthread.h>
#include <time.h>

#include "common/base/check.h"
#include "common/base/mem.h"
#include "common/sys/thread.h"
#include "orchestrator/store/log_room.h"
#include "orchestrator/store/sqlite_db.h"

enum { ROOM_LOOK_MS = 20 }; /* between two looks of who waits to read */

enum phase {
    PHASE_IDLE,
    PHASE_ASKED, /* the thread works, or is about to */
    PHASE_DONE,  /* it has, and the writer has not looked yet */
};

struct checkpointer {
    char *path;
    pthread_t thread;
    bool has_thread;
    sqlite3 *own; /* the thread's connection; NULL: none yet */
    /* The writer's own. All counts are frames of the log; it counts from 0 when it begins anew. */
    sqlite3 *writer;
    int length; /* after the last commit, as the hook was told it */
    int length_before;
    int ask_at;
    int wait_at;
    struct log_room room;
    /* Under the lock. */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    enum phase phase;
    bool stopping;
    bool waited_for; /* the writer stands still: no further pass */
    int64_t commits; /* to see whether it is idle */
    int written;     /* the log's length, for the thread */
    int moved;       /* how much of it the thread has put into the database */
    int rc;          /* of the first failure */
};

/* --- The thread --- */

static bool has_failed(int rc)
{
    /* Another process is at it, or a statement of the writer's is open: later, then. */
    return sqlite_err(rc) != ERR_NONE && sqlite_err(rc) != ERR_BUSY;
}

/* SQLite syncs the database only at the end of the log, which is the writer's part: without this it
   would wait there for all that the passes have written. */
static int sync_database(sqlite3 *db)
{
    sqlite3_file *file = NULL;
    int rc = sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file);
    return rc != SQLITE_OK ? rc
                           : file->pMethods->xSync(file, SQLITE_SYNC_NORMAL | SQLITE_SYNC_DATAONLY);
}

static int pass(sqlite3 *db, int *ret_moved)
{
    int moved = 0;
    int rc = sqlite3_wal_checkpoint_v2(db, "main", SQLITE_CHECKPOINT_PASSIVE, NULL, &moved);
    if (rc == SQLITE_OK) {
        rc = sync_database(db);
        *ret_moved = moved;
    }
    return rc;
}

/* Each pass finds what the writer has written during the last one, until that is little, or until one has
   found nothing that it may move: somebody reads an old state. Not becoming less is no reason to stop:
   the writer would come to the hard mark, and there has to do all of it. */
static void checkpoint(struct checkpointer *self, sqlite3 *db)
{
    int moved_before = 0;
    for (bool again = true; again;) {
        int moved = 0;
        int rc = pass(db, &moved);
        pthread_mutex_lock(&self->lock);
        int rest = self->written - moved;
        self->moved = moved;
        self->rc = has_failed(rc) ? rc : SQLITE_OK;
        again = rc == SQLITE_OK && !self->stopping && !self->waited_for &&
                rest > CHECKPOINT_REST_FRAMES && moved > moved_before;
        moved_before = moved;
        pthread_mutex_unlock(&self->lock);
    }
}

static void *work(void *context)
{
    struct checkpointer *self = context;
    pthread_mutex_lock(&self->lock);
    while (!self->stopping && self->rc == SQLITE_OK) {
        if (self->phase != PHASE_ASKED) {
            pthread_cond_wait(&self->changed, &self->lock);
            continue;
        }
        pthread_mutex_unlock(&self->lock);
        checkpoint(self, self->own);
        pthread_mutex_lock(&self->lock);
        self->phase = PHASE_DONE;
        pthread_cond_broadcast(&self->changed);
    }
    self->phase = PHASE_DONE;
    pthread_cond_broadcast(&self->changed);
    pthread_mutex_unlock(&self->lock);
    return NULL;
}

/* --- A thread that reads for long --- */

static int written(struct checkpointer *self, int64_t *ret_commits)
{
    pthread_mutex_lock(&self->lock);
    int frames = self->written;
    *ret_commits = self->commits;
    pthread_mutex_unlock(&self->lock);
    return frames;
}

bool checkpointer_make_room(struct checkpointer *self, sqlite3 *own, const atomic_bool *stop)
{
    const struct timespec pause = { .tv_nsec = ROOM_LOOK_MS * 1000000L };
    for (int waited_ms = 0; waited_ms < CHECKPOINT_ROOM_MS_MAX; waited_ms += ROOM_LOOK_MS) {
        int64_t before = 0;
        int64_t after = 0;
        int moved = 0;
        if (written(self, &before) <= CHECKPOINT_READ_FRAMES) {
            return true;
        }
        int rc = pass(own, &moved); /* busy: the checkpointer's thread is at it */
        int frames = written(self, &after);
        if (frames <= CHECKPOINT_READ_FRAMES ||
            (rc == SQLITE_OK && before == after && moved >= frames)) {
            return true;
        }
        if (atomic_load(stop)) {
            return false;
        }
        nanosleep(&pause, NULL);
    }
    return false;
}

void checkpointer_read_ended(struct checkpointer *self, sqlite3 *own)
{
    int64_t commits = 0;
    int moved = 0;
    if (written(self, &commits) > CHECKPOINT_SOFT_FRAMES) {
        pass(own, &moved); /* its failure shows at the writer's next checkpoint */
    }
}

/* --- The writer --- */

static int note_length(void *context, sqlite3 *db, const char *name, int frames)
{
    (void)db;
    (void)name;
    ((struct checkpointer *)context)->length = frames;
    return SQLITE_OK;
}

static void begin_marks(struct checkpointer *self)
{
    self->ask_at = CHECKPOINT_SOFT_FRAMES;
    self->wait_at = CHECKPOINT_HARD_FRAMES;
}

struct checkpointer *checkpointer_new(sqlite3 *writer, const char *path)
{
    CHECK(sqlite3_threadsafe() != 0);
    struct checkpointer *self = mem_alloc(sizeof *self);
    self->writer = writer;
    self->path = mem_copy_text(path);
    begin_marks(self);
    log_room_init(&self->room, writer, CHECKPOINT_HARD_FRAMES);
    pthread_mutex_init(&self->lock, NULL);
    pthread_cond_init(&self->changed, NULL);
    sqlite3_wal_hook(writer, note_length, self); /* takes the place of the automatic checkpoint */
    return self;
}

void checkpointer_wait(struct checkpointer *self)
{
    pthread_mutex_lock(&self->lock);
    while (self->phase == PHASE_ASKED) {
        pthread_cond_wait(&self->changed, &self->lock);
    }
    pthread_mutex_unlock(&self->lock);
}

void checkpointer_free(struct checkpointer *self)
{
    if (self == NULL) {
        return;
    }
    sqlite3_wal_hook(self->writer, NULL, NULL);
    pthread_mutex_lock(&self->lock);
    self->stopping = true;
    pthread_cond_broadcast(&self->changed);
    pthread_mutex_unlock(&self->lock);
    if (self->has_thread) {
        pthread_join(self->thread, NULL);
    }
    sqlite3_close(self->own);
    pthread_cond_destroy(&self->changed);
    pthread_mutex_destroy(&self->lock);
    mem_free(self->path);
    mem_free(self);
}

static bool open_own(struct checkpointer *self)
{
    if (self->own != NULL) {
        return true;
    }
    /* The last is read for its own sake: a connection opens the log at its first read. */
    if (sqlite3_open_v2(self->path, &self->own,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE |
                            SQLITE_OPEN_NOFOLLOW,
                        NULL) == SQLITE_OK &&
        sqlite3_busy_timeout(self->own, 2000) == SQLITE_OK &&
        sqlite3_exec(self->own,
                     "PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0; "
                     "PRAGMA user_version",
                     NULL, NULL, NULL) == SQLITE_OK) {
        return true;
    }
    sqlite3_close(self->own);
    self->own = NULL;
    return false;
}

/* False: the system has no thread or no descriptors for us now. Peers can take all descriptors, so that
   is no failure: the writer does without. */
static bool start_thread(struct checkpointer *self)
{
    if (!self->has_thread && open_own(self)) {
        self->has_thread = thread_start(&self->thread, work, self);
    }
    return self->has_thread;
}

static void ask(struct checkpointer *self)
{
    pthread_mutex_lock(&self->lock);
    self->phase = PHASE_ASKED;
    self->waited_for = false;
    pthread_cond_broadcast(&self->changed);
    pthread_mutex_unlock(&self->lock);
}

/* Tells the thread how long the log is; takes what it has done. */
static enum phase exchange(struct checkpointer *self, bool wait, int *ret_rest, int *ret_rc)
{
    pthread_mutex_lock(&self->lock);
    self->written = self->length;
    self->commits++;
    self->waited_for = wait;
    while (wait && self->phase == PHASE_ASKED) {
        pthread_cond_wait(&self->changed, &self->lock);
    }
    enum phase phase = self->phase;
    if (phase == PHASE_DONE) {
        self->phase = PHASE_IDLE;
    }
    *ret_rest = self->length - self->moved;
    *ret_rc = self->rc;
    pthread_mutex_unlock(&self->lock);
    return phase;
}

static enum err refuse(int rc, struct reason *reason)
{
    return reason_set(reason, sqlite_err(rc), "the database's log cannot be moved into it: %s",
                      sqlite3_errstr(rc));
}

enum err checkpointer_committed(struct checkpointer *self, struct reason *reason)
{
    if (self->length < self->length_before) {
        begin_marks(self); /* the log has begun anew */
        log_room_again(&self->room);
        self->length_before = 0;
    }
    int added = self->length - self->length_before;
    self->length_before = self->length;
    int rest = 0;
    int rc = SQLITE_OK;
    bool wait = self->length >= self->wait_at;
    enum phase phase = exchange(self, wait, &rest, &rc);
    bool ask_now = phase != PHASE_ASKED && self->length >= self->ask_at;
    /* Nothing left: the log begins anew, or has, by itself. The thread has not seen what this commit has
       added. */
    bool end_now =
        wait || (phase == PHASE_DONE && rest > 0 && rest <= CHECKPOINT_REST_FRAMES + added);
    if (wait) {
        self->wait_at = self->length + CHECKPOINT_HARD_FRAMES;
    }
    if (rc != SQLITE_OK) {
        return refuse(rc, reason);
    }
    if (ask_now && !end_now) {
        self->ask_at = self->length + CHECKPOINT_SOFT_FRAMES;
        end_now = !start_thread(self);
        if (!end_now) {
            ask(self);
        }
    }
    if (end_now) {
        rc = sqlite3_wal_checkpoint_v2(self->writer, "main", SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    }
    if (has_failed(rc)) {
        return refuse(rc, reason);
    }
    return log_room_keep(&self->room, self->length, added, reason);
}
