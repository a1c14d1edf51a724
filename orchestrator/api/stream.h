/* Answers that go on: events, changes, followed output. What they share: a table by request id, the
   heartbeat, a reader that is slow or gone. Each kind is pumped: called when its reader has room, when
   there may be something new for it, or when it asked to be; it writes what fits and remembers where
   it is. Nothing is queued here beyond what net holds for the socket. */
#ifndef ORCHESTRATOR_API_STREAM_H
#define ORCHESTRATOR_API_STREAM_H

#include "common/base/buf.h"
#include "common/base/map.h"
#include "orchestrator/engine/effect.h"
#include "orchestrator/net/net.h"

struct api;
struct api_stream;

enum {
    STREAM_PUMPS_MAX = 8, /* streams served in one pass */
    STREAM_HEARTBEAT_MS = 15000,
    /* While more than this waits for the socket nothing is added: below any sensible limit of net. */
    STREAM_QUEUED_BYTES_HIGH = 128 * 1024,
};

#define STREAM_SSE "text/event-stream"

enum stream_index {
    STREAM_EVENTS,
    STREAM_CHANGES,
    STREAM_OUTPUT,
    STREAM_POLLS,
    STREAM_KINDS,
};

struct stream_kind {
    enum stream_index index;
    bool has_heartbeat; /* server-sent events: a comment now and then keeps proxies awake */
    /* May end the stream; then it returns at once. */
    void (*pump)(struct api *api, struct api_stream *stream);
    void (*free)(struct api_stream *stream);
};

/* The first member of each kind's own struct. */
struct api_stream {
    const struct stream_kind *kind;
    uint64_t id; /* of the request */
    struct net_identity identity;
    int64_t heartbeat_ms; /* boot time of the next one */
    int64_t due_ms;       /* boot time at which it wants to be pumped; INT64_MAX: not by time */
    bool is_pumped;       /* right now */
    bool is_mid_event;    /* the last write ended inside an event: no heartbeat now */
    bool is_gone; /* ended, or its reader went away: freed when the call from outside ends */
};

/* Zero-initialised is empty. */
struct streams {
    struct map by_id;
    struct api_stream **list;
    size_t count;
    size_t next; /* the one whose turn it is */
    size_t capacity;
    size_t gone;
    size_t open[STREAM_KINDS]; /* not gone, by enum stream_index */
    int64_t deadline_ms;       /* no stream is due before */
    unsigned depth;            /* calls from outside under way */
};

void streams_init(struct streams *streams);
void streams_done(struct streams *streams);
/* Around every call from outside: in between, a stream that is gone can still be looked at. */
void streams_enter(struct streams *streams);
void streams_leave(struct streams *streams);

/* Whether there is room for one more; if not, the request is answered. */
bool stream_may_begin(struct api *api, uint64_t request);
/* Takes the stream over and begins the answer. */
void stream_begin_take(struct api *api, struct api_stream *stream, const struct stream_kind *kind,
                       const struct net_request *request, const char *content_type);
/* False: the reader was too slow or has gone, the stream is gone with it. */
bool stream_write(struct api *api, struct api_stream *stream, struct str bytes);
bool stream_has_room(const struct api *api, const struct api_stream *stream);
void stream_end(struct api *api, struct api_stream *stream);
void stream_pump(struct api *api, struct api_stream *stream);
void stream_due(struct api *api, struct api_stream *stream, int64_t boot_ms);

/* Ends those whose reader's token no longer holds. */
void streams_recheck(struct api *api);
void streams_gone(struct api *api, uint64_t id);
void streams_drained(struct api *api, uint64_t id);
void streams_tick(struct api *api, int64_t boot_ms);

/* One server-sent event appended to `text`: "id" empty: none. */
void stream_event(struct buf *text, struct str id, const char *name, struct str data);

/* Whether anybody wants to know, and telling them, after a commit. */
void events_committed(struct api *api, const struct effects *effects);
void changes_committed(struct api *api, const struct effects *effects);
void output_committed(struct api *api, const struct effects *effects);

#endif
