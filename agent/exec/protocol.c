/* See protocol.h. */
#include "agent/exec/protocol.h"

#include <string.h>
#include <sys/socket.h>

#include "common/base/check.h"

bool protocol_send(int socket_fd, struct str data, const int *fds, size_t fds_count, int flags)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int) * PROTOCOL_PACKET_FDS_MAX)];
    } control;
    struct iovec part = { .iov_base = (void *)(uintptr_t)data.data, .iov_len = data.length };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
    CHECK(fds_count <= PROTOCOL_PACKET_FDS_MAX);
    if (fds_count > 0) {
        size_t bytes = fds_count * sizeof(int);
        memset(&control, 0, CMSG_SPACE(bytes));
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(bytes);
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        CHECK(header != NULL);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(bytes);
        memcpy(CMSG_DATA(header), fds, bytes);
    }
    return sendmsg(socket_fd, &message, flags | MSG_NOSIGNAL) >= 0;
}
