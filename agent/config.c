/* The rows of the settings, and what is derived or checked beyond a row. */
#include "agent/config.h"

#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "agent/engine/agent_engine.h"
#include "common/base/str.h"
#include "common/net/ws_url.h"
#include "proto/msg/msg.h"

#define ROW(field) offsetof(struct agent_settings, field)

static const struct config_row rows[] = {
    { .name = "server",
      .type = CONFIG_STRING,
      .offset = ROW(server),
      .value = "ws://127.0.0.1:7350",
      .operand = "URL",
      .help = "The daemon: ws://HOST:PORT, or wss:// with TLS (http and https mean the same)." },
    { .name = "device",
      .type = CONFIG_STRING,
      .offset = ROW(device),
      .operand = "NAME",
      .help = "The name by which the daemon knows this device: letters, digits, '.', '_' and '-'.",
      .unset = "the host's name" },
    { .name = "data-dir",
      .type = CONFIG_STRING,
      .offset = ROW(data_dir),
      .operand = "PATH",
      .help = "Where the journal and the tasks' work directories are; one directory an agent.",
      .unset = "/var/lib/asterism-agent for root, else $XDG_STATE_HOME/asterism-agent or "
               "~/.local/state/asterism-agent" },
    { .name = "slots",
      .type = CONFIG_INT,
      .offset = ROW(slots),
      .min = 1,
      .max = AGENT_SLOTS_MAX,
      .operand = "N",
      .help = "How many tasks may run at a time.",
      .unset = "as many as there are CPUs" },
    { .name = "label",
      .type = CONFIG_PAIRS,
      .offset = ROW(labels),
      .operand = "KEY=VALUE",
      .help = "A label for selectors. os, arch and hostname are set "
              "unless they are given." },
    { .name = "resource",
      .type = CONFIG_PAIRS,
      .offset = ROW(resources),
      .operand = "NAME=AMOUNT",
      .help = "Something that tasks take amounts of, such as gpu=2 or disk=0.5. cpu (the CPUs) and "
              "memory (in bytes) are set unless they are given." },
    { .name = "tool",
      .type = CONFIG_LIST,
      .offset = ROW(tools),
      .operand = "NAME",
      .help = "A program that tasks may ask for by its name, beside those that the agent finds "
              "itself." },
    { .name = "token-file",
      .type = CONFIG_STRING,
      .offset = ROW(token_file),
      .operand = "PATH",
      .help = "A file with the token of this device.",
      .unset = "no token" },
    { .name = "ca-file",
      .type = CONFIG_STRING,
      .offset = ROW(ca_file),
      .operand = "PATH",
      .help = "PEM certificates of the authorities that may vouch for the daemon.",
      .unset = "those of the system" },
    { .name = "log-level",
      .type = CONFIG_CHOICE,
      .offset = ROW(log_level),
      .value = "info",
      .choices = "debug|info|warn|error",
      .operand = "LEVEL",
      .help = "How much is logged to stderr." },
};

const struct config_table agent_config_table = {
    .program = "asterism-agent",
    .usage = "asterism-agent runs tasks on this device for an asterismd.\n"
             "\n"
             "usage: asterism-agent [--server URL] [--device NAME] [--label KEY=VALUE]...\n",
    .environment = "ASTERISM_AGENT_",
    .file = "/etc/asterism/asterism-agent.yaml",
    .rows = rows,
    .rows_count = sizeof rows / sizeof rows[0],
};

static bool device_is_allowed(const char *device)
{
    size_t length = strlen(device);
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    return length >= 1 && length <= MSG_NAME_BYTES_MAX && strspn(device, allowed) == length;
}

static enum err device_derive(struct config *config, struct agent_settings *settings,
                              struct reason *reason)
{
    if (settings->device == NULL) {
        char host[MSG_NAME_BYTES_MAX + 1] = "";
        if (gethostname(host, sizeof host - 1) != 0 || !device_is_allowed(host)) {
            return reason_set(reason, ERR_INVALID,
                              "the host's name cannot name the device; give --device NAME");
        }
        settings->device = arena_copy(&config->arena, host, strlen(host));
    }
    if (!device_is_allowed(settings->device)) {
        return reason_set(reason, ERR_INVALID,
                          "--device: 1 to %d letters, digits, '.', '_' and '-' are allowed",
                          MSG_NAME_BYTES_MAX);
    }
    return ERR_NONE;
}

static enum err labels_check(const struct agent_settings *settings, struct reason *reason)
{
    enum { AUTOMATIC = 3 };
    if (settings->labels.count > MSG_LABELS_MAX - AUTOMATIC) {
        return reason_set(reason, ERR_INVALID, "--label: at most %d labels are allowed",
                          MSG_LABELS_MAX - AUTOMATIC);
    }
    for (size_t i = 0; i < settings->labels.count; i++) {
        const char *label = settings->labels.items[i];
        const char *equals = strchr(label, '=');
        if (equals == NULL || equals == label || equals - label > MSG_NAME_BYTES_MAX ||
            strlen(equals + 1) > MSG_NAME_BYTES_MAX || !str_is_utf8(str_of(label))) {
            return reason_set(reason, ERR_INVALID,
                              "--label %s: KEY=VALUE, each of at most %d bytes, is needed", label,
                              MSG_NAME_BYTES_MAX);
        }
    }
    return ERR_NONE;
}

enum err agent_amount_parse(const char *text, int64_t *ret_amount_milli)
{
    static const int64_t whole_max = INT64_MAX / 1000 - 1;
    int64_t amount = 0;
    const char *at = text;
    for (; *at >= '0' && *at <= '9'; at++) {
        amount = amount * 10 + (*at - '0');
        if (amount > whole_max) {
            return ERR_INVALID;
        }
    }
    if (at == text) {
        return ERR_INVALID;
    }
    amount *= 1000;
    if (*at == '.') {
        int64_t weight = 100;
        const char *first = ++at;
        for (; *at >= '0' && *at <= '9' && weight > 0; at++) {
            amount += weight * (*at - '0');
            weight /= 10;
        }
        if (at == first) {
            return ERR_INVALID;
        }
    }
    if (*at != '\0') {
        return ERR_INVALID;
    }
    *ret_amount_milli = amount;
    return ERR_NONE;
}

static enum err resources_check(const struct agent_settings *settings, struct reason *reason)
{
    if (settings->resources.count > MSG_RESOURCES_MAX) {
        return reason_set(reason, ERR_INVALID, "--resource: at most %d are allowed",
                          MSG_RESOURCES_MAX);
    }
    for (size_t i = 0; i < settings->resources.count; i++) {
        const char *resource = settings->resources.items[i];
        const char *equals = strchr(resource, '=');
        int64_t amount_milli = 0;
        if (equals == NULL || equals == resource || equals - resource > MSG_NAME_BYTES_MAX ||
            !str_is_utf8(str_of(resource)) ||
            agent_amount_parse(equals + 1, &amount_milli) != ERR_NONE) {
            return reason_set(reason, ERR_INVALID,
                              "--resource %s: NAME=AMOUNT is needed, the amount a number with at "
                              "most three decimals",
                              resource);
        }
    }
    return ERR_NONE;
}

/* As a spec takes them. */
static enum err tools_check(const struct agent_settings *settings, struct reason *reason)
{
    if (settings->tools.count > AGENT_TOOLS_MAX) {
        return reason_set(reason, ERR_INVALID, "--tool: at most %d are allowed", AGENT_TOOLS_MAX);
    }
    for (size_t i = 0; i < settings->tools.count; i++) {
        const char *tool = settings->tools.items[i];
        size_t length = strspn(tool, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                     "0123456789_-.+");
        if (length == 0 || tool[length] != '\0' || length > MSG_NAME_BYTES_MAX) {
            return reason_set(reason, ERR_INVALID,
                              "--tool %s: a name of letters, digits and any of \"_-.+\" is needed, "
                              "of at most %d characters",
                              tool, MSG_NAME_BYTES_MAX);
        }
    }
    return ERR_NONE;
}

static int64_t cpus_usable(void)
{
    cpu_set_t set;
    int count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 0;
    return count > 0 ? count : 1;
}

enum err agent_config_load(struct config *config, int argc, const char *const *argv,
                           const char *const *environment, struct agent_settings *settings,
                           struct reason *reason)
{
    enum err err =
        config_load(config, &agent_config_table, argc, argv, environment, settings, reason);
    if (err != ERR_NONE || config->wish != CONFIG_WISH_RUN) {
        return err;
    }
    if (config->arguments_count > 0) {
        return reason_set(reason, ERR_INVALID, "unexpected argument \"%s\"", config->arguments[0]);
    }
    if (settings->slots == 0) {
        int64_t cpus = cpus_usable();
        settings->slots = cpus < AGENT_SLOTS_MAX ? cpus : AGENT_SLOTS_MAX;
    }
    if (settings->data_dir == NULL) {
        err = config_data_dir(config, "asterism-agent", environment, &settings->data_dir, reason);
    }
    if (err == ERR_NONE) {
        struct ws_url url;
        err = ws_url_parse(settings->server, &url, reason);
    }
    if (err == ERR_NONE) {
        err = device_derive(config, settings, reason);
    }
    if (err == ERR_NONE) {
        err = labels_check(settings, reason);
    }
    if (err == ERR_NONE) {
        err = resources_check(settings, reason);
    }
    return err == ERR_NONE ? tools_check(settings, reason) : err;
}
