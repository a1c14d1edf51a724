/* See trial.h. */
#include "tests/unit/trial.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "orchestrator/store/retention.h"

struct trial *trial_new(const char *spec)
{
    struct trial *trial = mem_alloc(sizeof(*trial));
    trial->house = house_new();
    if (spec != NULL) {
        house_submit(trial->house, spec, trial->id);
    }
    return trial;
}

int trial_tear_down(void **state)
{
    struct trial *trial = *state;
    house_free(trial->house);
    buf_done(&trial->body);
    mem_free(trial);
    return 0;
}

static struct request request_of(const struct trial *trial, const char *method, const char *rest,
                                 const char *body)
{
    return (struct request){
        .method = method,
        .path = house_path(trial->id, rest),
        .body = body == NULL ? (struct str){ NULL, 0 } : str_of(body),
    };
}

struct answer trial_ask(struct trial *trial, const char *method, const char *rest,
                        const char *headers, const char *body)
{
    struct request request = request_of(trial, method, rest, body);
    request.headers = headers;
    return house_ask(trial->house, &request);
}

static struct answer ask_for(struct trial *trial, const char *method, const char *rest,
                             const char *body, int status)
{
    struct answer answer = trial_ask(trial, method, rest, NULL, body);
    answer_must(&answer, status);
    return answer;
}

struct answer trial_get(struct trial *trial, const char *rest, int status)
{
    return ask_for(trial, "GET", rest, NULL, status);
}

struct answer trial_post(struct trial *trial, const char *rest, const char *body, int status)
{
    return ask_for(trial, "POST", rest, body, status);
}

void trial_expect(struct trial *trial, const char *method, const char *rest, const char *body,
                  int status)
{
    struct answer answer = ask_for(trial, method, rest, body, status);
    answer_done(&answer);
}

void trial_apply(struct trial *trial, const char *body, int64_t revision)
{
    struct answer answer = trial_post(trial, "/edits", body, 200);
    assert_int_equal(answer_number(&answer, "revision"), revision);
    answer_done(&answer);
}

struct buf trial_read(struct trial *trial, const char *rest)
{
    struct answer answer = trial_get(trial, rest, 200);
    struct buf text = { NULL, 0, 0 };
    buf_append(&text, answer.body, answer.body_bytes);
    answer_done(&answer);
    return text;
}

void trial_take_back(struct trial *trial, const char *way, const char *body, int status,
                     int64_t revision, int64_t undone)
{
    struct answer answer = trial_post(trial, way, body, status);
    if (status == 200) {
        assert_int_equal(answer_number(&answer, "revision"), revision);
        assert_int_equal(answer_number(&answer, "undone"), undone);
    }
    answer_done(&answer);
}

void trial_begin(struct trial *trial, struct client *client, const char *method, const char *rest,
                 const char *body)
{
    struct request request = request_of(trial, method, rest, body);
    client_begin(trial->house, client, &request);
}

bool trial_has_piece(struct trial *trial, int64_t bulk_id, enum piece_kind kind)
{
    struct arena arena = { 0 };
    struct str body;
    enum err err = store_read_piece(trial->house->store, bulk_id, kind, 0, &arena, &body);
    assert_true(err == ERR_NONE || err == ERR_NOT_FOUND);
    arena_done(&arena);
    return err == ERR_NONE;
}

void trial_retain(struct trial *trial, int64_t revisions_max)
{
    const struct retention_policy policy = { .revisions_max = revisions_max };
    struct reason reason = { "" };
    bool more = true;
    while (more) {
        assert_int_equal(store_begin(trial->house->store, &reason), ERR_NONE);
        assert_int_equal(store_retain(trial->house->store, 1, &policy, &more, &reason), ERR_NONE);
        assert_int_equal(store_commit(trial->house->store, &reason), ERR_NONE);
    }
}
