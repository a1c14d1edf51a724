/* The daemon's settings: one row each in config.c. */
#ifndef ORCHESTRATOR_CONFIG_H
#define ORCHESTRATOR_CONFIG_H

#include "common/base/err.h"
#include "common/sys/config.h"

struct daemon_config {
    const char *listen;
    const char *data_dir;
    const char *unix_socket;
    const char *tls_cert;
    const char *tls_key;
    struct config_list hosts;
    int64_t lease_ms;
    int64_t ping_ms;
    int64_t lost_after_ms;
    int64_t connections_max;
    int64_t keep_finished_ms;
    int64_t keep_finished_max;
    int64_t keep_events_ms;
    int64_t keep_events_max;
    int64_t keep_revisions_ms;
    int64_t keep_revisions_max;
    const char *log_level;
    bool accept; /* restore --accept */
};

extern const struct config_table daemon_config_table;

/* Fills in what has no constant default, and checks what rows cannot say alone. Texts live in
   `parsed`. */
enum err daemon_config_complete(struct config *parsed, const char *const *environment,
                                struct daemon_config *config, struct reason *reason);

/* True if the address of `listen` can only be reached from this machine. */
bool daemon_config_is_loopback(const char *listen);

#endif
