/* Ends: of tasks, of what they leave behind, and of everything when the agent is gone.

   Of a task whose main process died nothing may stay. Its group is killed while the dead main
   process still holds the group's number. Every other descendant hangs, through parents that die
   in turn, on a process that we inherited: so when we have no inherited child of the task left, the
   task is wholly gone. Inherited children are told apart by session, or by ASTERISM_FENCE. */
#include "agent/exec/helper.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/exec/moment.h"
#include "agent/exec/procfs.h"
#include "common/base/mem.h"

/* The whole group of an inherited child, which is of one task: a group cannot span sessions. */
static void kill_group_of(pid_t pid)
{
    pid_t group = getpgid(pid);
    if (group > 1 && group != getpgrp()) {
        kill(-group, SIGKILL);
    }
    kill(pid, SIGKILL);
}

/* One that cannot be told whose it is, or does not die: it may sit in the task's directory. */
static bool has_survivors(const struct helper *helper, const struct task *task)
{
    size_t at = 0;
    uint64_t pid;
    void *value;
    while (map_each(&helper->orphans, &at, &pid, &value)) {
        const struct orphan *orphan = value;
        if (orphan->fence == 0 || orphan->fence == task->fence) {
            return true;
        }
    }
    return false;
}

static void task_ended(struct helper *helper, struct task *task)
{
    uint32_t flags = task->signalled ? REPORT_WAS_SIGNALLED : 0;
    flags |= has_survivors(helper, task) ? REPORT_HAS_SURVIVORS : 0;
    struct report report = {
        .kind = REPORT_ENDED,
        .fence = task->fence,
        .wall_ms = task->started_wall_ms,
        .duration_ms = task->duration_ms,
        .pid = task->pid,
        .status = task->status,
        .flags = flags,
    };
    helper_report_ended(helper, report, task);
    mem_free(task);
}

/* True: one child, ours or inherited, was dead and is no more. */
static bool reap_one(struct helper *helper)
{
    siginfo_t info = { 0 };
    /* Looked at before it is reaped: as long as it is a zombie its number, which is that of its
       group, cannot be given to anybody else. */
    if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0) {
        return false;
    }
    pid_t pid = info.si_pid;
    struct task *task = map_get(&helper->by_pid, (uint64_t)pid);
    if (task != NULL) {
        kill(-pid, SIGKILL);
    }
    int status = 0;
    while (waitpid(pid, &status, __WALL) < 0 && errno == EINTR) {
    }
    if (task == NULL) {
        mem_free(map_remove(&helper->orphans, (uint64_t)pid));
        return true;
    }
    map_remove(&helper->by_pid, (uint64_t)pid);
    map_remove(&helper->by_fence, task->fence);
    int64_t now = moment_boot_ms();
    task->status = status;
    task->duration_ms = now - task->started_boot_ms;
    task->give_up_ms = now + HELPER_GIVE_UP_MS;
    task->next_dead = helper->dead;
    helper->dead = task;
    return true;
}

static struct task *dead_of_pid(const struct helper *helper, pid_t pid)
{
    struct task *task = helper->dead;
    while (task != NULL && task->pid != pid) {
        task = task->next_dead;
    }
    return task;
}

/* Only where it also names a file in our directory: an agent may run inside a task of another. */
static uint64_t fence_of_environment(struct helper *helper, pid_t pid)
{
    procfs_environ(pid, &helper->scratch);
    const char *output = procfs_environ_find(&helper->scratch, "ASTERISM_OUTPUT");
    const char *fence = procfs_environ_find(&helper->scratch, "ASTERISM_FENCE");
    if (output == NULL || fence == NULL ||
        strncmp(output, helper->root, strlen(helper->root)) != 0) {
        return 0;
    }
    return strtoull(fence, NULL, 10);
}

static struct orphan *orphan_new(struct helper *helper, pid_t pid)
{
    struct orphan *orphan = mem_alloc(sizeof *orphan);
    orphan->pid = pid;
    pid_t parent = 0;
    if (!procfs_stat(pid, &parent, &orphan->start_ms)) {
        orphan->start_ms = moment_boot_ms();
    }
    pid_t session = getsid(pid);
    const struct task *task = map_get(&helper->by_pid, (uint64_t)(session > 0 ? session : 0));
    if (task == NULL) {
        task = dead_of_pid(helper, session);
    }
    if (task != NULL) {
        orphan->fence = task->fence;
    } else {
        orphan->fence = fence_of_environment(helper, pid);
    }
    map_put(&helper->orphans, (uint64_t)pid, orphan);
    return orphan;
}

/* One that cannot be told whose it is may be a running task's if it is not older than that task. */
static bool orphan_has_owner(const struct helper *helper, const struct orphan *orphan)
{
    if (orphan->fence != 0 && map_get(&helper->by_fence, orphan->fence) != NULL) {
        return true;
    }
    if (orphan->fence != 0) {
        return false;
    }
    enum { TICK_MS = 20 }; /* start_ms is rounded down to a tick of the kernel's clock */
    size_t at = 0;
    uint64_t fence;
    void *value;
    while (map_each(&helper->by_fence, &at, &fence, &value)) {
        const struct task *task = value;
        if (task->started_boot_ms <= orphan->start_ms + TICK_MS) {
            return true;
        }
    }
    return false;
}

/* Finds the inherited children; kills those whose task has ended. */
static void doom_orphans(struct helper *helper)
{
    buf_clear(&helper->children);
    procfs_children(helper->children_fd, &helper->children);
    for (size_t at = 0; at + sizeof(int32_t) <= helper->children.length; at += sizeof(int32_t)) {
        int32_t pid;
        memcpy(&pid, helper->children.data + at, sizeof pid);
        if (map_get(&helper->by_pid, (uint64_t)pid) != NULL) {
            continue;
        }
        struct orphan *orphan = map_get(&helper->orphans, (uint64_t)pid);
        if (orphan == NULL) {
            orphan = orphan_new(helper, pid);
        }
        if (!orphan_has_owner(helper, orphan)) {
            orphan->doomed = true;
            kill_group_of(pid);
        }
    }
}

static bool task_has_doomed(const struct helper *helper, const struct task *task)
{
    size_t at = 0;
    uint64_t pid;
    void *value;
    while (map_each(&helper->orphans, &at, &pid, &value)) {
        const struct orphan *orphan = value;
        if (orphan->doomed && (orphan->fence == task->fence || orphan->fence == 0)) {
            return true;
        }
    }
    return false;
}

void helper_reap(struct helper *helper)
{
    while (reap_one(helper)) {
    }
    if (helper->dead == NULL) {
        return;
    }
    doom_orphans(helper);
    int64_t now = moment_boot_ms();
    struct task **at = &helper->dead;
    while (*at != NULL) {
        struct task *task = *at;
        if (task_has_doomed(helper, task) && now < task->give_up_ms) {
            at = &task->next_dead;
            continue;
        }
        *at = task->next_dead;
        task_ended(helper, task);
    }
}

void helper_signal(struct helper *helper, uint64_t fence, int signal)
{
    struct pending **at = &helper->pending;
    while (*at != NULL && (*at)->request.fence != fence) {
        at = &(*at)->next;
    }
    struct pending *pending = *at;
    if (pending != NULL) {
        /* Stopped before it began: to the agent as if it had died of the signal. */
        *at = pending->next;
        helper->pending_count--;
        if (*at == NULL) {
            helper->pending_tail = at;
        }
        struct report report = {
            .kind = REPORT_ENDED,
            .fence = fence,
            .status = signal,
            .flags = REPORT_WAS_SIGNALLED,
        };
        helper_report(helper, &report, STR(""));
        pending_free(pending);
        return;
    }
    struct task *task = map_get(&helper->by_fence, fence);
    if (task == NULL) {
        return;
    }
    /* One that is a zombie by now completed by itself. */
    siginfo_t info = { 0 };
    if (waitid(P_PID, (id_t)task->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
        info.si_pid == 0) {
        task->signalled = true;
    }
    kill(-task->pid, signal);
    if (signal != SIGKILL) {
        kill(-task->pid, SIGCONT); /* a stopped one would not hear it */
    }
}

/* False: no child is left, dead or alive. */
static bool reap_all(void)
{
    for (;;) {
        siginfo_t info = { 0 };
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG) != 0) {
            return errno == EINTR;
        }
        if (info.si_pid == 0) {
            return true;
        }
    }
}

void helper_kill_all(struct helper *helper)
{
    size_t walk = 0;
    uint64_t group;
    void *task;
    while (map_each(&helper->by_pid, &walk, &group, &task)) {
        kill(-(pid_t)group, SIGKILL);
    }
    int64_t until_ms = moment_boot_ms() + HELPER_FAREWELL_MS;
    /* Each round kills the inherited; their children are inherited in turn. */
    while (reap_all() && moment_boot_ms() < until_ms) {
        buf_clear(&helper->children);
        procfs_children(helper->children_fd, &helper->children);
        for (size_t at = 0; at + sizeof(int32_t) <= helper->children.length;
             at += sizeof(int32_t)) {
            int32_t pid;
            memcpy(&pid, helper->children.data + at, sizeof pid);
            kill_group_of(pid);
        }
        struct pollfd wait_for = { .fd = helper->signal_fd, .events = POLLIN };
        if (poll(&wait_for, 1, 20) > 0) {
            struct signalfd_siginfo signal;
            (void)!read(helper->signal_fd, &signal, sizeof signal);
        }
    }
}
