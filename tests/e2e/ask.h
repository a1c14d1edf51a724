/* Plain HTTP requests to the daemon, as any client would make them. */
#ifndef TESTS_E2E_ASK_H
#define TESTS_E2E_ASK_H

#include <jansson.h>

#include "common/base/buf.h"
#include "tests/e2e/fleet.h"

enum { ASK_HEADERS_MAX = 6 };

struct ask {
    const char *method; /* NULL: GET */
    const char *path;
    const char *headers[ASK_HEADERS_MAX]; /* "Name: value" */
    const char *body;                     /* or NULL */
    bool without_token;                   /* although the fleet has one */
    int64_t limit_ms;                     /* 0: 30 s; what has come by then is kept */
    const char *until;                    /* stop when the answer holds this; NULL: at its end */
};

struct answer {
    long status; /* 0: none came */
    char *body;  /* NUL-terminated behind its end */
    size_t length;
    json_t *json; /* of a JSON body, else NULL */
};

struct answer ask(struct fleet *fleet, const struct ask *question);
void answer_done(struct answer *answer);
/* GET; NULL if the daemon is not there or the status is not 200. To be released. */
json_t *ask_json(struct fleet *fleet, const char *path);
long ask_status(struct fleet *fleet, const char *method, const char *path, const char *body);

/* A member, or "" and 0 if it is not there; never NULL. */
const char *text_of(const json_t *object, const char *key);
int64_t number_of(const json_t *object, const char *key);

/* The state of a constellation or, with a key, of its task, by GET; in a ring of a few. */
const char *state_of(struct fleet *fleet, const char *id, const char *key);
/* The id that `asterism submit` printed for this spec. In a ring of a few. */
const char *submitted(struct fleet *fleet, const char *spec_path);

#endif
