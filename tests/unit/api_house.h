/* A house to test the API in: the real store in a directory of its own, the real engine, the real net on
   a free port of loopback, a turn like the daemon's, and clients that speak plain HTTP to it. */
#ifndef TESTS_UNIT_API_HOUSE_H
#define TESTS_UNIT_API_HOUSE_H

#include <jansson.h>

#include "common/base/buf.h"
#include "orchestrator/api/api.h"

enum { HOUSE_EVENTS_MAX = 64, HOUSE_ASSIGNS_MAX = 64 };

struct house {
    char directory[64];
    char unix_path[96];
    struct nest *nest;
    struct store *store;
    struct store_start start;
    struct engine *engine;
    struct condition_engine *conditions;
    struct arena arena; /* of a turn */
    struct net *net;
    struct api *api;
    struct effects effects;
    struct event events[HOUSE_EVENTS_MAX];
    size_t events_count;
    bool is_woken;
    bool is_held; /* house_pass() runs no turns: the test does */
    bool in_turn;
    size_t wake_slice;
    int64_t skew_ms; /* added to both clocks */
    int64_t certificate_wall_ms;
    uint64_t tokens_changed; /* calls */
    uint64_t turns;
    uint64_t requests;                  /* that have come in */
    uint64_t fences[HOUSE_ASSIGNS_MAX]; /* assigned and not yet taken by a test */
    size_t fences_count;
    uint64_t session;    /* of the device "desktop", on channel 1 */
    size_t put_off;      /* questions, of all turns */
    size_t answered_max; /* of one turn, likewise */
    /* Gets what comes in, instead of the API, if it is set. */
    void (*let_in)(struct house *house, const struct net_request *request);
    void *let_in_context;
};

struct house *house_new(void);
/* So many rows of what has ended come back in a turn (api_config.wake_slice). */
struct house *house_new_slow(size_t wake_slice);
void house_free(struct house *house);
void house_reopen(struct house *house); /* its net and its API: what these read when they begin */
/* All of it: what is not on the disk is gone, as are its connections. */
void house_restart(struct house *house);
void house_pass(struct house *house); /* what the sockets have, then a turn if one is due */
bool house_is_due(struct house *house);
void house_turn(struct house *house);
void house_post(struct house *house, const struct event *event);

/* A device "desktop" with slots for all, connected and ready. */
void house_connect_device(struct house *house);
void house_connect_journal(struct house *house, const char *journal_id); /* as another machine */
void house_close_channel(struct house *house);
void house_message(struct house *house, struct msg *msg);
uint64_t house_take_fence(struct house *house); /* the oldest assigned one */
void house_started(struct house *house, uint64_t fence);
void house_output(struct house *house, uint64_t fence, enum stream stream, uint64_t offset,
                  struct str data);
void house_finished(struct house *house, uint64_t fence, int exit_code, uint64_t stdout_bytes);

struct client {
    struct buf in;
    int fd;
    bool is_at_end;
};

struct request {
    const char *method;
    const char *path;
    const char *headers; /* whole lines with their ends, or NULL */
    struct str body;
    bool over_unix;
};

void client_open(struct house *house, struct client *client, const struct request *request);
/* The same, and waits until the house has heard it, which is held from here on: no turn is run. */
void client_begin(struct house *house, struct client *client, const struct request *request);
/* Runs the house until the text has come in; fails the test after some seconds. */
void client_wait(struct house *house, struct client *client, const char *text);
void client_wait_end(struct house *house, struct client *client);
bool client_has(struct client *client, const char *text);
void client_close(struct client *client);

struct answer {
    int status;
    struct buf all; /* head and body, as they came, ended by a NUL */
    const char *body;
    size_t body_bytes;
    json_t *json; /* of the body, or NULL */
};

/* One request on a connection of its own, answered. */
struct answer house_ask(struct house *house, const struct request *request);
/* The same over a connection that is kept for the next one; a zeroed client has none yet. */
struct answer client_ask(struct house *house, struct client *client, const struct request *request);
struct answer house_get(struct house *house, const char *path);
struct answer house_send(struct house *house, const char *method, const char *path,
                         const char *body);
void answer_done(struct answer *answer);
void answer_must(const struct answer *answer, int status); /* or the test fails with what it says */
/* Asks, expects the status and drops the answer. */
void house_expect(struct house *house, const char *method, const char *path, const char *body,
                  int status);
const char *answer_text(const struct answer *answer, const char *key); /* of the top object */
int64_t answer_number(const struct answer *answer, const char *key);
bool answer_has_header(const struct answer *answer, const char *line);
/* A route of a constellation ("" is its own), until the next call. */
const char *house_path(const char *id, const char *rest);
/* Submits the spec and returns the constellation's id. */
void house_submit(struct house *house, const char *spec, char to[160]);

#endif
