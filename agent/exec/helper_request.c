/* What the agent asks for: packets taken apart into starts that wait and signals, with the descriptors
   that came along. */
#include "agent/exec/helper.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/base/mem.h"

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
    pending->stdin_fd = (request->flags & REQUEST_HAS_STDIN) != 0 ? take_fd(list) : -1;
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

bool helper_receive(struct helper *helper)
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

struct pending *helper_next(struct helper *helper)
{
    struct pending *pending = helper->pending;
    helper->pending = pending->next;
    helper->pending_count--;
    if (helper->pending == NULL) {
        helper->pending_tail = &helper->pending;
    }
    return pending;
}

void pending_free(struct pending *pending)
{
    if (pending->stdin_fd >= 0) {
        close(pending->stdin_fd);
    }
    mem_free(pending->command);
    mem_free(pending);
}
