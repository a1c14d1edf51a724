/* The helper's loop: packets from the agent, deaths of children, reports back. */
#include "agent/exec/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/exec/moment.h"
#include "agent/exec/procfs.h"
#include "common/base/mem.h"

/* False: the agent is gone. */
static bool receive_signals(struct helper *helper)
{
    struct signalfd_siginfo signals[16];
    ssize_t length;
    while ((length = read(helper->signal_fd, signals, sizeof signals)) > 0) {
        if ((size_t)length < sizeof signals) {
            break;
        }
    }
    helper_reap(helper);
    /* PR_SET_PDEATHSIG sends us SIGTERM. From anybody else it is nothing to us: the agent decides
       when its tasks end, and a service manager tells the agent as well. */
    return getppid() == helper->agent_pid;
}

static int look_ms(const struct helper *helper, int64_t now)
{
    if (helper->pending != NULL) {
        return 0;
    }
    int64_t wait = helper_report_wait_ms(helper, now);
    if (wait < 0 && helper->dead != NULL) {
        wait = 100; /* an end may be overdue */
    }
    return (int)wait;
}

/* False: the agent is gone. */
static bool look(struct helper *helper, int64_t now)
{
    struct pollfd fds[2] = {
        { .fd = helper->socket_fd, .events = POLLIN },
        { .fd = helper->signal_fd, .events = POLLIN },
    };
    int ready = poll(fds, 2, look_ms(helper, now));
    if (ready < 0 && errno != EINTR) {
        return false;
    }
    if (ready > 0 && fds[1].revents != 0 && !receive_signals(helper)) {
        return false;
    }
    if (ready > 0 && fds[0].revents != 0 && !helper_receive(helper)) {
        return false;
    }
    if (ready == 0 && helper->dead != NULL) {
        helper_reap(helper);
    }
    return true;
}

static void run(struct helper *helper)
{
    int64_t looked_ms = 0;
    for (;;) {
        int64_t now = moment_boot_ms();
        if (helper_report_wait_ms(helper, now) == 0 && !helper_report_send(helper, now)) {
            return;
        }
        if (helper->pending == NULL || now - looked_ms >= HELPER_LOOK_MS) {
            looked_ms = now;
            if (!look(helper, now)) {
                return;
            }
        }
        if (helper->pending != NULL) {
            helper_spawn(helper, helper_next(helper));
        }
    }
}

/* By the bare system call: the C library keeps its own two signals out of reach, and what they are
   set to would be inherited by every task. All-zero is SIG_DFL. */
static void reset_signals(void)
{
    static const unsigned long action[16];
    for (int signal = 1; signal <= 64; signal++) {
        (void)syscall(SYS_rt_sigaction, signal, action, NULL, 8);
    }
}

/* The three lowest are lent to each process that is made, so they must be ours and nothing else. */
static void open_standard(struct helper *helper)
{
    do {
        helper->null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    } while (helper->null_fd >= 0 && helper->null_fd <= STDERR_FILENO);
    helper->stderr_fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    dup2(helper->null_fd, STDIN_FILENO);
    dup2(helper->null_fd, STDOUT_FILENO);
}

static bool set_up(struct helper *helper)
{
    struct stat status;
    if (fstat(PROTOCOL_FD, &status) != 0 || !S_ISSOCK(status.st_mode)) {
        fprintf(stderr, "asterism-exec is started by asterism-agent, not by hand\n");
        return false;
    }
    (void)close_range(PROTOCOL_FD + 1, ~0U, 0);
    fcntl(PROTOCOL_FD, F_SETFD, FD_CLOEXEC);
    helper->socket_fd = PROTOCOL_FD;
    helper->agent_pid = getppid();
    helper->pid = getpid();
    reset_signals();
    /* All are blocked, none is ignored: an ignored one would stay ignored in every task. */
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    sigset_t wanted;
    sigemptyset(&wanted);
    sigaddset(&wanted, SIGCHLD);
    sigaddset(&wanted, SIGTERM);
    helper->signal_fd = signalfd(-1, &wanted, SFD_NONBLOCK | SFD_CLOEXEC);
    open_standard(helper);
    helper->children_fd = procfs_children_open();
    helper->lanes_path = mem_format("%s" PROTOCOL_PIPES_NAME, helper->root);
    lanes_init(&helper->lanes, helper->lanes_path);
    umask(022);
    helper->is_at_root = chdir(helper->root) == 0;
    if (helper->signal_fd < 0 || helper->null_fd < 0 || helper->stderr_fd < 0 ||
        (!helper->is_at_root && chdir("/") != 0) || prctl(PR_SET_CHILD_SUBREAPER, 1) != 0 ||
        prctl(PR_SET_PDEATHSIG, SIGTERM) != 0) {
        fprintf(stderr, "asterism-exec: %s\n", strerror(errno));
        return false;
    }
    return true;
}

static void tear_down(struct helper *helper)
{
    size_t at = 0;
    uint64_t key;
    void *value;
    while (map_each(&helper->by_pid, &at, &key, &value)) {
        mem_free(value);
    }
    for (at = 0; map_each(&helper->orphans, &at, &key, &value);) {
        mem_free(value);
    }
    while (helper->dead != NULL) {
        struct task *next = helper->dead->next_dead;
        mem_free(helper->dead);
        helper->dead = next;
    }
    while (helper->pending != NULL) {
        struct pending *next = helper->pending->next;
        pending_free(helper->pending);
        helper->pending = next;
    }
    lanes_done(&helper->lanes);
    mem_free(helper->lanes_path);
    map_done(&helper->by_pid);
    map_done(&helper->by_fence);
    map_done(&helper->orphans);
    buf_done(&helper->reports);
    buf_done(&helper->report_fds);
    buf_done(&helper->children);
    buf_done(&helper->scratch);
    mem_free(helper->pointers);
}

int main(int argc, char **argv)
{
    struct helper helper = { .root = argc > 1 ? argv[1] : "/" };
    helper.pending_tail = &helper.pending;
    helper.young_tail = &helper.young;
    if (!set_up(&helper)) {
        return 2;
    }
    struct report ready = { .kind = REPORT_READY, .status = PROTOCOL_VERSION };
    helper_report(&helper, &ready, STR(""));
    run(&helper);
    helper_kill_all(&helper);
    tear_down(&helper);
    return 0;
}
