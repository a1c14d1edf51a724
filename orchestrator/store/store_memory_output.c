/* Output that the twin owes somebody: when it is on disk, and when that is told. */
#include "common/base/mem.h"
#include "orchestrator/store/store_memory.h"

enum { SYNC_MS = 1000 };

static struct owed *owed_of(struct store_memory *self, uint64_t fence, enum stream stream)
{
    for (size_t i = 0; i < self->owed_count; i++) {
        if (self->owed[i].fence == fence && self->owed[i].stream == stream) {
            return &self->owed[i];
        }
    }
    return NULL;
}

void twin_output(struct store_memory *self, const struct effect *effect)
{
    uint64_t fence = effect->output.fence;
    enum stream stream = effect->output.stream;
    twin_append(self->disk, twin_output_key(fence, stream), effect->output.offset,
                effect->output.data);
    struct owed *owed = owed_of(self, fence, stream);
    if (owed == NULL) {
        if (self->owed_count == self->owed_capacity) {
            self->owed_capacity = self->owed_capacity == 0 ? 64 : self->owed_capacity * 2;
            self->owed = mem_resize(self->owed, self->owed_capacity * sizeof self->owed[0]);
        }
        owed = &self->owed[self->owed_count++];
        *owed = (struct owed){ .fence = fence, .stream = stream, .synced_ms = -SYNC_MS };
    }
    owed->end = effect->output.offset + effect->output.data.length;
    owed->told = false;
    owed->dirty = owed->dirty || owed->end > STORE_OUTPUT_INLINE_MAX;
}

void twin_output_ended(struct store_memory *self, uint64_t fence)
{
    for (size_t i = 0; i < self->owed_count; i++) {
        if (self->owed[i].fence == fence) {
            self->owed[i].dirty = false;
        }
    }
}

enum err twin_sync_output(struct store *store, int64_t boot_ms, bool all,
                          store_output_durable *durable, void *context, struct reason *reason)
{
    (void)reason;
    struct store_memory *self = memory_of(store);
    size_t kept = 0;
    for (size_t i = 0; i < self->owed_count; i++) {
        struct owed *owed = &self->owed[i];
        bool is_file = owed->end > STORE_OUTPUT_INLINE_MAX;
        if (owed->dirty && (all || boot_ms - owed->synced_ms >= SYNC_MS)) {
            owed->dirty = false;
            owed->synced_ms = boot_ms;
        }
        if (!owed->dirty && !owed->told) {
            owed->told = true;
            if (durable != NULL) {
                durable(context, owed->fence, owed->stream, owed->end);
            }
        }
        if (!owed->told || (is_file && boot_ms - owed->synced_ms < SYNC_MS)) {
            self->owed[kept++] = *owed;
        }
    }
    self->owed_count = kept;
    return ERR_NONE;
}

int64_t twin_sync_deadline(const struct store *store)
{
    const struct store_memory *self = (const struct store_memory *)(const void *)store;
    int64_t deadline_ms = INT64_MAX;
    for (size_t i = 0; i < self->owed_count; i++) {
        const struct owed *owed = &self->owed[i];
        int64_t due_ms = owed->dirty ? owed->synced_ms + SYNC_MS : 0;
        if (!owed->told && due_ms < deadline_ms) {
            deadline_ms = due_ms;
        }
    }
    return deadline_ms;
}
