/* A second connection under a device's name: its Hello is kept while the incumbent is asked whether it
   is alive. An answer refuses the newcomer; silence gives it the name. */
#include "common/base/mem.h"
#include "orchestrator/engine/model.h"

struct newcomer {
    uint64_t channel;
    struct arena arena;
    struct msg_hello hello;
};

static const struct str *copy_list(struct arena *arena, const struct str *list, size_t count)
{
    struct str *copy = arena_array(arena, count, sizeof *copy);
    for (size_t i = 0; i < count; i++) {
        copy[i] = arena_str(arena, list[i]);
    }
    return copy;
}

static void copy_hello(struct arena *arena, const struct msg_hello *from, struct msg_hello *to)
{
    *to = *from;
    to->device = arena_str(arena, from->device);
    to->agent_version = arena_str(arena, from->agent_version);
    to->boot_id = arena_str(arena, from->boot_id);
    to->journal_id = arena_str(arena, from->journal_id);
    to->receipt = (struct msg_receipt){ 0 }; /* looked at before the event was made */
    struct msg_held *held = arena_array(arena, from->held_count, sizeof *held);
    for (size_t i = 0; i < from->held_count; i++) {
        held[i] = from->held[i];
    }
    to->held = held;
    to->features = copy_list(arena, from->features, from->features_count);
    struct msg_profile *profile = &to->profile;
    profile->os = arena_str(arena, from->profile.os);
    profile->arch = arena_str(arena, from->profile.arch);
    profile->hostname = arena_str(arena, from->profile.hostname);
    profile->executors = copy_list(arena, profile->executors, profile->executors_count);
    profile->tools = copy_list(arena, profile->tools, profile->tools_count);
    struct msg_pair *labels = arena_array(arena, profile->labels_count, sizeof *labels);
    for (size_t i = 0; i < profile->labels_count; i++) {
        labels[i].key = arena_str(arena, from->profile.labels[i].key);
        labels[i].value = arena_str(arena, from->profile.labels[i].value);
    }
    profile->labels = labels;
}

void newcomer_hold(struct engine *engine, struct device *device, uint64_t channel,
                   const struct msg_hello *hello)
{
    newcomer_refuse(engine, device, "yet another connection asked for this device");
    struct newcomer *newcomer = mem_alloc(sizeof *newcomer);
    newcomer->channel = channel;
    copy_hello(&newcomer->arena, hello, &newcomer->hello);
    device->newcomer = newcomer;
    map_put(&engine->newcomers, channel, device);
}

void newcomer_free(struct newcomer *newcomer)
{
    if (newcomer != NULL) {
        arena_done(&newcomer->arena);
        mem_free(newcomer);
    }
}

static struct newcomer *take(struct engine *engine, struct device *device)
{
    struct newcomer *newcomer = device->newcomer;
    device->newcomer = NULL;
    if (newcomer != NULL) {
        map_remove(&engine->newcomers, newcomer->channel);
    }
    return newcomer;
}

void newcomer_refuse(struct engine *engine, struct device *device, const char *why)
{
    struct newcomer *newcomer = take(engine, device);
    if (newcomer != NULL) {
        session_refuse(engine, newcomer->channel, MSG_ERROR_DUPLICATE, device->record.name, why);
        newcomer_free(newcomer);
    }
}

void newcomer_admit(struct engine *engine, struct device *device)
{
    struct newcomer *newcomer = take(engine, device);
    if (newcomer != NULL) {
        session_begin(engine, device, newcomer->channel, &newcomer->hello);
        newcomer_free(newcomer);
    }
}

bool newcomer_channel_closed(struct engine *engine, uint64_t channel)
{
    struct device *device = map_get(&engine->newcomers, channel);
    if (device != NULL) {
        newcomer_free(take(engine, device));
    }
    return device != NULL;
}
