/* asterismd: the program. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/sys/clock.h"
#include "common/sys/log.h"
#include "orchestrator/config.h"
#include "orchestrator/fault.h"
#include "orchestrator/loop.h"
#include "orchestrator/store/backup.h"

enum { EXIT_FAILED = 1, EXIT_USAGE = 2 };

/* Set, to the boot time of it, in the environment of a daemon that has re-executed itself. */
static const char REBORN[] = "ASTERISMD_REBORN_MS";
static const int64_t REBORN_AGAIN_MS = 60 * 1000;

/* A failed write leaves memory ahead of the disk: begin anew from what is there. Twice within a minute
   is no accident: end, and let the reason be read. */
static void be_reborn(char **argv, const struct reason *reason)
{
    const char *before = getenv(REBORN);
    int64_t now = clock_boot_ms();
    if (before != NULL && now - strtoll(before, NULL, 10) < REBORN_AGAIN_MS) {
        log_error("daemon.failed", "reason=%s", log_quote(reason->text));
        return;
    }
    log_error("store.failed", "reason=%s action=re-execute", log_quote(reason->text));
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)now);
    setenv(REBORN, text, 1);
    close_range(3, ~0U, 0);
    execv("/proc/self/exe", argv);
    log_error("daemon.failed", "reason=%s", log_quote(strerror(errno)));
}

static int fail(const char *what, const struct reason *reason)
{
    fprintf(stderr, "asterismd: %s%s%s\n", what, what[0] == 0 ? "" : ": ", reason->text);
    return EXIT_FAILED;
}

static int run_daemon(const struct daemon_config *config, char **argv)
{
    struct reason reason = { "" };
    fault_read(getenv("ASTERISMD_FAULT"));
    signal(SIGPIPE, SIG_IGN);
    bool ran = false;
    enum err err = loop_run(config, &ran, &reason);
    if (err == ERR_NONE) {
        log_info("daemon.stopped", "%s", "");
        return 0;
    }
    if (ran) {
        be_reborn(argv, &reason);
    }
    return fail("", &reason);
}

static int run_command(const struct daemon_config *config, const struct config *parsed)
{
    struct reason reason = { "" };
    const char *verb = parsed->arguments[0];
    const char *dir = parsed->arguments_count > 1 ? parsed->arguments[1] : NULL;
    enum err err = ERR_NONE;
    if (strcmp(verb, "backup") == 0 && dir != NULL) {
        err = store_backup(config->data_dir, dir, &reason);
    } else if (strcmp(verb, "restore") == 0 && config->accept && dir == NULL) {
        err = store_restore_accept(config->data_dir, &reason);
    } else if (strcmp(verb, "restore") == 0 && dir != NULL && !config->accept) {
        err = store_restore(dir, config->data_dir, &reason);
    } else {
        fprintf(stderr, "asterismd: usage: asterismd [FLAGS] | backup DIR | restore DIR | restore "
                        "--accept (see --help)\n");
        return EXIT_USAGE;
    }
    if (err != ERR_NONE) {
        return fail(verb, &reason);
    }
    if (config->accept) {
        printf("accepted: the next start goes on from %s\n", config->data_dir);
    } else if (verb[0] == 'b') {
        printf("backed up %s to %s\n", config->data_dir, dir);
    } else {
        printf("restored %s to %s\n", dir, config->data_dir);
    }
    return 0;
}

static int answer_wish(enum config_wish wish)
{
    struct buf text = { 0 };
    if (wish == CONFIG_WISH_HELP) {
        config_help(&daemon_config_table, &text);
    } else if (wish == CONFIG_WISH_MARKDOWN) {
        config_markdown(&daemon_config_table, &text);
    } else {
        buf_printf(&text, "asterismd %s\n", ASTERISM_VERSION);
    }
    fwrite(text.data, 1, text.length, stdout);
    buf_done(&text);
    return 0;
}

static int run(struct config *parsed, struct daemon_config *values, char **argv)
{
    struct reason reason = { "" };
    if (parsed->wish != CONFIG_WISH_RUN) {
        return answer_wish(parsed->wish);
    }
    if (daemon_config_complete(parsed, (const char *const *)environ, values, &reason) != ERR_NONE) {
        fprintf(stderr, "asterismd: %s\n", reason.text);
        return EXIT_USAGE;
    }
    enum log_level level = LOG_LEVEL_INFO;
    if (log_level_of(values->log_level, &level)) {
        log_set_level(level);
    }
    return parsed->arguments_count > 0 ? run_command(values, parsed) : run_daemon(values, argv);
}

int main(int argc, char **argv)
{
    struct config parsed = { 0 };
    struct daemon_config values = { 0 };
    struct reason reason = { "" };
    int code = EXIT_USAGE;
    umask(077); /* what is written holds people's specs and output */
    if (config_load(&parsed, &daemon_config_table, argc, (const char *const *)argv,
                    (const char *const *)environ, &values, &reason) == ERR_NONE) {
        code = run(&parsed, &values, argv);
    } else {
        fprintf(stderr, "asterismd: %s\n", reason.text);
    }
    config_done(&parsed);
    return code;
}
