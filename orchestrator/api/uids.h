/* Which number stands behind the ids of constellations that clients have named of late: of a live one a
   change then needs no look into the database. An id is given out once, so what is kept here stays true; whether
   the constellation is still there the engine knows. */
#ifndef ORCHESTRATOR_API_UIDS_H
#define ORCHESTRATOR_API_UIDS_H

#include "orchestrator/store/query.h"

enum { UIDS_KEPT = 64 };

/* Zero-initialised is empty. */
struct uids {
    struct {
        int64_t id; /* 0: none */
        size_t length;
        char text[QUERY_ID_BYTES_MAX];
    } kept[UIDS_KEPT];
};

int64_t uids_find(const struct uids *uids, struct str uid); /* 0: it is not kept */
void uids_keep(struct uids *uids, struct str uid, int64_t id);

#endif
