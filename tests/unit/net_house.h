/* A daemon's outside on a free port with handlers that write down what they see, and raw clients
   that can misbehave: what the tests of the network share. Everything runs on one nest in one
   thread. */
#ifndef TESTS_UNIT_NET_HOUSE_H
#define TESTS_UNIT_NET_HOUSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "orchestrator/net/net.h"

struct event;

enum { HOUSE_LIMIT_MS = 20000 };

#define LOCAL "Host: localhost\r\n"

struct house {
    struct nest *nest;
    struct net *net;
    struct net_config config;
    char folder[64]; /* a temporary one, removed at the end */

    /* How it behaves. */
    bool wants_token; /* "agent-token", "viewer-token", "admin-token" */
    bool echoes;      /* frames go back as they came */
    bool holds;       /* requests are not answered by the handler */

    /* What it saw. */
    unsigned opened;
    unsigned closed;
    char closed_why[160];
    uint64_t channel;
    struct net_identity identity;
    char peer[64];
    unsigned frames;
    size_t frame_bytes;
    struct buf frame; /* the last one */
    unsigned requests;
    uint64_t request_id;
    struct buf seen; /* "METHOD path?query body=N role actor\n" of each */
    struct buf body; /* of the last one */
    unsigned gone;
    unsigned drained;
};

/* With usable defaults in config; change them before house_open. */
void house_init(struct house *house);
void house_open(struct house *house);
void house_close(struct house *house);
/* A house that each test has for itself: as its set-up and its tear-down. */
int house_set_up(void **state);
int house_tear_down(void **state);
/* Runs the loops until `done` says so; fails the test if it never does. */
void house_until(struct house *house, bool (*done)(void *context), void *context);
/* Runs the loops until `*counter` is at least `least`. */
void house_until_count(struct house *house, const unsigned *counter, unsigned least);
const char *house_path(struct house *house,
                       const char *name); /* in the folder; valid until the next */
void house_write(struct house *house, const char *name, const char *text);
/* A certificate that signs itself, for these names ("IP:127.0.0.1"), and its key, into NAME.pem and NAME.key of
   the folder (net_certificate.c). */
void house_certificate(struct house *house, const char *name, const char *names);

/* A client of bytes. */
struct raw {
    struct house *house;
    struct event *ready;
    struct buf got;
    int fd;
    bool ended; /* by the other side */
};

void raw_open(struct raw *raw, struct house *house);
void raw_open_unix(struct raw *raw, struct house *house, const char *path);
void raw_send(struct raw *raw, const char *text);
void raw_send_bytes(struct raw *raw, const void *bytes, size_t count);
void raw_until_text(struct raw *raw, const char *text); /* has arrived */
void raw_until_end(struct raw *raw);
const char *raw_text(struct raw *raw);
void raw_close(struct raw *raw);
/* Of an answer, or the test fails with it. */
void expect_part(const char *answer, const char *part);
/* One request on a connection of its own; the whole answer, valid until the next call. */
const char *raw_ask(struct house *house, const char *request);
/* Upgrades to a WebSocket by hand. */
void raw_upgrade(struct raw *raw);
/* A masked client frame: first byte (FIN and opcode), announced length, and what is sent of it. */
void raw_send_frame(struct raw *raw, unsigned first, size_t announced, const void *bytes,
                    size_t count);
/* The code of the close frame at the end of what arrived; 0: none. */
unsigned raw_close_code(struct raw *raw);
unsigned raw_until_close(struct raw *raw); /* waits for it; it stays unanswered */

#endif
