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
#include "common/base/check.h"
#include "common/base/mem.h"

/* False: the agent is gone. Blocks if the agent is slow to read: it never waits for us. */
static bool flush_reports(struct helper *helper)
{
    if (helper->reports.length == 0) {
        return true;
    }
    ssize_t sent;
    do {
        sent = send(helper->socket_fd, helper->reports.data, helper->reports.length, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    buf_clear(&helper->reports);
    helper->reports_ended = 0;
    return sent >= 0;
}

void helper_report(struct helper *helper, const struct report *report, const char *text)
{
    struct report record = *report;
    record.text_bytes = text == NULL ? 0 : (uint32_t)strlen(text);
    record.bytes = protocol_padded((uint32_t)sizeof record + record.text_bytes);
    if (helper->reports.length + record.bytes > PROTOCOL_PACKET_BYTES_MAX) {
        /* A failed send is found again at the next receive, which says that the agent is gone. */
        (void)flush_reports(helper);
    }
    if (helper->reports.length == 0) {
        helper->reports_since_ms = moment_boot_ms();
    }
    uint8_t *to = buf_reserve(&helper->reports, record.bytes);
    memset(to, 0, record.bytes);
    memcpy(to, &record, sizeof record);
    if (text != NULL) {
        memcpy(to + sizeof record, text, record.text_bytes);
    }
    helper->reports.length += record.bytes;
    helper->reports_ended += record.kind == REPORT_STARTED ? 0 : 1;
}

/* The command's strings out of a memfd; NULL if it cannot be read. Closes fd. */
static char *read_command(int fd, uint32_t bytes)
{
    char *command = mem_alloc((size_t)bytes + 1);
    size_t length = 0;
    while (length < bytes) {
        ssize_t got = pread(fd, command + length, bytes - length, (off_t)length);
        if (got <= 0) {
            mem_free(command);
            command = NULL;
            break;
        }
        length += (size_t)got;
    }
    close(fd);
    return command;
}

struct fd_list {
    int fds[PROTOCOL_PACKET_FDS_MAX];
    size_t count;
    size_t next;
};

/* -1 when the kernel could not give us all of them: the start then fails, in words. */
static int take_fd(struct fd_list *list)
{
    return list->next < list->count ? list->fds[list->next++] : -1;
}

static void add_pending(struct helper *helper, const struct request *request,
                        const uint8_t *inlined, struct fd_list *list)
{
    struct pending *pending = mem_alloc(sizeof *pending);
    pending->request = *request;
    pending->fds[1] = take_fd(list);
    pending->fds[2] = take_fd(list);
    pending->fds[0] = (request->flags & REQUEST_HAS_STDIN) != 0 ? take_fd(list) : -1;
    CHECK(request->command_bytes <= PROTOCOL_COMMAND_BYTES_MAX);
    if ((request->flags & REQUEST_COMMAND_IN_FD) != 0) {
        int fd = take_fd(list);
        pending->command = fd < 0 ? NULL : read_command(fd, request->command_bytes);
    } else {
        CHECK(sizeof *request + request->command_bytes <= request->bytes);
        pending->command = mem_copy(inlined, request->command_bytes);
    }
    *helper->pending_tail = pending;
    helper->pending_tail = &pending->next;
    helper->pending_count++;
}

static void take_packet(struct helper *helper, const uint8_t *data, size_t length,
                        struct fd_list *list)
{
    size_t at = 0;
    while (at + sizeof(struct request) <= length) {
        struct request request;
        memcpy(&request, data + at, sizeof request);
        CHECK(request.bytes >= sizeof request && request.bytes <= length - at);
        if (request.kind == REQUEST_START) {
            add_pending(helper, &request, data + at + sizeof request, list);
        } else if (request.kind == REQUEST_SIGNAL) {
            helper_signal(helper, request.fence, request.signal);
        }
        at += request.bytes;
    }
    while (list->next < list->count) {
        close(list->fds[list->next++]);
    }
}

/* False: the agent is gone. */
static bool receive(struct helper *helper)
{
    static uint8_t data[PROTOCOL_PACKET_BYTES_MAX];
    static _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * PROTOCOL_PACKET_FDS_MAX)];
    struct iovec part = { .iov_base = data, .iov_len = sizeof data };
    struct msghdr message = {
        .msg_iov = &part,
        .msg_iovlen = 1,
        .msg_control = control,
        .msg_controllen = sizeof control,
    };
    ssize_t length = recvmsg(helper->socket_fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (length < 0) {
        return errno == EAGAIN || errno == EINTR;
    }
    if (length == 0) {
        return false;
    }
    struct fd_list list = { .count = 0 };
    for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header != NULL;
         header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
            list.count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
            memcpy(list.fds, CMSG_DATA(header), list.count * sizeof(int));
        }
    }
    take_packet(helper, data, (size_t)length, &list);
    return true;
}

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

static int wait_ms(const struct helper *helper)
{
    if (helper->pending != NULL) {
        return 0;
    }
    return helper->dead != NULL ? 100 : -1; /* an end may be overdue */
}

/* Reports travel in company while there is other work, for each time that the agent is woken costs as
   much as several of them. They go when as many slots wait for the agent as starts wait for us. */
static bool reports_are_due(const struct helper *helper)
{
    return helper->pending_count <= helper->reports_ended ||
           moment_boot_ms() - helper->reports_since_ms >= HELPER_FLUSH_MS;
}

static void run(struct helper *helper)
{
    struct pollfd fds[2] = {
        { .fd = helper->socket_fd, .events = POLLIN },
        { .fd = helper->signal_fd, .events = POLLIN },
    };
    for (;;) {
        if (reports_are_due(helper)) {
            if (!flush_reports(helper)) {
                return;
            }
        }
        int ready = poll(fds, 2, wait_ms(helper));
        if (ready < 0 && errno != EINTR) {
            return;
        }
        if (ready > 0 && fds[1].revents != 0 && !receive_signals(helper)) {
            return;
        }
        if (ready > 0 && fds[0].revents != 0 && !receive(helper)) {
            return;
        }
        if (ready == 0 && helper->dead != NULL) {
            helper_reap(helper);
        }
        struct pending *pending = helper->pending;
        if (pending != NULL) {
            helper->pending = pending->next;
            helper->pending_count--;
            if (helper->pending == NULL) {
                helper->pending_tail = &helper->pending;
            }
            helper_spawn(helper, pending);
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
    helper->null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    helper->children_fd = procfs_children_open();
    umask(022);
    if (helper->signal_fd < 0 || helper->null_fd < 0 || chdir("/") != 0 ||
        prctl(PR_SET_CHILD_SUBREAPER, 1) != 0 || prctl(PR_SET_PDEATHSIG, SIGTERM) != 0) {
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
    map_done(&helper->by_pid);
    map_done(&helper->by_fence);
    map_done(&helper->orphans);
    buf_done(&helper->reports);
    buf_done(&helper->children);
    buf_done(&helper->scratch);
    mem_free(helper->pointers);
}

int main(int argc, char **argv)
{
    struct helper helper = { .root = argc > 1 ? argv[1] : "/" };
    helper.pending_tail = &helper.pending;
    if (!set_up(&helper)) {
        return 2;
    }
    struct report ready = { .kind = REPORT_READY, .status = PROTOCOL_VERSION };
    helper_report(&helper, &ready, NULL);
    run(&helper);
    helper_kill_all(&helper);
    tear_down(&helper);
    return 0;
}
