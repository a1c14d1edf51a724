#include "tests/e2e/process.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static void open_as(int fd, const char *path)
{
    int opened = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (opened < 0 || dup2(opened, fd) < 0) {
        _exit(126);
    }
}

static void become(const struct process *process, const char *const *argv, const char *setting,
                   pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
        _exit(126); /* the test died in between */
    }
    int none = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (none < 0 || dup2(none, STDIN_FILENO) < 0) {
        _exit(126);
    }
    open_as(STDOUT_FILENO, process->out[0] == 0 ? process->err : process->out);
    open_as(STDERR_FILENO, process->err);
    if (setting != NULL) {
        char name[64];
        const char *equals = strchr(setting, '=');
        snprintf(name, sizeof name, "%.*s", (int)(equals - setting), setting);
        setenv(name, equals + 1, 1);
    }
    execv(argv[0], (char *const *)(uintptr_t)argv);
    _exit(127);
}

void process_start(struct process *process, const char *const *argv, const char *setting)
{
    assert_int_equal(process->pid, 0);
    pid_t parent = getpid();
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        become(process, argv, setting, parent);
    }
    process->pid = pid;
    process->status = 0;
}

bool process_has_ended(struct process *process)
{
    if (process->pid == 0) {
        return true;
    }
    int status = 0;
    pid_t got = waitpid(process->pid, &status, WNOHANG);
    if (got == 0) {
        return false;
    }
    process->status = got < 0 ? -1 : status;
    process->pid = 0;
    return true;
}

bool process_wait(struct process *process, int64_t limit_ms)
{
    int64_t end = now_ms() + limit_ms;
    while (!process_has_ended(process)) {
        if (now_ms() > end) {
            return false;
        }
        look_again();
    }
    return true;
}

bool process_end(struct process *process, int signal, int64_t limit_ms)
{
    if (!process_has_ended(process)) {
        kill(process->pid, signal);
    }
    return process_wait(process, limit_ms);
}

void process_kill(struct process *process)
{
    if (!process_has_ended(process)) {
        kill(process->pid, SIGKILL);
        waitpid(process->pid, &process->status, 0);
        process->pid = 0;
    }
}

int process_code(const struct process *process)
{
    return WIFEXITED(process->status) ? WEXITSTATUS(process->status)
                                      : 256 + WTERMSIG(process->status);
}

bool pid_is_alive(pid_t pid)
{
    char path[64];
    char text[256] = "";
    snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return false;
    }
    size_t got = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[got] = 0;
    const char *behind = strrchr(text, ')');
    return behind != NULL && behind[1] == ' ' && behind[2] != 'Z' && behind[2] != 'X';
}

int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void look_again(void)
{
    struct timespec pause = { 0, 5000000L };
    nanosleep(&pause, NULL);
}
