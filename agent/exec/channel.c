#include "agent/exec/channel.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "agent/exec/moment.h"
#include "common/base/check.h"
#include "common/base/mem.h"

enum {
    READY_WAIT_MS = 10000,
    CLOSE_WAIT_MS = 15000,
    RETRY_US = 2000,        /* the helper has not read the last packets yet */
    PACKETS_A_PASS_MAX = 8, /* of reports, so that others in the loop have their turn */
    START_FDS_MAX = 2,
};

/* Requests that travel together. */
struct packet {
    struct buf data;
    int fds[PROTOCOL_PACKET_FDS_MAX];
    size_t fds_count;
    struct packet *next;
};

struct channel {
    struct channel_callbacks callbacks;
    int fd;
    pid_t helper_pid;
    bool is_lost;
    struct event readable;
    struct event flush; /* activated by hand, and by its timeout when the socket is full */
    struct packet *first;
    struct packet *last;
};

static void packet_free(struct packet *packet)
{
    for (size_t i = 0; i < packet->fds_count; i++) {
        close(packet->fds[i]);
    }
    buf_done(&packet->data);
    mem_free(packet);
}

static void drop_packets(struct channel *channel)
{
    while (channel->first != NULL) {
        struct packet *next = channel->first->next;
        packet_free(channel->first);
        channel->first = next;
    }
    channel->last = NULL;
}

static bool send_packet(const struct channel *channel, const struct packet *packet)
{
    struct str data = { (const char *)packet->data.data, packet->data.length };
    return protocol_send(channel->fd, data, packet->fds, packet->fds_count, MSG_DONTWAIT);
}

static void flush(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct channel *channel = context;
    while (channel->first != NULL) {
        struct packet *packet = channel->first;
        if (!send_packet(channel, packet)) {
            if (errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN) {
                drop_packets(channel); /* the end of the socket tells the rest */
                return;
            }
            /* Full, or out of buffers: the helper needs time. */
            struct timeval retry = { .tv_usec = RETRY_US };
            event_add(&channel->flush, &retry);
            return;
        }
        channel->first = packet->next;
        if (channel->first == NULL) {
            channel->last = NULL;
        }
        packet_free(packet); /* the helper holds its own copies of the descriptors now */
    }
}

/* The packet that takes a record of so many bytes and descriptors. */
static struct packet *packet_for(struct channel *channel, size_t bytes, size_t fds)
{
    struct packet *last = channel->last;
    if (last != NULL && last->data.length + bytes <= PROTOCOL_PACKET_BYTES_MAX &&
        last->fds_count + fds <= PROTOCOL_PACKET_FDS_MAX) {
        return last;
    }
    struct packet *packet = mem_alloc(sizeof *packet);
    if (last == NULL) {
        channel->first = packet;
        event_active(&channel->flush, EV_TIMEOUT, 0);
    } else {
        last->next = packet;
    }
    channel->last = packet;
    return packet;
}

static void append_request(struct packet *packet, struct request request, const struct buf *command)
{
    size_t inlined = command == NULL ? 0 : command->length;
    request.bytes = protocol_padded((uint32_t)(sizeof request + inlined));
    uint8_t *to = buf_reserve(&packet->data, request.bytes);
    memset(to, 0, request.bytes);
    memcpy(to, &request, sizeof request);
    if (inlined > 0) {
        memcpy(to + sizeof request, command->data, inlined);
    }
    packet->data.length += request.bytes;
}

static int command_memfd(const struct buf *command)
{
    int fd = memfd_create("asterism-command", MFD_CLOEXEC);
    size_t written = 0;
    while (fd >= 0 && written < command->length) {
        ssize_t length = write(fd, command->data + written, command->length - written);
        if (length < 0) {
            int error = errno;
            close(fd);
            errno = error;
            return -1;
        }
        written += (size_t)length;
    }
    return fd;
}

enum err channel_start_take(struct channel *channel, const struct channel_start *start,
                            struct reason *reason)
{
    int fds[START_FDS_MAX];
    size_t count = 0;
    struct request request = {
        .kind = REQUEST_START,
        .fence = start->fence,
        .args_count = start->args_count,
        .env_count = start->env_count,
        .command_bytes = (uint32_t)start->command->length,
    };
    if (start->stdin_fd >= 0) {
        request.flags |= REQUEST_HAS_STDIN;
        fds[count++] = start->stdin_fd;
    }
    enum err err = ERR_NONE;
    const struct buf *inlined = start->command;
    if (channel->is_lost) {
        err = reason_set(reason, ERR_CLOSED, "the exec helper is gone");
    } else if (start->command->length > PROTOCOL_COMMAND_BYTES_MAX) {
        err = reason_set(reason, ERR_LIMIT, "the command is larger than %d bytes",
                         (int)PROTOCOL_COMMAND_BYTES_MAX);
    } else if (start->command->length > PROTOCOL_INLINE_BYTES_MAX) {
        int fd = command_memfd(start->command);
        if (fd < 0) {
            err = reason_set(reason, ERR_IO, "cannot hand over the command: %s", strerror(errno));
        } else {
            request.flags |= REQUEST_COMMAND_IN_FD;
            fds[count++] = fd;
            inlined = NULL;
        }
    }
    if (err != ERR_NONE) {
        for (size_t i = 0; i < count; i++) {
            close(fds[i]);
        }
        return err;
    }
    size_t bytes = sizeof request + (inlined == NULL ? 0 : inlined->length) + 8;
    struct packet *packet = packet_for(channel, bytes, count);
    memcpy(packet->fds + packet->fds_count, fds, count * sizeof fds[0]);
    packet->fds_count += count;
    append_request(packet, request, inlined);
    return ERR_NONE;
}

void channel_signal(struct channel *channel, uint64_t fence, int signal)
{
    if (channel->is_lost) {
        return;
    }
    struct request request = { .kind = REQUEST_SIGNAL, .fence = fence, .signal = signal };
    append_request(packet_for(channel, sizeof request, 0), request, NULL);
}

/* Waits for the helper's exit status for at most wait_ms, then makes it exit. */
static void reap_helper(struct channel *channel, int64_t wait_ms)
{
    int64_t until_ms = moment_boot_ms() + wait_ms;
    const struct timespec pause = { .tv_nsec = 1000000 };
    while (waitpid(channel->helper_pid, NULL, WNOHANG) == 0) {
        if (moment_boot_ms() >= until_ms) {
            kill(channel->helper_pid, SIGKILL);
            waitpid(channel->helper_pid, NULL, 0);
            return;
        }
        nanosleep(&pause, NULL);
    }
}

static void lose(struct channel *channel)
{
    channel->is_lost = true;
    event_del(&channel->readable);
    event_del(&channel->flush);
    drop_packets(channel);
    close(channel->fd);
    channel->fd = -1;
    reap_helper(channel, 100);
    channel->callbacks.lost(channel->callbacks.context);
}

/* The descriptors that came with a packet, in the order of its reports. */
struct fd_list {
    int fds[PROTOCOL_PACKET_FDS_MAX];
    size_t count;
    size_t next;
};

/* -1 also when the kernel could not give us all of them. */
static int take_fd(struct fd_list *list, bool is_there)
{
    return is_there && list->next < list->count ? list->fds[list->next++] : -1;
}

static void hand_out(struct channel *channel, const uint8_t *data, size_t length,
                     struct fd_list *list)
{
    size_t at = 0;
    while (at + sizeof(struct report) <= length) {
        struct report report;
        memcpy(&report, data + at, sizeof report);
        CHECK(report.bytes >= sizeof report && report.bytes <= length - at);
        CHECK(report.text_bytes <= report.bytes - sizeof report);
        struct str text = { (const char *)data + at + sizeof report, report.text_bytes };
        int stdout_fd = take_fd(list, (report.flags & REPORT_HAS_STDOUT) != 0);
        int stderr_fd = take_fd(list, (report.flags & REPORT_HAS_STDERR) != 0);
        channel->callbacks.report(channel->callbacks.context, &report, text,
                                  (int[2]){ stdout_fd, stderr_fd });
        at += report.bytes;
    }
}

/* As recv into `part`, with what travels along. */
static ssize_t receive(int fd, struct iovec *part, struct fd_list *ret_list)
{
    static _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * PROTOCOL_PACKET_FDS_MAX)];
    struct msghdr message = {
        .msg_iov = part,
        .msg_iovlen = 1,
        .msg_control = control,
        .msg_controllen = sizeof control,
    };
    ret_list->count = 0;
    ret_list->next = 0;
    ssize_t length = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    struct cmsghdr *header = length < 0 ? NULL : CMSG_FIRSTHDR(&message);
    if (header != NULL && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
        ret_list->count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        memcpy(ret_list->fds, CMSG_DATA(header), ret_list->count * sizeof(int));
    }
    return length;
}

static void on_readable(evutil_socket_t fd, short what, void *context)
{
    (void)what;
    struct channel *channel = context;
    static uint8_t data[PROTOCOL_PACKET_BYTES_MAX];
    for (int i = 0; i < PACKETS_A_PASS_MAX; i++) {
        struct fd_list list;
        struct iovec part = { .iov_base = data, .iov_len = sizeof data };
        ssize_t length = receive((int)fd, &part, &list);
        if (length < 0 && (errno == EAGAIN || errno == EINTR)) {
            return;
        }
        if (length <= 0) {
            lose(channel);
            return;
        }
        hand_out(channel, data, (size_t)length, &list);
    }
}

/* Its own session, so that what is sent to the agent's group (Ctrl-C) does not reach it. */
static int spawn_helper(const char *path, const char *root, int fd, pid_t *ret_pid)
{
    char *args[3] = { mem_copy_text("asterism-exec"), mem_copy_text(root), NULL };
    char *env[1] = { NULL };
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t set;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, fd, PROTOCOL_FD);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes,
                             POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    sigemptyset(&set);
    posix_spawnattr_setsigmask(&attributes, &set);
    sigfillset(&set);
    posix_spawnattr_setsigdefault(&attributes, &set);
    int error = posix_spawn(ret_pid, path, &actions, &attributes, args, env);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    mem_free(args[0]);
    mem_free(args[1]);
    return error;
}

/* False: nothing came, or not what a helper of our version says. */
static bool wait_ready(int fd)
{
    struct pollfd wait_for = { .fd = fd, .events = POLLIN };
    int ready;
    do {
        ready = poll(&wait_for, 1, READY_WAIT_MS);
    } while (ready < 0 && errno == EINTR);
    struct report report;
    return ready > 0 && recv(fd, &report, sizeof report, 0) == (ssize_t)sizeof report &&
           report.kind == REPORT_READY && report.status == PROTOCOL_VERSION;
}

enum err channel_open(struct event_base *base, const char *helper_path, const char *root,
                      const struct channel_callbacks *callbacks, struct channel **ret_channel,
                      struct reason *reason)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
        return reason_set(reason, ERR_IO, "cannot make a socket pair: %s", strerror(errno));
    }
    /* dup2 onto itself would leave the helper's end marked close-on-exec. */
    int theirs = fcntl(pair[1], F_DUPFD_CLOEXEC, PROTOCOL_FD + 1);
    close(pair[1]);
    pid_t pid = 0;
    int error = theirs < 0 ? errno : spawn_helper(helper_path, root, theirs, &pid);
    if (theirs >= 0) {
        close(theirs);
    }
    if (error != 0) {
        close(pair[0]);
        return reason_set(reason, ERR_IO, "cannot start the exec helper %.256s: %s", helper_path,
                          strerror(error));
    }
    struct channel *channel = mem_alloc(sizeof *channel);
    channel->callbacks = *callbacks;
    channel->fd = pair[0];
    channel->helper_pid = pid;
    if (!wait_ready(channel->fd)) {
        close(channel->fd);
        reap_helper(channel, 1000);
        mem_free(channel);
        return reason_set(reason, ERR_IO, "%.256s is not the exec helper of this version",
                          helper_path);
    }
    event_assign(&channel->readable, base, channel->fd, EV_READ | EV_PERSIST, on_readable, channel);
    event_assign(&channel->flush, base, -1, 0, flush, channel);
    event_add(&channel->readable, NULL);
    *ret_channel = channel;
    return ERR_NONE;
}

void channel_close(struct channel *channel)
{
    if (channel == NULL) {
        return;
    }
    if (!channel->is_lost) {
        event_del(&channel->readable);
        event_del(&channel->flush);
        drop_packets(channel);
        close(channel->fd);
        reap_helper(channel, CLOSE_WAIT_MS);
    }
    mem_free(channel);
}
