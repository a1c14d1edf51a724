/* A peer of our own at /aip, which need not keep the rules: a WebSocket by hand over a plain socket. */
#ifndef TESTS_E2E_AIP_H
#define TESTS_E2E_AIP_H

#include "common/base/arena.h"
#include "proto/msg/msg.h"
#include "tests/e2e/fleet.h"

enum { AIP_BINARY = 2, AIP_TEXT = 1, AIP_CLOSE = 8 };

struct aip {
    int fd;
    int status;        /* of the upgrade: 101 when it stands; 0: no answer */
    char answer[2048]; /* the head of the answer and what came with it */
    uint8_t buffer[65536];
    size_t buffered;
    struct arena arena;
    int close_code; /* of a close frame that has come; 0: none */
    char close_reason[128];
    char error_reason[256]; /* of an Error message that has come */
};

/* A TCP connection and nothing more. */
int aip_socket(struct fleet *fleet);
/* Asks for the upgrade. `header` is a further header line with its CRLF, or "". */
void aip_open(struct aip *aip, struct fleet *fleet, const char *subprotocol, const char *header);
void aip_done(struct aip *aip);
/* One whole frame, masked. False if the connection has gone. */
bool aip_frame(struct aip *aip, int opcode, const void *bytes, size_t length);
bool aip_bytes(struct aip *aip, const void *bytes, size_t length); /* as they are */
bool aip_send(struct aip *aip, const struct msg *msg);
/* A Hello as `device` with the journal id `journal`, the Welcome for it, and Ready. */
bool aip_greet(struct aip *aip, const char *device, const char *journal, struct msg *ret_welcome);
/* Waits for a message of this kind, dropping others; false if the connection ended or time did. */
bool aip_expect(struct aip *aip, enum msg_kind kind, int64_t limit_ms, struct msg *ret_msg);
/* Waits until the daemon has closed the connection; what it said stands in the struct. */
bool aip_expect_closed(struct aip *aip, int64_t limit_ms);
/* Takes what has come without waiting; true if the connection has ended. */
bool aip_has_ended(struct aip *aip);

#endif
