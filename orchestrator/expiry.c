#include "orchestrator/expiry.h"

#include "common/sys/certificate.h"
#include "common/sys/clock.h"
#include "common/sys/log.h"
#include "orchestrator/api/api.h"

static const int64_t DAY_MS = INT64_C(24) * 60 * 60 * 1000;

void expiry_begin(struct expiry *expiry, const char *path)
{
    struct reason reason;
    *expiry = (struct expiry){ .next_boot_ms = INT64_MAX };
    if (path == NULL) {
        return;
    }
    if (certificate_expires(path, &expiry->wall_ms, &reason) != ERR_NONE) {
        log_warn("tls.certificate_unread", "reason=\"%s\"", reason.text);
        return;
    }
    expiry->path = path;
    expiry->next_boot_ms = clock_boot_ms();
}

void expiry_look(struct expiry *expiry)
{
    int64_t now = clock_boot_ms();
    if (now < expiry->next_boot_ms) {
        return;
    }
    expiry->next_boot_ms = now + DAY_MS;
    int64_t left_ms = expiry->wall_ms - clock_wall_ms();
    if (left_ms <= 0) {
        log_warn("tls.certificate_expired", "file=%s days_ago=%lld", expiry->path,
                 (long long)(-left_ms / DAY_MS));
    } else if (left_ms < API_CERTIFICATE_WARN_MS) {
        log_warn("tls.certificate_expires", "file=%s in_days=%lld", expiry->path,
                 (long long)(left_ms / DAY_MS));
    }
}
