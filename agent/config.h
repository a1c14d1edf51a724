/* The agent's settings: one table of rows, and what is derived where a row has no value. */
#ifndef AGENT_CONFIG_H
#define AGENT_CONFIG_H

#include "common/sys/config.h"

enum { AGENT_TOOLS_MAX = 200 }; /* that are named; others are found */

struct agent_settings {
    const char *server;
    const char *device;
    const char *data_dir;
    int64_t slots;
    struct config_list labels;
    struct config_list resources;
    struct config_list tools;
    const char *token_file;
    const char *ca_file;
    const char *log_level;
};

/* "2", "0.5" or "1.125", in thousandths; ERR_INVALID if it is none of these, or too large. */
enum err agent_amount_parse(const char *text, int64_t *ret_amount_milli);

extern const struct config_table agent_config_table;

/* Reads flags, environment and file into `settings`, which must be zero, fills in what is derived, and
   checks what a row alone cannot. Texts live in `config`. */
enum err agent_config_load(struct config *config, int argc, const char *const *argv,
                           const char *const *environment, struct agent_settings *settings,
                           struct reason *reason);

#endif
