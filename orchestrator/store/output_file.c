/* Files of long output, and who is owed word of what is durable. */
#include "orchestrator/store/output_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/base/map.h"
#include "common/base/mem.h"
#include "orchestrator/store/data_dir.h"

struct output_stream {
    uint64_t fence;
    enum stream stream;
    uint64_t end;        /* bytes taken so far */
    int fd;              /* -1: no file is open */
    bool owed;           /* in the list of those to be told */
    bool dirty;          /* the file holds bytes that are not synced */
    bool created;        /* so does its directory */
    bool finished;       /* no more will come */
    int64_t synced_ms;   /* boot time of the last sync */
    uint64_t synced_end; /* and how far it reached */
    uint64_t used;       /* the larger the more recently written */
};

struct output_files {
    char *data_dir;
    struct map streams; /* by fence and stream */
    struct output_stream **owed;
    size_t owed_count;
    size_t owed_capacity;
    size_t open_count;
    uint64_t uses;
    int64_t deadline_ms;
};

static uint64_t stream_key(uint64_t fence, enum stream stream)
{
    return fence << 1 | (stream == STREAM_STDERR ? 1U : 0U);
}

static const char *stream_suffix(enum stream stream)
{
    return stream == STREAM_STDERR ? "stderr" : "stdout";
}

bool output_file_path(const char *data_dir, uint64_t fence, enum stream stream,
                      char path[OUTPUT_PATH_BYTES_MAX])
{
    int length = snprintf(path, OUTPUT_PATH_BYTES_MAX, "%s/output/%02x/%" PRIu64 ".%s", data_dir,
                          (unsigned)(fence & 0xff), fence, stream_suffix(stream));
    return length > 0 && length < OUTPUT_PATH_BYTES_MAX;
}

enum err output_file_directory(const char *data_dir, uint64_t fence, struct reason *reason)
{
    char path[OUTPUT_PATH_BYTES_MAX];
    snprintf(path, sizeof path, "%s/output", data_dir);
    if (mkdir(path, 0700) == 0) {
        enum err err = data_dir_sync(data_dir, reason);
        if (err != ERR_NONE) {
            return err;
        }
    } else if (errno != EEXIST) {
        return reason_set(reason, ERR_IO, "%s cannot be made: %s", path, strerror(errno));
    }
    char inner[OUTPUT_PATH_BYTES_MAX + 8];
    snprintf(inner, sizeof inner, "%s/%02x", path, (unsigned)(fence & 0xff));
    if (mkdir(inner, 0700) == 0) {
        return data_dir_sync(path, reason);
    }
    if (errno != EEXIST) {
        return reason_set(reason, ERR_IO, "%s cannot be made: %s", inner, strerror(errno));
    }
    return ERR_NONE;
}

struct output_files *output_files_new(const char *data_dir)
{
    struct output_files *files = mem_alloc(sizeof *files);
    files->data_dir = mem_copy_text(data_dir);
    files->deadline_ms = INT64_MAX;
    return files;
}

static void stream_free(struct output_files *files, struct output_stream *stream)
{
    map_remove(&files->streams, stream_key(stream->fence, stream->stream));
    if (stream->fd >= 0) {
        close(stream->fd);
        files->open_count--;
    }
    mem_free(stream);
}

void output_files_free(struct output_files *files)
{
    if (files == NULL) {
        return;
    }
    size_t at = 0;
    uint64_t key;
    void *value;
    while (map_each(&files->streams, &at, &key, &value)) {
        struct output_stream *stream = value;
        if (stream->fd >= 0) {
            close(stream->fd);
        }
        mem_free(stream);
    }
    map_done(&files->streams);
    mem_free(files->owed);
    mem_free(files->data_dir);
    mem_free(files);
}

static struct output_stream *stream_get(struct output_files *files, uint64_t fence,
                                        enum stream which)
{
    struct output_stream *stream = map_get(&files->streams, stream_key(fence, which));
    if (stream == NULL) {
        stream = mem_alloc(sizeof *stream);
        *stream = (struct output_stream){
            .fence = fence, .stream = which, .fd = -1, .synced_ms = -OUTPUT_SYNC_MS
        };
        map_put(&files->streams, stream_key(fence, which), stream);
    }
    return stream;
}

/* An agent whose window is half full is waiting for this sync: with one a second, a stream could not
   go faster than its window a second. */
static int64_t stream_due_ms(const struct output_stream *stream)
{
    bool early = stream->end - stream->synced_end >= MSG_OUTPUT_WINDOW_BYTES / 2;
    return stream->synced_ms + (early ? OUTPUT_SYNC_EARLY_MS : OUTPUT_SYNC_MS);
}

void output_files_note(struct output_files *files, uint64_t fence, enum stream which, uint64_t end)
{
    struct output_stream *stream = stream_get(files, fence, which);
    stream->end = end;
    stream->used = ++files->uses;
    if (!stream->owed) {
        if (files->owed_count == files->owed_capacity) {
            files->owed_capacity = files->owed_capacity == 0 ? 64 : files->owed_capacity * 2;
            files->owed = mem_resize(files->owed, files->owed_capacity * sizeof(void *));
        }
        files->owed[files->owed_count++] = stream;
        stream->owed = true;
    }
    int64_t due_ms = stream->dirty ? stream_due_ms(stream) : 0;
    if (due_ms < files->deadline_ms) {
        files->deadline_ms = due_ms;
    }
}

static enum err stream_sync(struct output_files *files, struct output_stream *stream,
                            struct reason *reason)
{
    if (!stream->dirty) {
        return ERR_NONE;
    }
    char path[OUTPUT_PATH_BYTES_MAX];
    output_file_path(files->data_dir, stream->fence, stream->stream, path);
    if (fdatasync(stream->fd) != 0) {
        return reason_set(reason, ERR_IO, "%s cannot be synced: %s", path, strerror(errno));
    }
    if (stream->created) {
        *strrchr(path, '/') = '\0';
        enum err err = data_dir_sync(path, reason);
        if (err != ERR_NONE) {
            return err;
        }
    }
    stream->created = false;
    stream->dirty = false;
    stream->synced_end = stream->end;
    return ERR_NONE;
}

/* Room for one more open file: the one that was written longest ago is synced and closed. */
static enum err close_oldest(struct output_files *files, struct reason *reason)
{
    struct output_stream *oldest = NULL;
    size_t at = 0;
    uint64_t key;
    void *value;
    while (map_each(&files->streams, &at, &key, &value)) {
        struct output_stream *stream = value;
        if (stream->fd >= 0 && (oldest == NULL || stream->used < oldest->used)) {
            oldest = stream;
        }
    }
    CHECK(oldest != NULL);
    enum err err = stream_sync(files, oldest, reason);
    if (err != ERR_NONE) {
        return err;
    }
    close(oldest->fd);
    oldest->fd = -1;
    files->open_count--;
    if (!oldest->owed) {
        stream_free(files, oldest);
    }
    return ERR_NONE;
}

static enum err stream_open(struct output_files *files, struct output_stream *stream,
                            uint64_t offset, struct reason *reason)
{
    char path[OUTPUT_PATH_BYTES_MAX];
    if (!output_file_path(files->data_dir, stream->fence, stream->stream, path)) {
        return reason_set(reason, ERR_IO, "the path of the data directory is too long");
    }
    enum err err = ERR_NONE;
    if (files->open_count >= OUTPUT_OPEN_FILES_MAX) {
        err = close_oldest(files, reason);
    }
    if (err == ERR_NONE) {
        err = output_file_directory(files->data_dir, stream->fence, reason);
    }
    if (err != ERR_NONE) {
        return err;
    }
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    struct stat status;
    if (fd >= 0 && fstat(fd, &status) == 0 && status.st_size < (off_t)offset) {
        close(fd);
        return reason_set(reason, ERR_CORRUPT, "%s is shorter than what was written to it", path);
    }
    if (fd < 0 || fstat(fd, &status) != 0 || ftruncate(fd, (off_t)offset) != 0) {
        err = reason_set(reason, ERR_IO, "%s cannot be opened: %s", path, strerror(errno));
        if (fd >= 0) {
            close(fd);
        }
        return err;
    }
    stream->created = status.st_size == 0;
    stream->fd = fd;
    files->open_count++;
    return ERR_NONE;
}

enum err output_files_write(struct output_files *files, uint64_t fence, enum stream which,
                            uint64_t offset, struct str data, struct reason *reason)
{
    CHECK(offset >= STORE_OUTPUT_INLINE_MAX);
    struct output_stream *stream = stream_get(files, fence, which);
    uint64_t at = offset - STORE_OUTPUT_INLINE_MAX;
    if (stream->fd < 0) {
        enum err err = stream_open(files, stream, at, reason);
        if (err != ERR_NONE) {
            return err;
        }
    }
    for (size_t done = 0; done < data.length;) {
        ssize_t written =
            pwrite(stream->fd, data.data + done, data.length - done, (off_t)(at + done));
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            return reason_set(reason, ERR_IO, "output cannot be written in %s/output: %s",
                              files->data_dir, strerror(written == 0 ? ENOSPC : errno));
        }
        done += (size_t)written;
    }
    stream->dirty = true;
    output_files_note(files, fence, which, offset + data.length);
    return ERR_NONE;
}

enum err output_files_finish(struct output_files *files, uint64_t fence, struct reason *reason)
{
    static const enum stream both[] = { STREAM_STDOUT, STREAM_STDERR };
    for (size_t i = 0; i < 2; i++) {
        struct output_stream *stream = map_get(&files->streams, stream_key(fence, both[i]));
        if (stream == NULL) {
            continue;
        }
        enum err err = stream_sync(files, stream, reason);
        if (err != ERR_NONE) {
            return err;
        }
        stream->finished = true;
        if (stream->owed) {
            files->deadline_ms = 0;
        } else {
            stream_free(files, stream);
        }
    }
    return ERR_NONE;
}

enum err output_files_sync(struct output_files *files, int64_t boot_ms, bool all,
                           store_output_durable *durable, void *context, struct reason *reason)
{
    size_t kept = 0;
    size_t synced = 0;
    int64_t deadline_ms = INT64_MAX;
    enum err err = ERR_NONE;
    for (size_t i = 0; i < files->owed_count; i++) {
        struct output_stream *stream = files->owed[i];
        bool due = boot_ms >= stream_due_ms(stream) && synced < OUTPUT_SYNC_FILES_MAX;
        if (err == ERR_NONE && stream->dirty && (all || due)) {
            err = stream_sync(files, stream, reason);
            stream->synced_ms = boot_ms;
            synced++;
        }
        if (err != ERR_NONE || stream->dirty) {
            files->owed[kept++] = stream;
            int64_t due_ms = stream_due_ms(stream);
            deadline_ms = due_ms < deadline_ms ? due_ms : deadline_ms;
            continue;
        }
        stream->owed = false;
        if (durable != NULL) {
            durable(context, stream->fence, stream->stream, stream->end);
        }
        if (stream->fd < 0 || stream->finished) {
            stream_free(files, stream);
        }
    }
    files->owed_count = kept;
    files->deadline_ms = deadline_ms;
    return err;
}

int64_t output_files_deadline(const struct output_files *files)
{
    return files->deadline_ms;
}

enum err output_file_read(const char *data_dir, uint64_t fence, enum stream stream, uint64_t offset,
                          size_t bytes, struct buf *into)
{
    char path[OUTPUT_PATH_BYTES_MAX];
    if (!output_file_path(data_dir, fence, stream, path)) {
        return ERR_IO;
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return errno == ENOENT ? ERR_NOT_FOUND : ERR_IO;
    }
    enum err err = ERR_NONE;
    off_t at = (off_t)(offset - STORE_OUTPUT_INLINE_MAX);
    while (bytes > 0) {
        ssize_t got = pread(fd, buf_reserve(into, bytes), bytes, at);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            err = got == 0 ? ERR_NONE : ERR_IO;
            break;
        }
        into->length += (size_t)got;
        bytes -= (size_t)got;
        at += got;
    }
    close(fd);
    return err;
}

void output_file_remove(const char *data_dir, uint64_t fence)
{
    static const enum stream both[] = { STREAM_STDOUT, STREAM_STDERR };
    char path[OUTPUT_PATH_BYTES_MAX];
    for (size_t i = 0; i < 2; i++) {
        if (output_file_path(data_dir, fence, both[i], path)) {
            unlink(path);
        }
    }
}

enum err output_file_settle(const char *data_dir, uint64_t fence, enum stream stream,
                            uint64_t *ret_bytes)
{
    char path[OUTPUT_PATH_BYTES_MAX];
    if (!output_file_path(data_dir, fence, stream, path)) {
        return ERR_IO;
    }
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        *ret_bytes = 0;
        return errno == ENOENT ? ERR_NONE : ERR_IO;
    }
    struct stat status;
    bool good = fstat(fd, &status) == 0 && fdatasync(fd) == 0;
    close(fd);
    if (!good) {
        return ERR_IO;
    }
    *ret_bytes = (uint64_t)status.st_size;
    *strrchr(path, '/') = '\0';
    return data_dir_sync(path, NULL);
}
