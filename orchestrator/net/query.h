/* Percent-encoding of query strings. */
#ifndef ORCHESTRATOR_NET_QUERY_H
#define ORCHESTRATOR_NET_QUERY_H

#include "common/base/buf.h"
#include "common/base/str.h"

/* Appends "name=value", decoded, in its encoded form: everything but the first '=' and what never
   needs it is encoded. */
void query_encode(struct str part, struct buf *to);

#endif
