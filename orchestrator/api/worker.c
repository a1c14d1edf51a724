/* See worker.h. */
#include "orchestrator/api/worker.h"

#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/base/mem.h"
#include "common/net/nest.h"
#include "common/sys/thread.h"
#include "orchestrator/api/api_inner.h"

struct worker {
    struct api *api;
    struct reader *reader;
    pthread_t thread;
    bool has_thread; /* it is started by its first work: most daemons never see any */
    int wake_fd;     /* the thread writes: something is done */
    struct event *wake_event;
    size_t jobs; /* with the thread, in either list or running; the loop's own count */
    size_t jobs_max;
    /* Under the lock. */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct work *waiting[API_WORKER_JOBS_MAX]; /* first in, first out */
    size_t waiting_count;
    struct work *running;
    struct work *done[API_WORKER_JOBS_MAX];
    size_t done_count;
    bool stopping;
};

static struct work *take_first(struct worker *worker)
{
    struct work *work = worker->waiting[0];
    worker->waiting_count--;
    memmove(worker->waiting, worker->waiting + 1,
            worker->waiting_count * sizeof(worker->waiting[0]));
    return work;
}

static void *run(void *context)
{
    struct worker *worker = context;
    pthread_mutex_lock(&worker->lock);
    while (!worker->stopping) {
        if (worker->waiting_count == 0) {
            pthread_cond_wait(&worker->changed, &worker->lock);
            continue;
        }
        struct work *work = take_first(worker);
        worker->running = work;
        if (worker->reader != NULL) {
            reader_interrupt(worker->reader, false); /* that was meant for the one before */
        }
        pthread_mutex_unlock(&worker->lock);
        work->run(work, worker->reader);
        if (worker->reader != NULL) {
            reader_end(worker->reader);
        }
        pthread_mutex_lock(&worker->lock);
        worker->running = NULL;
        worker->done[worker->done_count++] = work;
        uint64_t one = 1;
        ssize_t written = write(worker->wake_fd, &one, sizeof(one));
        CHECK(written == (ssize_t)sizeof(one));
    }
    pthread_mutex_unlock(&worker->lock);
    return NULL;
}

static void collect(evutil_socket_t fd, short what, void *context)
{
    (void)what;
    struct worker *worker = context;
    struct api *api = worker->api;
    uint64_t count = 0;
    ssize_t got = read(fd, &count, sizeof(count));
    CHECK(got == (ssize_t)sizeof(count) || errno == EAGAIN);
    struct work *done[API_WORKER_JOBS_MAX];
    pthread_mutex_lock(&worker->lock);
    size_t done_count = worker->done_count;
    memcpy(done, worker->done, done_count * sizeof(done[0]));
    worker->done_count = 0;
    pthread_mutex_unlock(&worker->lock);
    streams_enter(&api->streams);
    for (size_t i = 0; i < done_count; i++) {
        worker->jobs--;
        if (done[i]->is_gone) {
            done[i]->drop(api, done[i]);
        } else {
            done[i]->done(api, done[i]);
        }
    }
    api_leave(api);
}

enum err worker_new(struct api *api, size_t jobs_max, struct reader *reader,
                    struct worker **ret_worker, struct reason *reason)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0) {
        reader_free(reader);
        return reason_set(reason, ERR_IO, "eventfd: %s", strerror(errno));
    }
    CHECK(jobs_max <= API_WORKER_JOBS_MAX);
    struct worker *worker = mem_alloc(sizeof(*worker));
    worker->api = api;
    worker->reader = reader;
    worker->jobs_max = jobs_max;
    worker->wake_fd = fd;
    worker->wake_event =
        event_new(nest_base(api->config.nest), fd, EV_READ | EV_PERSIST, collect, worker);
    CHECK(worker->wake_event != NULL);
    int added = event_add(worker->wake_event, NULL);
    CHECK(added == 0);
    pthread_mutex_init(&worker->lock, NULL);
    pthread_cond_init(&worker->changed, NULL);
    *ret_worker = worker;
    return ERR_NONE;
}

static void drop_all(struct api *api, struct work *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        list[i]->drop(api, list[i]);
    }
}

void worker_free(struct worker *worker)
{
    if (worker == NULL) {
        return;
    }
    pthread_mutex_lock(&worker->lock);
    worker->stopping = true;
    if (worker->reader != NULL) {
        reader_interrupt(worker->reader, true);
    }
    pthread_cond_signal(&worker->changed);
    pthread_mutex_unlock(&worker->lock);
    if (worker->has_thread) {
        pthread_join(worker->thread, NULL);
    }
    drop_all(worker->api, worker->waiting, worker->waiting_count);
    drop_all(worker->api, worker->done, worker->done_count);
    reader_free(worker->reader);
    pthread_cond_destroy(&worker->changed);
    pthread_mutex_destroy(&worker->lock);
    event_free(worker->wake_event);
    close(worker->wake_fd);
    mem_free(worker);
}

static bool take(struct worker *worker, struct work *work, size_t max)
{
    if (worker->jobs >= max) {
        return false;
    }
    worker->has_thread = worker->has_thread || thread_start(&worker->thread, run, worker);
    if (!worker->has_thread) {
        return false;
    }
    worker->jobs++;
    pthread_mutex_lock(&worker->lock);
    worker->waiting[worker->waiting_count++] = work;
    pthread_cond_signal(&worker->changed);
    pthread_mutex_unlock(&worker->lock);
    return true;
}

bool worker_take(struct worker *worker, struct work *work)
{
    return take(worker, work, worker->jobs_max);
}

bool worker_take_scrap(struct worker *worker, struct work *work)
{
    return take(worker, work, API_WORKER_JOBS_MAX);
}

size_t worker_count(const struct worker *worker)
{
    return worker->jobs;
}

struct reader *worker_reader(struct worker *worker)
{
    return worker->reader;
}

void worker_gone(struct worker *worker, uint64_t request)
{
    struct work *gone = NULL;
    pthread_mutex_lock(&worker->lock);
    for (size_t i = 0; i < worker->waiting_count && gone == NULL; i++) {
        if (worker->waiting[i]->request == request) {
            gone = worker->waiting[i];
            worker->waiting_count--;
            memmove(worker->waiting + i, worker->waiting + i + 1,
                    (worker->waiting_count - i) * sizeof(worker->waiting[0]));
        }
    }
    for (size_t i = 0; i < worker->done_count; i++) {
        worker->done[i]->is_gone |= worker->done[i]->request == request;
    }
    if (worker->running != NULL && worker->running->request == request) {
        worker->running->is_gone = true;
        if (worker->reader != NULL) {
            reader_interrupt(worker->reader, true);
        }
    }
    pthread_mutex_unlock(&worker->lock);
    if (gone != NULL) {
        worker->jobs--;
        gone->drop(worker->api, gone);
    }
}
