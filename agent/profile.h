/* What the agent finds out about its device, once at its start. */
#ifndef AGENT_PROFILE_H
#define AGENT_PROFILE_H

#include "agent/config.h"
#include "common/base/arena.h"
#include "proto/msg/msg.h"

/* Everything that the profile points to is in the arena, or borrowed from the settings. */
void agent_profile_read(const struct agent_settings *settings, struct arena *arena,
                        struct msg_profile *ret_profile);

/* The machine's boot, as the kernel names it. ERR_IO without /proc. */
enum err agent_boot_id_read(struct arena *arena, struct str *ret_boot_id, struct reason *reason);

#endif
