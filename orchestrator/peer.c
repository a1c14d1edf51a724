#include "orchestrator/peer.h"

#include <string.h>

#include "common/base/mem.h"

static void leave_waiting(struct peers *peers, struct peer *peer)
{
    if (peer->previous != NULL) {
        peer->previous->next = peer->next;
    } else {
        peers->waiting_first = peer->next;
    }
    if (peer->next != NULL) {
        peer->next->previous = peer->previous;
    } else {
        peers->waiting_last = peer->previous;
    }
    peer->next = NULL;
    peer->previous = NULL;
}

struct peer *peer_open(struct peers *peers, uint64_t channel, const struct net_identity *identity,
                       int64_t boot_ms)
{
    struct peer *peer = mem_alloc(sizeof *peer);
    peer->channel = channel;
    peer->identity = *identity;
    peer->opened_boot_ms = boot_ms;
    peer->previous = peers->waiting_last;
    if (peers->waiting_last != NULL) {
        peers->waiting_last->next = peer;
    } else {
        peers->waiting_first = peer;
    }
    peers->waiting_last = peer;
    map_put(&peers->by_channel, channel, peer);
    return peer;
}

struct peer *peer_find(const struct peers *peers, uint64_t channel)
{
    return map_get(&peers->by_channel, channel);
}

void peer_greeted(struct peers *peers, struct peer *peer, struct str device)
{
    if (!peer->greeted) {
        peer->greeted = true;
        memcpy(peer->device, device.data, device.length);
        leave_waiting(peers, peer);
    }
}

void peer_close(struct peers *peers, struct peer *peer)
{
    if (!peer->greeted) {
        leave_waiting(peers, peer);
    }
    map_remove(&peers->by_channel, peer->channel);
    mem_free(peer);
}

void peers_done(struct peers *peers)
{
    size_t at = 0;
    uint64_t channel = 0;
    void *peer = NULL;
    while (map_each(&peers->by_channel, &at, &channel, &peer)) {
        mem_free(peer);
    }
    map_done(&peers->by_channel);
}
