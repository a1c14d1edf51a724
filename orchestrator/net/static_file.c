/* The files of the dashboard. The path is walked name by name from the folder, following no link
   and accepting no name that begins with a dot, so that nothing outside or hidden can be reached.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "orchestrator/net/exchange.h"

enum { DEPTH_MAX = 16, NAME_BYTES_MAX = 256 };

static const struct {
    const char *ending;
    const char *type;
} types[] = {
    { ".html", "text/html; charset=utf-8" },
    { ".js", "text/javascript; charset=utf-8" },
    { ".mjs", "text/javascript; charset=utf-8" },
    { ".css", "text/css; charset=utf-8" },
    { ".json", "application/json" },
    { ".map", "application/json" },
    { ".webmanifest", "application/manifest+json" },
    { ".svg", "image/svg+xml" },
    { ".png", "image/png" },
    { ".ico", "image/x-icon" },
    { ".woff2", "font/woff2" },
    { ".txt", "text/plain; charset=utf-8" },
};

static const char *type_of(struct str path)
{
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        size_t length = strlen(types[i].ending);
        if (path.length > length &&
            memcmp(path.data + path.length - length, types[i].ending, length) == 0) {
            return types[i].type;
        }
    }
    return "application/octet-stream";
}

/* A descriptor of the file that `path` names below the folder, or -1. */
static int open_below(const char *folder, struct str path)
{
    int fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    for (int depth = 0; fd >= 0 && path.length > 0; depth++) {
        path.data++; /* the '/' */
        path.length--;
        const char *slash = path.length == 0 ? NULL : memchr(path.data, '/', path.length);
        size_t length = slash == NULL ? path.length : (size_t)(slash - path.data);
        char name[NAME_BYTES_MAX];
        int next = -1;
        if (depth < DEPTH_MAX && length > 0 && length < sizeof name && path.data[0] != '.') {
            memcpy(name, path.data, length);
            name[length] = 0;
            int kind = slash == NULL ? O_RDONLY | O_NONBLOCK : O_PATH | O_DIRECTORY;
            next = openat(fd, name, kind | O_NOFOLLOW | O_CLOEXEC);
        }
        close(fd);
        fd = next;
        path.data += length;
        path.length -= length;
    }
    return fd;
}

static bool read_whole(int fd, uint8_t *to, size_t bytes)
{
    size_t got = 0;
    while (got < bytes) {
        ssize_t n = read(fd, to + got, bytes - got);
        if (n <= 0) {
            return false;
        }
        got += (size_t)n;
    }
    return true;
}

bool static_file_serve(struct exchange *exchange, struct str path, struct str if_none_match)
{
    const struct str index = STR("/index.html");
    if (str_is(path, "/")) {
        path = index;
    }
    int fd = open_below(exchange->conn->net->config.static_dir, path);
    if (fd < 0) {
        return false;
    }
    struct stat status;
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode) || status.st_size < 0 ||
        status.st_size > NET_STATIC_FILE_BYTES_MAX) {
        close(fd);
        return false;
    }
    char tag[64];
    snprintf(tag, sizeof tag, "\"%" PRIx64 "-%" PRIx64 "-%lx\"", (uint64_t)status.st_size,
             (uint64_t)status.st_mtim.tv_sec, (unsigned long)status.st_mtim.tv_nsec);
    struct net_header headers[] = { { STR("ETag"), str_of(tag) } };
    if (str_is(if_none_match, tag)) {
        close(fd);
        exchange_reply(exchange, 304, NULL, headers, 1, STR(""), true);
        return true;
    }
    size_t bytes = (size_t)status.st_size;
    uint8_t *content = mem_alloc(bytes);
    bool good = read_whole(fd, content, bytes);
    close(fd);
    if (good) {
        exchange_reply(exchange, 200, type_of(path), headers, 1,
                       (struct str){ (const char *)content, bytes }, true);
    }
    mem_free(content);
    return good;
}
