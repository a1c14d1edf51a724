/* Receipts: what a daemon had promised a device, signed, so that a database that was put back to an
   older state is found out by the agents (proto/README.md). */
#ifndef ORCHESTRATOR_RECEIPT_H
#define ORCHESTRATOR_RECEIPT_H

#include "common/base/arena.h"
#include "orchestrator/store/store.h"
#include "proto/msg/msg.h"

/* Adds this start's id and the signature; the rest stands. */
void receipt_sign(const struct store_start *start, struct str device, struct arena *arena,
                  struct msg_receipt *receipt);
/* One that this database's secret signed for this device. */
bool receipt_is_ours(const struct store_start *start, struct str device,
                     const struct msg_receipt *receipt);

#endif
