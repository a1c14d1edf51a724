#include "agent/exec/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum {
    STREAM_CHUNK_BYTES = 64 * 1024,
    STREAM_CHUNKS_A_TURN = 4,   /* so that one noisy task leaves the loop to others */
    STREAM_CHUNKS_A_DRAIN = 64, /* more than the largest pipe */
};

void stream_watch(struct stream_reader *reader, struct event_base *base, event_callback_fn callback,
                  void *context)
{
    if (reader->pipe_fd >= 0 && !event_initialized(&reader->readable)) {
        event_assign(&reader->readable, base, reader->pipe_fd, EV_READ | EV_PERSIST, callback,
                     context);
        event_add(&reader->readable, NULL);
    }
}

static void close_pipe(struct stream_reader *reader)
{
    if (reader->pipe_fd < 0) {
        return;
    }
    if (event_initialized(&reader->readable)) {
        event_del(&reader->readable);
    }
    close(reader->pipe_fd);
    reader->pipe_fd = -1;
}

/* What is dropped is dropped for good: a spool has no holes. */
static void truncate_here(struct stream_reader *reader)
{
    reader->truncated = true;
    if (reader->spool_fd >= 0) {
        close(reader->spool_fd);
        reader->spool_fd = -1;
    }
}

static void keep(struct stream_reader *reader, const char *data, size_t length)
{
    uint64_t room = reader->bytes_max - reader->bytes;
    size_t take = length <= room ? length : (size_t)room;
    if (take > 0 && reader->spool_fd < 0) {
        reader->spool_fd = place_create_spool(reader->place, reader->fence, reader->stream);
    }
    while (take > 0) {
        ssize_t written = reader->spool_fd < 0 ? -1 : write(reader->spool_fd, data, take);
        if (written < 0 && reader->spool_fd >= 0 && errno == EINTR) {
            continue;
        }
        bool is_full = written < 0 && (errno == ENOSPC || errno == EDQUOT);
        if (is_full && reader->spool_fd >= 0 && place_make_room(reader->place)) {
            continue;
        }
        if (written <= 0) {
            truncate_here(reader); /* no room on the disk: the task goes on */
            return;
        }
        reader->bytes += (uint64_t)written;
        data += written;
        take -= (size_t)written;
        length -= (size_t)written;
    }
    if (length > 0) {
        truncate_here(reader);
    }
}

bool stream_put(struct stream_reader *reader, struct str bytes)
{
    uint64_t bytes_before = reader->bytes;
    bool truncated_before = reader->truncated;
    if (bytes.length > 0 && !reader->truncated) {
        keep(reader, bytes.data, bytes.length);
    }
    return reader->bytes != bytes_before || reader->truncated != truncated_before;
}

static bool read_chunks(struct stream_reader *reader, int chunks)
{
    static char chunk[STREAM_CHUNK_BYTES];
    uint64_t bytes_before = reader->bytes;
    bool truncated_before = reader->truncated;
    for (int i = 0; i < chunks && reader->pipe_fd >= 0; i++) {
        ssize_t length = read(reader->pipe_fd, chunk, sizeof chunk);
        if (length < 0 && errno == EINTR) {
            continue;
        }
        if (length < 0 && errno == EAGAIN) {
            break;
        }
        if (length <= 0) {
            close_pipe(reader);
            break;
        }
        reader->heard = true;
        if (!reader->truncated) {
            keep(reader, chunk, (size_t)length);
        }
    }
    return reader->bytes != bytes_before || reader->truncated != truncated_before;
}

bool stream_read(struct stream_reader *reader)
{
    return read_chunks(reader, STREAM_CHUNKS_A_TURN);
}

bool stream_drain(struct stream_reader *reader)
{
    return read_chunks(reader, STREAM_CHUNKS_A_DRAIN);
}

void stream_close(struct stream_reader *reader)
{
    close_pipe(reader);
    if (reader->spool_fd >= 0) {
        close(reader->spool_fd);
        reader->spool_fd = -1;
    }
}
