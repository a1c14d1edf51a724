/* The network: connections between agents and the daemon. What goes one way over one connection stays
   in order; a connection can be late, cut in the middle of what it carries, or dead without that
   either side knows. */
#ifndef TESTS_SIM_NET_H
#define TESTS_SIM_NET_H

#include "common/base/buf.h"
#include "common/base/str.h"

struct world;
struct host;
struct occurrence;

enum side { SIDE_DAEMON, SIDE_HOST };

/* What reaches a side: a frame, or news of its connection. */
enum arrival_kind {
    ARRIVAL_OPENED,
    ARRIVAL_FRAME,
    ARRIVAL_CLOSED,
    ARRIVAL_REFUSED, /* the dial was answered, and not welcome */
    /* From elsewhere. */
    ARRIVAL_SUBMIT,
    ARRIVAL_CANCEL,
    ARRIVAL_WISH,
    ARRIVAL_STARTED,
    ARRIVAL_OUTPUT,
    ARRIVAL_ENDED,
    ARRIVAL_SHUTDOWN,
};

struct arrival {
    enum arrival_kind kind;
    uint64_t link;
    struct buf frame;
    uint64_t number; /* a fence, or the index of a constellation, a plan, a wish */
    struct arrival *next;
};

struct inbox {
    struct arrival *first;
    struct arrival *last;
    size_t count;
};

struct arrival *inbox_add(struct inbox *inbox, enum arrival_kind kind, uint64_t link);
struct arrival *inbox_take(struct inbox *inbox); /* NULL: empty */
void inbox_clear(struct inbox *inbox);
void arrival_free(struct arrival *arrival);

struct link {
    uint64_t id;
    struct host *host;
    bool open[2];       /* as each side sees it */
    bool cut;           /* nothing sent from now on arrives */
    int64_t cut_ms[2];  /* by direction, named after who sends: what is due later is lost */
    int64_t last_ms[2]; /* when what was sent last is due */
    int64_t late_until_ms;
    bool greeted;       /* the daemon has read a Hello */
    bool excused;       /* garbage was put into it */
    bool refused;       /* the daemon takes no more frames of it */
    struct buf pending; /* envelopes that the daemon has said in this turn, the next frame */
    struct link *pending_next;
    bool is_pending;
};

struct net {
    struct link **links; /* the one with id n at n - 1 */
    size_t count;
    struct link *pending; /* those to which the daemon has said something in this turn */
};

void net_done(struct net *net);
/* It will never be: what it carries is freed. */
void net_forget(const struct occurrence *occurrence);
struct link *net_link(const struct world *world, uint64_t id); /* NULL for 0 */
/* Ends in ARRIVAL_OPENED, ARRIVAL_CLOSED or ARRIVAL_REFUSED at the host, or in nothing at all. */
uint64_t net_dial(struct world *world, struct host *host);
void net_send(struct world *world, uint64_t id, enum side from, struct str frame);
/* What was sent before arrives first; the other side then sees the end, and this one its answer. */
void net_close(struct world *world, uint64_t id, enum side from);
/* Each side notices after so long; -1: never. */
void net_cut(struct world *world, struct link *link, int64_t daemon_ms, int64_t host_ms);
/* The process of this side is gone: the connection is cut, the other side notices soon or late. */
void net_side_died(struct world *world, struct link *link, enum side side);

#endif
