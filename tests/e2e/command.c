/* Commands that end by themselves: the CLI, and asterismd's own verbs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/e2e/fleet.h"

enum { COMMAND_MS = 90000, ARGUMENTS_MAX = 48 };

static size_t add_arguments(const char *argv[ARGUMENTS_MAX], size_t count, va_list list)
{
    const char *argument;
    while ((argument = va_arg(list, const char *)) != NULL) {
        assert_true(count + 1 < ARGUMENTS_MAX);
        argv[count++] = argument;
    }
    return count;
}

static void name_files(struct fleet *fleet, struct process *process)
{
    static unsigned number;
    number++;
    snprintf(process->out, sizeof process->out, "%s/command-%u.out", fleet->dir, number);
    snprintf(process->err, sizeof process->err, "%s/command-%u.err", fleet->dir, number);
}

static struct said finish(struct process *process)
{
    struct said said = { .code = -1 };
    bool ended = process_wait(process, COMMAND_MS);
    if (!ended) {
        process_kill(process);
    }
    said.out = file_text(process->out);
    said.err = file_text(process->err);
    said.code = process_code(process);
    if (!ended) {
        fail_msg("a command did not end; stdout: %s stderr: %s", said.out, said.err);
    }
    unlink(process->out);
    unlink(process->err);
    return said;
}

static void start_cli(struct fleet *fleet, struct process *process, va_list list)
{
    const char *argv[ARGUMENTS_MAX] = { E2E_BIN "/asterism", "--url", fleet_url(fleet) };
    size_t count = 3;
    if (fleet->token_file != NULL) {
        argv[count++] = "--token-file";
        argv[count++] = fleet->token_file;
    }
    if (fleet->ca_file != NULL) {
        argv[count++] = "--ca-file";
        argv[count++] = fleet->ca_file;
    }
    count = add_arguments(argv, count, list);
    argv[count] = NULL;
    name_files(fleet, process);
    process_start(process, argv, NULL);
}

void cli_start(struct fleet *fleet, struct process *process, ...)
{
    va_list list;
    va_start(list, process);
    start_cli(fleet, process, list);
    va_end(list);
}

struct said cli(struct fleet *fleet, ...)
{
    struct process process = { 0 };
    va_list list;
    va_start(list, fleet);
    start_cli(fleet, &process, list);
    va_end(list);
    return finish(&process);
}

void cli_expect(struct fleet *fleet, int code, const char *words, ...)
{
    struct process process = { 0 };
    va_list list;
    va_start(list, words);
    start_cli(fleet, &process, list);
    va_end(list);
    struct said said = finish(&process);
    if (said.code != code || (strstr(said.out, words) == NULL && strstr(said.err, words) == NULL)) {
        fail_msg("expected exit %d and \"%s\"; got %d, stdout: %s stderr: %s", code, words,
                 said.code, said.out, said.err);
    }
    said_done(&said);
}

struct said asterismd(struct fleet *fleet, ...)
{
    struct process process = { 0 };
    const char *argv[ARGUMENTS_MAX] = { E2E_BIN "/asterismd" };
    va_list list;
    va_start(list, fleet);
    size_t count = add_arguments(argv, 1, list);
    va_end(list);
    argv[count] = NULL;
    name_files(fleet, &process);
    process_start(&process, argv, NULL);
    return finish(&process);
}

void said_done(struct said *said)
{
    free(said->out);
    free(said->err);
    *said = (struct said){ 0 };
}
