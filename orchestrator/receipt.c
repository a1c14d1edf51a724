#include "orchestrator/receipt.h"

#include "common/base/buf.h"
#include "common/sys/digest.h"

static void sign(const struct store_start *start, struct str device,
                 const struct msg_receipt *receipt, uint8_t ret_digest[DIGEST_BYTES])
{
    struct buf text = { 0 };
    buf_printf(&text, "asterism receipt 1\n%llu\n%llu\n", (unsigned long long)receipt->epoch,
               (unsigned long long)receipt->fence);
    buf_append(&text, receipt->start_id.data, receipt->start_id.length);
    buf_append(&text, device.data, device.length);
    digest_hmac_sha256(start->secret, sizeof start->secret, text.data, text.length, ret_digest);
    buf_done(&text);
}

void receipt_sign(const struct store_start *start, struct str device, struct arena *arena,
                  struct msg_receipt *receipt)
{
    receipt->start_id =
        arena_str(arena, (struct str){ (const char *)start->start_id, sizeof start->start_id });
    uint8_t digest[DIGEST_BYTES];
    sign(start, device, receipt, digest);
    receipt->hmac = arena_str(arena, (struct str){ (const char *)digest, sizeof digest });
}

bool receipt_is_ours(const struct store_start *start, struct str device,
                     const struct msg_receipt *receipt)
{
    if (receipt->start_id.length != sizeof start->start_id ||
        receipt->hmac.length != DIGEST_BYTES) {
        return false;
    }
    uint8_t digest[DIGEST_BYTES];
    sign(start, device, receipt, digest);
    return digest_equal(digest, receipt->hmac.data, sizeof digest);
}
