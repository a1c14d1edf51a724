/* See submit_worker.h. */
#include "orchestrator/api/submit_worker.h"

#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/base/mem.h"
#include "common/net/nest.h"
#include "orchestrator/api/api_inner.h"

struct submit_worker {
    struct api *api;
    pthread_t thread;
    bool has_thread; /* it is started by the first large spec: most daemons never see one */
    int wake_fd;     /* the thread writes: something is done */
    struct event *wake_event;
    size_t jobs; /* with the thread, in either list; the loop's own count */
    /* Under the lock. */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct job *waiting[API_WORKER_JOBS_MAX]; /* first in, first out */
    size_t waiting_count;
    struct job *parsed[API_WORKER_JOBS_MAX];
    size_t parsed_count;
    bool stopping;
};

static void *work(void *context)
{
    struct submit_worker *worker = context;
    pthread_mutex_lock(&worker->lock);
    while (!worker->stopping) {
        if (worker->waiting_count == 0) {
            pthread_cond_wait(&worker->changed, &worker->lock);
            continue;
        }
        struct job *job = worker->waiting[0];
        worker->waiting_count--;
        memmove(worker->waiting, worker->waiting + 1,
                worker->waiting_count * sizeof(worker->waiting[0]));
        pthread_mutex_unlock(&worker->lock);
        job->parse(job);
        pthread_mutex_lock(&worker->lock);
        worker->parsed[worker->parsed_count++] = job;
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
    struct submit_worker *worker = context;
    uint64_t count = 0;
    ssize_t got = read(fd, &count, sizeof(count));
    CHECK(got == (ssize_t)sizeof(count) || errno == EAGAIN);
    struct job *parsed[API_WORKER_JOBS_MAX];
    pthread_mutex_lock(&worker->lock);
    size_t parsed_count = worker->parsed_count;
    memcpy(parsed, worker->parsed, parsed_count * sizeof(parsed[0]));
    worker->parsed_count = 0;
    pthread_mutex_unlock(&worker->lock);
    for (size_t i = 0; i < parsed_count; i++) {
        worker->jobs--;
        parsed[i]->parsed(worker->api, parsed[i]);
    }
}

enum err submit_worker_new(struct api *api, struct submit_worker **ret_worker,
                           struct reason *reason)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0) {
        return reason_set(reason, ERR_IO, "eventfd: %s", strerror(errno));
    }
    struct submit_worker *worker = mem_alloc(sizeof(*worker));
    worker->api = api;
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

void submit_worker_free(struct submit_worker *worker)
{
    if (worker == NULL) {
        return;
    }
    pthread_mutex_lock(&worker->lock);
    worker->stopping = true;
    pthread_cond_signal(&worker->changed);
    pthread_mutex_unlock(&worker->lock);
    if (worker->has_thread) {
        pthread_join(worker->thread, NULL);
    }
    for (size_t i = 0; i < worker->waiting_count; i++) {
        job_free(&worker->api->jobs, worker->waiting[i]);
    }
    for (size_t i = 0; i < worker->parsed_count; i++) {
        job_free(&worker->api->jobs, worker->parsed[i]);
    }
    pthread_cond_destroy(&worker->changed);
    pthread_mutex_destroy(&worker->lock);
    event_free(worker->wake_event);
    close(worker->wake_fd);
    mem_free(worker);
}

bool submit_worker_take(struct submit_worker *worker, struct job *job)
{
    if (worker->jobs == API_WORKER_JOBS_MAX) {
        return false;
    }
    if (!worker->has_thread) {
        if (pthread_create(&worker->thread, NULL, work, worker) != 0) {
            return false;
        }
        worker->has_thread = true;
    }
    worker->jobs++;
    pthread_mutex_lock(&worker->lock);
    worker->waiting[worker->waiting_count++] = job;
    pthread_cond_signal(&worker->changed);
    pthread_mutex_unlock(&worker->lock);
    return true;
}
