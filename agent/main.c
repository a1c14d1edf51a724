/* asterism-agent: the program. */
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/config.h"
#include "agent/loop.h"
#include "common/sys/log.h"

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

/* Two pipes a task: the usual soft limit of 1,024 would end at 500 of them. */
static void descriptors_raise(void)
{
    enum { DESCRIPTORS = 65536 };
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max < DESCRIPTORS ? limit.rlim_max : DESCRIPTORS;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static int run(const struct agent_settings *settings)
{
    enum log_level level = LOG_LEVEL_INFO;
    log_level_of(settings->log_level, &level);
    log_set_level(level);
    signal(SIGPIPE, SIG_IGN);
    umask(077); /* the journal holds people's tasks; tasks get the usual one */
    descriptors_raise();
    struct reason reason = { "" };
    enum err err = agent_run(settings, &reason);
    if (err != ERR_NONE) {
        log_error("agent.failed", "error=%s reason=%s", err_name(err), log_quote(reason.text));
        return EXIT_FAILED;
    }
    log_info("agent.end", "%s", "");
    return EXIT_DONE;
}

static int print(void (*write)(const struct config_table *table, struct buf *to))
{
    struct buf text = { 0 };
    write(&agent_config_table, &text);
    bool written = fwrite(text.data, 1, text.length, stdout) == text.length && fflush(stdout) == 0;
    buf_done(&text);
    return written ? EXIT_DONE : EXIT_FAILED;
}

int main(int argc, char **argv)
{
    struct config config = { 0 };
    struct agent_settings settings = { 0 };
    struct reason reason = { "" };
    int rc = EXIT_DONE;
    if (agent_config_load(&config, argc, (const char *const *)argv, (const char *const *)environ,
                          &settings, &reason) != ERR_NONE) {
        fprintf(stderr, "asterism-agent: %s\n", reason.text);
        config_done(&config);
        return EXIT_USAGE;
    }
    switch (config.wish) {
    case CONFIG_WISH_RUN:
        rc = run(&settings);
        break;
    case CONFIG_WISH_HELP:
        rc = print(config_help);
        break;
    case CONFIG_WISH_MARKDOWN:
        rc = print(config_markdown);
        break;
    case CONFIG_WISH_VERSION:
        rc = printf("asterism-agent %s\n", ASTERISM_VERSION) > 0 ? EXIT_DONE : EXIT_FAILED;
        break;
    }
    config_done(&config);
    return rc;
}
