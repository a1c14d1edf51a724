#include "agent/exec/procfs.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool pid_of_name(const char *name, pid_t *ret_pid)
{
    if (!isdigit((unsigned char)name[0])) {
        return false;
    }
    char *end = NULL;
    long pid = strtol(name, &end, 10);
    if (*end != 0 || pid <= 0 || pid > INT32_MAX) {
        return false;
    }
    *ret_pid = (pid_t)pid;
    return true;
}

void procfs_each(bool (*visit)(void *context, pid_t pid), void *context)
{
    DIR *directory = opendir("/proc");
    if (directory == NULL) {
        return;
    }
    struct dirent *entry;
    bool go_on = true;
    while (go_on && (entry = readdir(directory)) != NULL) {
        pid_t pid;
        if (pid_of_name(entry->d_name, &pid)) {
            go_on = visit(context, pid);
        }
    }
    closedir(directory);
}

static ssize_t read_small(pid_t pid, const char *file, char *into, size_t bytes_max)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return -1;
    }
    ssize_t length = read(fd, into, bytes_max - 1);
    close(fd);
    if (length >= 0) {
        into[length] = 0;
    }
    return length;
}

/* The number that stands behind `skip` other fields. */
static bool number_behind(const char *fields, unsigned skip, unsigned long long max,
                          unsigned long long *ret_number)
{
    for (; skip > 0; skip--) {
        fields += strspn(fields, " ");
        fields += strcspn(fields, " ");
    }
    char *end = NULL;
    unsigned long long number = strtoull(fields, &end, 10);
    if (end == fields || number > max) {
        return false;
    }
    *ret_number = number;
    return true;
}

bool procfs_stat(pid_t pid, pid_t *ret_parent, int64_t *ret_start_ms)
{
    char text[1024];
    if (read_small(pid, "stat", text, sizeof text) <= 0) {
        return false;
    }
    /* The name may hold blanks and parentheses: what counts begins after the last one. */
    const char *at = strrchr(text, ')');
    unsigned long long parent = 0;
    unsigned long long start_ticks = 0;
    if (at == NULL || !number_behind(at + 1, 1, INT32_MAX, &parent) ||
        !number_behind(at + 1, 19, ULLONG_MAX, &start_ticks)) {
        return false;
    }
    long hertz = sysconf(_SC_CLK_TCK);
    *ret_parent = (pid_t)parent;
    *ret_start_ms =
        (int64_t)(start_ticks * 1000ULL / (unsigned long long)(hertz > 0 ? hertz : 100));
    return true;
}

void procfs_environ(pid_t pid, struct buf *into)
{
    buf_clear(into);
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/environ", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return;
    }
    while (into->length < PROCFS_ENVIRON_BYTES_MAX) {
        ssize_t length = read(fd, buf_reserve(into, 16384), 16384);
        if (length <= 0) {
            break;
        }
        into->length += (size_t)length;
    }
    close(fd);
}

const char *procfs_environ_find(const struct buf *environment, const char *name)
{
    size_t name_length = strlen(name);
    const char *at = (const char *)environment->data;
    size_t left = environment->length;
    while (left > 0) {
        const char *end = memchr(at, 0, left);
        if (end == NULL) {
            return NULL;
        }
        size_t length = (size_t)(end - at);
        if (length > name_length && at[name_length] == '=' && memcmp(at, name, name_length) == 0) {
            return at + name_length + 1;
        }
        left -= length + 1;
        at = end + 1;
    }
    return NULL;
}

int procfs_children_open(void)
{
    return open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
}

static void append_pid(struct buf *into, pid_t pid)
{
    int32_t value = (int32_t)pid;
    buf_append(into, &value, sizeof value);
}

static void children_from_list(int list_fd, struct buf *into)
{
    char text[4096];
    off_t offset = 0;
    int64_t pid = 0;
    for (;;) {
        ssize_t length = pread(list_fd, text, sizeof text, offset);
        if (length <= 0) {
            return;
        }
        offset += length;
        for (ssize_t i = 0; i < length; i++) {
            if (isdigit((unsigned char)text[i])) {
                pid = pid * 10 + (text[i] - '0');
            } else if (pid > 0) {
                append_pid(into, (pid_t)pid);
                pid = 0;
            }
        }
        if ((size_t)length + 16 < sizeof text) {
            return; /* there was room for another */
        }
    }
}

struct scan {
    pid_t parent;
    struct buf *into;
};

static bool visit_child(void *context, pid_t pid)
{
    const struct scan *scan = context;
    pid_t parent = 0;
    int64_t start_ms = 0;
    if (procfs_stat(pid, &parent, &start_ms) && parent == scan->parent) {
        append_pid(scan->into, pid);
    }
    return true;
}

void procfs_children(int list_fd, struct buf *into)
{
    if (list_fd >= 0) {
        children_from_list(list_fd, into);
        return;
    }
    struct scan scan = { .parent = getpid(), .into = into };
    procfs_each(visit_child, &scan);
}
