/* The agent's journal, in memory: what a kill leaves and what a power cut leaves. Sessions are on the
   disk when they are committed, and with them all that was written before; of what came later a power
   cut keeps some first part. */
#ifndef TESTS_SIM_JOURNAL_TWIN_H
#define TESTS_SIM_JOURNAL_TWIN_H

#include "agent/engine/agent_effect.h"
#include "common/base/map.h"
#include "common/base/rng.h"

struct journal_state {
    struct map rows; /* fence → struct agent_record, one piece of memory each */
    uint64_t session;
    struct msg_receipt receipt;
    char start_id[MSG_ID_BYTES_MAX];
    char hmac[MSG_ID_BYTES_MAX];
};

/* One row written or removed, of a transaction that may still be lost. */
struct journal_write {
    uint64_t fence;
    struct agent_record *record; /* NULL: removed */
    uint64_t transaction;
};

struct journal_twin {
    struct journal_state now;
    struct journal_state synced;
    struct journal_write *writes; /* since the last sync */
    size_t writes_count;
    size_t writes_capacity;
    uint64_t transactions;
};

void journal_twin_commit(struct journal_twin *journal, const struct agent_effects *effects,
                         bool forget_sync);
/* Returns how many rows' changes were lost. */
size_t journal_twin_power_cut(struct journal_twin *journal, struct rng *rng);
/* As a reboot finds it: results whose output stood in a spool count as died. Returns how many. */
size_t journal_twin_rebooted(struct journal_twin *journal);
const struct agent_record *journal_twin_get(const struct journal_twin *journal, uint64_t fence);
/* The fences in rising order; the caller frees them. */
uint64_t *journal_twin_fences(const struct journal_twin *journal, size_t *ret_count);
void journal_twin_done(struct journal_twin *journal);

#endif
