/* The rows of the settings, and what is derived or checked beyond a row. */
#include "orchestrator/config.h"

#include <string.h>

#include "common/base/mem.h"
#include "orchestrator/net/address.h"

#define ROW(field) offsetof(struct daemon_config, field)

static const struct config_row rows[] = {
    { .name = "listen",
      .type = CONFIG_STRING,
      .offset = ROW(listen),
      .value = "127.0.0.1:7350",
      .operand = "ADDRESS:PORT",
      .help = "Where agents, browsers and the CLI connect; port 0 takes a free one. Anything but a "
              "loopback address needs TLS and at least one token." },
    { .name = "data-dir",
      .type = CONFIG_STRING,
      .offset = ROW(data_dir),
      .operand = "DIR",
      .help = "The database, the output files and the admin socket.",
      .unset =
          "/var/lib/asterism for root, else $XDG_STATE_HOME/asterism or ~/.local/state/asterism" },
    { .name = "unix-socket",
      .type = CONFIG_STRING,
      .offset = ROW(unix_socket),
      .operand = "PATH",
      .help = "The admin socket: whoever may open it is admin.",
      .unset = "admin.sock in the data directory" },
    { .name = "tls-cert",
      .type = CONFIG_STRING,
      .offset = ROW(tls_cert),
      .operand = "FILE",
      .help = "Certificate chain in PEM; with --tls-key the TCP port speaks TLS." },
    { .name = "tls-key",
      .type = CONFIG_STRING,
      .offset = ROW(tls_key),
      .operand = "FILE",
      .help = "The certificate's private key in PEM." },
    { .name = "host",
      .type = CONFIG_LIST,
      .offset = ROW(hosts),
      .operand = "NAME",
      .help =
          "A further name that clients may call this daemon by (the Host header); repeatable." },
    { .name = "lease",
      .type = CONFIG_DURATION,
      .offset = ROW(lease_ms),
      .value = "60s",
      .min = 300,
      .max = 3600000,
      .operand = "TIME",
      .help = "A connection without a ping for this long is closed." },
    { .name = "ping",
      .type = CONFIG_DURATION,
      .offset = ROW(ping_ms),
      .value = "20s",
      .min = 100,
      .max = 1200000,
      .operand = "TIME",
      .help = "How often agents ping; at most a third of the lease is wise." },
    { .name = "lost-after",
      .type = CONFIG_DURATION,
      .offset = ROW(lost_after_ms),
      .value = "5m",
      .min = 300,
      .max = 86400000,
      .operand = "TIME",
      .help = "Tasks of a device that has been silent for this long are given to another." },
    { .name = "max-connections",
      .type = CONFIG_INT,
      .offset = ROW(connections_max),
      .value = "20000",
      .min = 8,
      .max = 60000,
      .operand = "N",
      .help = "More connections than this are refused." },
    { .name = "keep-finished",
      .type = CONFIG_DURATION,
      .offset = ROW(keep_finished_ms),
      .value = "30d",
      .min = 1000,
      .max = 315360000000,
      .operand = "TIME",
      .help = "Constellations that ended longer ago are deleted, with their output." },
    { .name = "keep-finished-max",
      .type = CONFIG_INT,
      .offset = ROW(keep_finished_max),
      .value = "10000",
      .min = 1,
      .max = 10000000,
      .operand = "N",
      .help = "Of those that ended, at most so many are kept." },
    { .name = "keep-events",
      .type = CONFIG_DURATION,
      .offset = ROW(keep_events_ms),
      .value = "30d",
      .min = 1000,
      .max = 315360000000,
      .operand = "TIME",
      .help = "Older events are deleted." },
    { .name = "keep-events-max",
      .type = CONFIG_INT,
      .offset = ROW(keep_events_max),
      .value = "10000000",
      .min = 1000,
      .max = 1000000000,
      .operand = "N",
      .help = "Of events, at most so many are kept." },
    { .name = "keep-revisions",
      .type = CONFIG_DURATION,
      .offset = ROW(keep_revisions_ms),
      .value = "365d",
      .min = 1000,
      .max = 315360000000,
      .operand = "TIME",
      .help =
          "Older edits are forgotten: they cannot be shown or undone any more. The plan stays." },
    { .name = "keep-revisions-max",
      .type = CONFIG_INT,
      .offset = ROW(keep_revisions_max),
      .value = "1000",
      .min = 1,
      .max = 1000000,
      .operand = "N",
      .help = "Of the edits of a constellation, at most so many are kept." },
    { .name = "log-level",
      .type = CONFIG_CHOICE,
      .offset = ROW(log_level),
      .value = "info",
      .choices = "debug|info|warn|error",
      .operand = "LEVEL",
      .help = "The least that is logged." },
    { .name = "accept",
      .type = CONFIG_BOOL,
      .offset = ROW(accept),
      .help = "With `restore`: go on from a restored database although agents have seen newer "
              "promises than it holds." },
};

const struct config_table daemon_config_table = {
    .program = "asterismd",
    .usage =
        "The orchestrator: holds constellations and sends their tasks to agents.\n\n"
        "  asterismd [FLAGS]                    run\n"
        "  asterismd backup DIR [FLAGS]         copy the data directory while it is in use\n"
        "  asterismd restore DIR [FLAGS]        put a backup into an empty data directory\n"
        "  asterismd restore --accept [FLAGS]   go on after a restore that agents have overtaken\n",
    .environment = "ASTERISMD_",
    .file = "/etc/asterism/asterismd.yaml",
    .rows = rows,
    .rows_count = sizeof rows / sizeof rows[0],
};

bool daemon_config_is_loopback(const char *listen)
{
    struct net_address address;
    return net_address_parse(listen, &address, NULL) == ERR_NONE && address.is_loopback;
}

/* What rows cannot say alone. */
static enum err check(const struct daemon_config *config, struct reason *reason)
{
    struct net_address address;
    enum err err = net_address_parse(config->listen, &address, reason);
    if (err != ERR_NONE) {
        return err;
    }
    if ((config->tls_cert == NULL) != (config->tls_key == NULL)) {
        return reason_set(reason, ERR_INVALID, "--tls-cert and --tls-key go together");
    }
    if (config->ping_ms >= config->lease_ms) {
        return reason_set(reason, ERR_INVALID, "--ping must be shorter than --lease");
    }
    if (config->lost_after_ms < config->lease_ms) {
        return reason_set(reason, ERR_INVALID, "--lost-after must not be shorter than --lease");
    }
    if (!address.is_loopback && config->tls_cert == NULL) {
        return reason_set(
            reason, ERR_INVALID,
            "--listen %s can be reached from other machines, and that needs TLS: give "
            "--tls-cert and --tls-key, or listen on 127.0.0.1",
            config->listen);
    }
    return ERR_NONE;
}

/* A verb and its directory. What would be ignored may be taken for done. */
static enum err check_arguments(const struct config *parsed, const struct daemon_config *config,
                                struct reason *reason)
{
    if (parsed->arguments_count > 2) {
        return reason_set(reason, ERR_INVALID, "unexpected argument \"%s\"", parsed->arguments[2]);
    }
    bool restores = parsed->arguments_count > 0 && strcmp(parsed->arguments[0], "restore") == 0;
    if (config->accept && !restores) {
        return reason_set(reason, ERR_INVALID,
                          "--accept belongs to a command: asterismd restore --accept");
    }
    return ERR_NONE;
}

enum err daemon_config_complete(struct config *parsed, const char *const *environment,
                                struct daemon_config *config, struct reason *reason)
{
    if (config->data_dir == NULL) {
        enum err err = config_data_dir(parsed, "asterism", environment, &config->data_dir, reason);
        if (err != ERR_NONE) {
            return err;
        }
    }
    if (config->unix_socket == NULL) {
        char *path = mem_format("%s/admin.sock", config->data_dir);
        config->unix_socket = arena_copy(&parsed->arena, path, strlen(path));
        mem_free(path);
    }
    enum err err = check_arguments(parsed, config, reason);
    return err == ERR_NONE ? check(config, reason) : err;
}
