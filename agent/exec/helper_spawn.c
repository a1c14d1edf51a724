/* Making one process: everything between the request and execve. The child shares our memory until
   it execs (as vfork does), which costs half of a fork; so it runs on a stack of its own, calls
   nothing but thin wrappers of system calls, and leaves its error where we read it.

   It shares our descriptors too, until it has a table of its own with the lowest three: to copy and
   close those of all that wait and run costs more than anything else here. So the three are put in
   their places before the child is made, and taken back after it. */
#include "agent/exec/helper.h"

#include <errno.h>
#include <limits.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/exec/moment.h"
#include "common/base/check.h"
#include "common/base/mem.h"

enum stage {
    STAGE_NONE,
    STAGE_SETUP,
    STAGE_CWD,
    STAGE_EXEC,
    STAGE_INTERPRETER, /* the file is there, what it names after #! is not */
};

struct launch {
    const char *cwd;
    const char *cwd_from_here; /* the same, from where the helper stands */
    const char *search_path;
    char **args;
    char **env;
    pid_t helper_pid;
    enum stage stage;
    int error;
    char file[PATH_MAX];
};

enum { LAUNCH_STACK_BYTES = 64 * 1024 };

static char launch_stack[LAUNCH_STACK_BYTES] __attribute__((aligned(64)));

/* Tries DIRECTORY/NAME; the directory's text ends at `end`. False: does not fit, or exec failed. */
__attribute__((no_sanitize_address)) static void
launch_exec_in(struct launch *launch, const char *directory, size_t directory_length)
{
    const char *name = launch->args[0];
    size_t name_length = strlen(name);
    if (directory_length + name_length + 2 > sizeof launch->file) {
        errno = ENAMETOOLONG;
        return;
    }
    size_t at = 0;
    if (directory_length > 0) {
        memcpy(launch->file, directory, directory_length);
        at = directory_length;
        launch->file[at++] = '/';
    }
    memcpy(launch->file + at, name, name_length + 1);
    execve(launch->file, launch->args, launch->env);
}

/* As execvp looks: a name with a slash is a path; otherwise the directories of PATH in order, where
   a file that may not be run is remembered, but does not end the search. */
__attribute__((no_sanitize_address)) static int launch_exec(struct launch *launch)
{
    if (strchr(launch->args[0], '/') != NULL) {
        launch_exec_in(launch, "", 0);
        return errno;
    }
    int error = ENOENT;
    const char *at = launch->search_path;
    for (;;) {
        size_t length = strcspn(at, ":");
        launch_exec_in(launch, length == 0 ? "." : at, length == 0 ? 1 : length);
        if (errno == EACCES) {
            error = EACCES;
        } else if (errno == ENOENT && access(launch->file, F_OK) == 0) {
            return ENOENT; /* launch->file exists: its interpreter does not */
        } else if (errno != ENOENT && errno != ENOTDIR && errno != ENAMETOOLONG) {
            return errno;
        }
        if (at[length] == 0) {
            launch->file[0] = 0;
            return error;
        }
        at += length + 1;
    }
}

__attribute__((no_sanitize_address)) static int launch_child(void *context)
{
    struct launch *launch = context;
    launch->stage = STAGE_SETUP;
    sigset_t none;
    sigemptyset(&none);
    /* The second net: should we die without the time to kill anything. Between the clone and here
       we may have died already. */
    if (setsid() < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != launch->helper_pid) {
        launch->error = errno;
        return 127;
    }
    /* Where the kernel cannot, execve makes a table too, and closes in it all that is marked. */
    (void)close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_UNSHARE);
    launch->stage = STAGE_CWD;
    if (chdir(launch->cwd_from_here) != 0) {
        launch->error = errno;
        return 127;
    }
    sigprocmask(SIG_SETMASK, &none, NULL);
    launch->stage = STAGE_EXEC;
    launch->error = launch_exec(launch);
    if (launch->error == ENOENT && launch->file[0] != 0 && access(launch->file, F_OK) == 0) {
        launch->stage = STAGE_INTERPRETER;
    }
    return 127;
}

static void describe_exec(const struct launch *launch, char *text, size_t text_bytes)
{
    const char *name = launch->args[0];
    bool searched = strchr(name, '/') == NULL;
    switch (launch->error) {
    case ENOENT:
    case ENOTDIR:
        if (searched) {
            snprintf(text, text_bytes, "no executable \"%.128s\" in PATH %.300s", name,
                     launch->search_path);
        } else {
            snprintf(text, text_bytes, "no executable \"%.400s\"", name);
        }
        return;
    case EACCES:
    case EPERM:
        snprintf(text, text_bytes, "\"%.400s\" is not executable: %s", name,
                 strerror(launch->error));
        return;
    case ENOEXEC:
        snprintf(text, text_bytes,
                 "\"%.300s\" is not a program of this machine (a script needs a #! line)", name);
        return;
    case E2BIG:
        snprintf(text, text_bytes,
                 "argument list too long: arguments and environment pass what the system takes");
        return;
    default:
        snprintf(text, text_bytes, "cannot execute \"%.300s\": %s", name, strerror(launch->error));
    }
}

static void describe_failure(const struct launch *launch, char *text, size_t text_bytes)
{
    switch (launch->stage) {
    case STAGE_CWD:
        if (launch->error == ENOENT) {
            snprintf(text, text_bytes, "the directory \"%.400s\" does not exist", launch->cwd);
        } else {
            snprintf(text, text_bytes, "cannot change to the directory \"%.300s\": %s", launch->cwd,
                     strerror(launch->error));
        }
        return;
    case STAGE_INTERPRETER:
        snprintf(text, text_bytes, "the interpreter that \"%.300s\" names does not exist",
                 launch->file);
        return;
    case STAGE_EXEC:
        describe_exec(launch, text, text_bytes);
        return;
    case STAGE_NONE:
        if (launch->error == EAGAIN || launch->error == ENOMEM) {
            snprintf(text, text_bytes, "out of processes or memory: %s", strerror(launch->error));
            return;
        }
        if (launch->error == EMFILE || launch->error == ENFILE) {
            snprintf(text, text_bytes, "cannot make the pipes of the process: %s",
                     strerror(launch->error));
            return;
        }
        break;
    case STAGE_SETUP:
        break;
    }
    snprintf(text, text_bytes, "cannot make a process: %s", strerror(launch->error));
}

/* Fills in the pointers from the command's strings. */
static bool launch_parse(struct helper *helper, const struct pending *pending,
                         struct launch *launch)
{
    const struct request *request = &pending->request;
    size_t needed = (size_t)request->args_count + request->env_count + 2;
    if (needed > helper->pointers_max) {
        helper->pointers = mem_resize(helper->pointers, needed * sizeof *helper->pointers);
        helper->pointers_max = needed;
    }
    char *at = pending->command;
    const char *end = at + request->command_bytes;
    size_t strings = (size_t)request->args_count + request->env_count + 2;
    char **to = helper->pointers;
    for (size_t i = 0; i < strings; i++) {
        char *stop = at < end ? memchr(at, 0, (size_t)(end - at)) : NULL;
        if (stop == NULL) {
            return false;
        }
        if (i == 0) {
            launch->cwd = at;
        } else if (i == 1) {
            launch->search_path = at;
        } else {
            *to++ = at;
        }
        at = stop + 1;
        if (i == (size_t)request->args_count + 1) {
            *to++ = NULL;
        }
    }
    *to = NULL;
    launch->args = helper->pointers;
    launch->env = helper->pointers + request->args_count + 1;
    return request->args_count > 0;
}

/* Most are a few steps below our own directory, and many from the root of the file system. */
static const char *from_here(const struct helper *helper, const char *cwd)
{
    size_t length = strlen(helper->root);
    bool is_below = helper->is_at_root && strncmp(cwd, helper->root, length) == 0;
    return is_below && cwd[length] != 0 && cwd[length] != '/' ? cwd + length : cwd;
}

static void report_failed(struct helper *helper, uint64_t fence, const char *text)
{
    struct report report = { .kind = REPORT_FAILED, .fence = fence };
    helper_report(helper, &report, str_of(text));
}

/* Returns when it has execed or is gone. -1: there is none, and launch->error says why. */
static pid_t make_process(struct helper *helper, int stdin_fd, struct launch *launch,
                          struct pipes *ret_pipes)
{
    pid_t pid = -1;
    if ((stdin_fd < 0 || dup2(stdin_fd, STDIN_FILENO) >= 0) &&
        pipes_lend(&helper->lanes, ret_pipes)) {
        pid = clone(launch_child, launch_stack + sizeof launch_stack,
                    CLONE_VM | CLONE_VFORK | CLONE_FILES | SIGCHLD, launch);
    }
    if (pid < 0) {
        launch->error = errno;
    }
    (void)dup2(helper->null_fd, STDOUT_FILENO);
    (void)dup2(helper->stderr_fd, STDERR_FILENO);
    if (stdin_fd >= 0) {
        (void)dup2(helper->null_fd, STDIN_FILENO);
    }
    return pid;
}

void helper_spawn(struct helper *helper, struct pending *pending)
{
    static struct launch launch;
    launch.helper_pid = helper->pid;
    launch.stage = STAGE_NONE;
    launch.error = 0;
    launch.file[0] = 0;
    uint64_t fence = pending->request.fence;
    if (pending->command == NULL ||
        ((pending->request.flags & REQUEST_HAS_STDIN) != 0 && pending->stdin_fd < 0)) {
        report_failed(helper, fence, "out of file descriptors or memory in the exec helper");
        pending_free(pending);
        return;
    }
    bool is_well_formed = launch_parse(helper, pending, &launch);
    CHECK(is_well_formed);
    launch.cwd_from_here = from_here(helper, launch.cwd);
    int64_t boot_ms = moment_boot_ms();
    int64_t wall_ms = moment_wall_ms();
    struct pipes pipes = { .fds = { -1, -1 } };
    pid_t pid = make_process(helper, pending->stdin_fd, &launch, &pipes);
    if (pid < 0 || launch.error != 0) {
        if (pid > 0) {
            waitpid(pid, NULL, 0); /* it is on its way out */
        }
        pipes_close(&helper->lanes, &pipes);
        char text[512];
        describe_failure(&launch, text, sizeof text);
        report_failed(helper, fence, text);
        pending_free(pending);
        return;
    }
    struct task *task = mem_alloc(sizeof *task);
    task->fence = fence;
    task->pid = pid;
    task->started_boot_ms = boot_ms;
    task->started_wall_ms = wall_ms;
    task->pipes = pipes;
    map_put(&helper->by_fence, fence, task);
    map_put(&helper->by_pid, (uint64_t)pid, task);
    helper_report_started(helper, task);
    pending_free(pending);
}
