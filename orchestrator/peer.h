/* Agents' connections as the loop sees them: who they are bound to, when they must have said Hello,
   and the decoding of what they send into events. */
#ifndef ORCHESTRATOR_PEER_H
#define ORCHESTRATOR_PEER_H

#include "common/base/map.h"
#include "orchestrator/net/net.h"
#include "orchestrator/store/store.h"

/* From the upgrade to a complete Hello. */
#define PEER_HELLO_MS ((int64_t)10000)

struct peer {
    uint64_t channel;
    struct net_identity identity;
    char device[MSG_NAME_BYTES_MAX + 1]; /* as its Hello said; "" before */
    int64_t opened_boot_ms;
    struct peer *next; /* those without a Hello, the oldest first */
    struct peer *previous;
    bool greeted;
    bool closing; /* we have told it to go: what it still sends is not looked at */
};

/* Zero-initialised is empty. */
struct peers {
    struct map by_channel;
    struct peer *waiting_first;
    struct peer *waiting_last;
};

struct peer *peer_open(struct peers *peers, uint64_t channel, const struct net_identity *identity,
                       int64_t boot_ms);
struct peer *peer_find(const struct peers *peers, uint64_t channel);
void peer_greeted(struct peers *peers, struct peer *peer, struct str device);
void peer_close(struct peers *peers, struct peer *peer);
void peers_done(struct peers *peers);

#endif
