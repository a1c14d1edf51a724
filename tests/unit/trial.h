/* A constellation in a house of its own, and what is asked of it over HTTP: most tests of the API that
   change a plan begin with one. */
#ifndef TESTS_UNIT_TRIAL_H
#define TESTS_UNIT_TRIAL_H

#include "tests/unit/api_house.h"

struct trial {
    struct house *house;
    char id[160];
    struct buf body; /* for a request that the test puts together */
};

struct trial *trial_new(const char *spec); /* NULL: without a constellation yet */
int trial_tear_down(void **state);         /* which is a trial */

/* `rest` is what follows the constellation in the path; body NULL: none. */
struct answer trial_ask(struct trial *trial, const char *method, const char *rest,
                        const char *headers, const char *body);
/* The answer has this status, or the test fails with what it says. */
struct answer trial_get(struct trial *trial, const char *rest, int status);
struct answer trial_post(struct trial *trial, const char *rest, const char *body, int status);
/* The same, of which nothing else is wanted. */
void trial_expect(struct trial *trial, const char *method, const char *rest, const char *body,
                  int status);
/* An edit that is applied, and makes this revision. */
void trial_apply(struct trial *trial, const char *body, int64_t revision);
/* As trial_get(): the body as text, the caller's. */
struct buf trial_read(struct trial *trial, const char *rest);
/* `way` is /undo or /redo. Of status 200: `undone` is taken back by a new revision. */
void trial_take_back(struct trial *trial, const char *way, const char *body, int status,
                     int64_t revision, int64_t undone);
/* Asks for the route, which is heard and begins no turn: client_begin(). */
void trial_begin(struct trial *trial, struct client *client, const char *method, const char *rest,
                 const char *body);
/* A piece of an edit of many operations, or of its revision's text, is stored. */
bool trial_has_piece(struct trial *trial, int64_t bulk_id, enum piece_kind kind);
void trial_retain(struct trial *trial, int64_t revisions_max); /* all that retention does */

#endif
