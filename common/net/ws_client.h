/* One outgoing WebSocket on the nest: what an agent is connected by, also the test and bench
   clients. One connection at a time; the caller decides when to dial again. Floor 3. */
#ifndef COMMON_NET_WS_CLIENT_H
#define COMMON_NET_WS_CLIENT_H

#include "common/base/err.h"
#include "common/base/str.h"

struct nest;
struct ws_client;

struct ws_client_config {
    const char
        *url; /* ws://HOST:PORT, wss://…, http(s):// mean the same; path is fixed by `path` */
    const char *path; /* "/aip" */
    const char *subprotocol;
    const char *token;      /* sent as Authorization: Bearer; NULL none. Copied, never logged. */
    const char *ca_file;    /* PEM; NULL: the system's */
    size_t frame_bytes_max; /* a longer message closes the connection with 1009 */
    size_t queue_bytes_max; /* more than this unsent: ws_client_send says ERR_LIMIT */
};

struct ws_client_callbacks {
    void *context;
    void (*opened)(void *context);
    /* One whole binary message. */
    void (*frame)(void *context, struct str frame);
    /* The queue has drained below half: sending may go on. */
    void (*writable)(void *context);
    /* The end of every dial, whether it ever opened or not. `code` is the WebSocket close code, the
       HTTP status of a refused upgrade, or 0. Dial again from a timer, not from inside. */
    void (*closed)(void *context, int code, const char *why);
};

enum err ws_client_new(struct nest *nest, const struct ws_client_config *config,
                       const struct ws_client_callbacks *callbacks, struct ws_client **ret_client,
                       struct reason *reason);
void ws_client_free(struct ws_client *client); /* closes at once; no callback */
void ws_client_dial(struct ws_client *client); /* CHECKs that there is no connection */
/* Appends whole envelopes to what is sent at the next chance; small ones are coalesced into frames
   of up to 64 KiB. ERR_LIMIT: the queue is full; ERR_CLOSED. */
enum err ws_client_send(struct ws_client *client, struct str envelopes);
size_t ws_client_queued(const struct ws_client *client);
/* Sends what is queued, then closes with this code; `closed` follows. */
void ws_client_close(struct ws_client *client, int code, const char *why);

#endif
