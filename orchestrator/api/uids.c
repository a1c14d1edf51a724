/* See uids.h. */
#include "orchestrator/api/uids.h"

#include <string.h>

#include "common/base/map.h"

static size_t place_of(struct str uid)
{
    return hash_bytes(uid.data, uid.length) % UIDS_KEPT;
}

int64_t uids_find(const struct uids *uids, struct str uid)
{
    size_t at = place_of(uid);
    struct str kept = { uids->kept[at].text, uids->kept[at].length };
    return str_equal(kept, uid) ? uids->kept[at].id : 0;
}

void uids_keep(struct uids *uids, struct str uid, int64_t id)
{
    if (uid.length <= QUERY_ID_BYTES_MAX) {
        size_t at = place_of(uid);
        memcpy(uids->kept[at].text, uid.data, uid.length);
        uids->kept[at].length = uid.length;
        uids->kept[at].id = id;
    }
}
