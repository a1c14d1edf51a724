/* What the store holds of each revision, against the plain model of a plan: random batches, undos and
   redos; of each that is applied its operations make the new plan of the old one and its inverse the old
   of the new; the plan as of any revision is the model's, the difference of any two is the model's own; and
   what the model refuses is refused, with its code. --seed N --steps N replays one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "common/base/rng.h"
#include "tests/unit/api_house.h"
#include "tests/unit/plan_batch.h"
#include "tests/unit/plan_model.h"

enum { REVISIONS_MAX = 30, STEPS_A_REACH = 100, STEPS_COUNTED_MIN = 2000, PATH_BYTES = 320 };

static uint64_t seed = 1;
/* Sanitizers make each request cost five times as much. */
#ifdef __SANITIZE_ADDRESS__
static long steps_wanted = 2000;
#else
static long steps_wanted = 6000;
#endif

static struct {
    const char *what;
    long count;
} reached[] = { { "applied", 0 },
                { "changed nothing", 0 },
                { "undo", 0 },
                { "redo", 0 },
                { "nothing to undo", 0 },
                { "nothing to redo", 0 },
                { "dry run", 0 },
                { "unknown_task", 0 },
                { "duplicate_key", 0 },
                { "has_dependents", 0 },
                { "cycle", 0 },
                { "unknown_dependency", 0 },
                { "duplicate_dependency", 0 },
                { "ambiguous_dependency", 0 },
                { "made_by_reference", 0 },
                { "bad_condition", 0 },
                { "missing_key", 0 } };

struct play {
    struct rng rng;
    struct house *house;
    struct client client;
    char id[160];
    json_t *plans[REVISIONS_MAX + 1]; /* by the number of the revision */
    unsigned head;
    unsigned
        undone[REVISIONS_MAX + 1]; /* revisions whose plan an undo brings back, the last on top */
    size_t undone_count;
    unsigned redone[REVISIONS_MAX + 1];
    size_t redone_count;
};

static void reach(const char *what)
{
    for (size_t i = 0; i < sizeof reached / sizeof reached[0]; i++) {
        reached[i].count += strcmp(reached[i].what, what) == 0;
    }
}

static uint64_t below(struct play *play, uint64_t bound)
{
    return rng_below(&play->rng, bound);
}

static bool one_in(struct play *play, uint64_t n)
{
    return below(play, n) == 0;
}

/* --- Asking --- */

static struct answer ask(struct play *play, const char *method, const char *rest, const char *body)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "/api/v1/constellations/%s%s", play->id, rest);
    const struct request request = {
        .method = method,
        .path = path,
        .body = { body, body == NULL ? 0 : strlen(body) },
    };
    return client_ask(play->house, &play->client, &request);
}

static struct answer must_get(struct play *play, const char *rest)
{
    struct answer answer = ask(play, "GET", rest, NULL);
    if (answer.status != 200) {
        fail_msg("%s: %s", rest, buf_text(&answer.all));
    }
    return answer;
}

static void expect_equal(const char *what, json_t *found, json_t *expected)
{
    if (!json_equal(found, expected)) {
        char *a = json_dumps(found, JSON_SORT_KEYS | JSON_ENCODE_ANY);
        char *b = json_dumps(expected, JSON_SORT_KEYS | JSON_ENCODE_ANY);
        fail_msg("%s\n%s\nand not\n%s", what, a == NULL ? "nothing" : a, b);
    }
}

static void compare_plan(struct play *play, unsigned revision)
{
    char rest[64];
    snprintf(rest, sizeof rest, "/plan?revision=%u", revision);
    struct answer answer = must_get(play, rest);
    json_t *shown = plan_model_read(answer.json);
    expect_equal(rest, shown, play->plans[revision]);
    json_decref(shown);
    answer_done(&answer);
}

static void compare_diff(struct play *play, unsigned from, unsigned to)
{
    char rest[64];
    snprintf(rest, sizeof rest, "/diff?from=%u&to=%u", from, to);
    struct answer answer = must_get(play, rest);
    json_t *shown = plan_model_read_diff(answer.json);
    json_t *expected = plan_model_diff(play->plans[from], play->plans[to]);
    expect_equal(rest, shown, expected);
    json_decref(shown);
    json_decref(expected);
    answer_done(&answer);
}

/* Its operations make the new plan of the old one, its inverse the old of the new. True: there is
   something to take back. */
static bool compare_revision(struct play *play, unsigned revision)
{
    char rest[64];
    snprintf(rest, sizeof rest, "/revisions/%u", revision);
    struct answer answer = must_get(play, rest);
    json_t *inverse = json_object_get(answer.json, "inverse");
    const char *code = NULL;
    json_t *after = plan_model_apply(play->plans[revision - 1],
                                     json_object_get(answer.json, "operations"), &code);
    expect_equal("its operations make", after, play->plans[revision]);
    json_t *before = plan_model_apply(play->plans[revision], inverse, &code);
    if (before == NULL) {
        char *plan = json_dumps(play->plans[revision], 0);
        fail_msg("%s\nthe inverse of this is %s, on\n%s", buf_text(&answer.all), code, plan);
    }
    expect_equal("its inverse makes", before, play->plans[revision - 1]);
    bool is_something = json_array_size(inverse) > 0;
    if (!is_something) {
        expect_equal("it has no inverse", play->plans[revision], play->plans[revision - 1]);
    }
    json_decref(after);
    json_decref(before);
    answer_done(&answer);
    return is_something;
}

static void look(struct play *play)
{
    compare_plan(play, one_in(play, 2) ? play->head : 1 + (unsigned)below(play, play->head));
    compare_diff(play, 1 + (unsigned)below(play, play->head),
                 1 + (unsigned)below(play, play->head));
}

/* --- Steps --- */

static void expect_codes(struct answer *answer, const json_t *operations, const char *code)
{
    size_t i = 0;
    const json_t *error = NULL;
    bool is_told = json_array_size(operations) > 1; /* then others may hide it */
    json_array_foreach(json_object_get(answer->json, "errors"), i, error)
    {
        const char *told = json_string_value(json_object_get(error, "code"));
        reach(told);
        is_told = is_told || strcmp(told, code) == 0;
    }
    if (!is_told) {
        char *text = json_dumps(operations, 0);
        fail_msg("%s\nis not told as %s:\n%s", text, code, buf_text(&answer->all));
    }
}

static void edit(struct play *play)
{
    json_t *operations = plan_batch(&play->rng, play->plans[play->head]);
    json_t *batch = json_pack("{s:O}", "operations", operations);
    char *body = json_dumps(batch, 0);
    const char *code = NULL;
    json_t *after = plan_model_apply(play->plans[play->head], operations, &code);
    bool is_dry = one_in(play, 8);
    struct answer answer = ask(play, "POST", is_dry ? "/edits?dry_run=1" : "/edits", body);
    if ((answer.status == 200) != (after != NULL)) {
        char *plan = json_dumps(play->plans[play->head], JSON_SORT_KEYS);
        fail_msg("%s\nto %s\nthe model says %s:\n%s", body, plan, code == NULL ? "yes" : code,
                 buf_text(&answer.all));
    }
    if (after == NULL) {
        expect_codes(&answer, operations, code);
    } else if (is_dry) {
        reach("dry run");
        json_decref(after);
    } else {
        reach("applied");
        play->plans[++play->head] = after;
        assert_int_equal(answer_number(&answer, "revision"), play->head);
        if (compare_revision(play, play->head)) {
            play->undone[play->undone_count++] = play->head;
            play->redone_count = 0;
        } else {
            reach("changed nothing");
        }
    }
    answer_done(&answer);
    free(body);
    json_decref(batch);
    json_decref(operations);
}

static void tell_history(struct play *play)
{
    struct answer answer = must_get(play, "/revisions?limit=100");
    print_error("%s\n", buf_text(&answer.all));
    answer_done(&answer);
    for (unsigned i = 2; i <= play->head; i++) {
        char rest[64];
        snprintf(rest, sizeof rest, "/revisions/%u", i);
        answer = must_get(play, rest);
        char *text = json_dumps(answer.json, 0);
        print_error("%s\n", text);
        free(text);
        answer_done(&answer);
    }
}

/* The plan before the last edit that still holds, or after the last that was taken back. */
static void take_back(struct play *play, bool is_redo)
{
    unsigned *from = is_redo ? play->redone : play->undone;
    size_t *from_count = is_redo ? &play->redone_count : &play->undone_count;
    unsigned *to = is_redo ? play->undone : play->redone;
    size_t *to_count = is_redo ? &play->undone_count : &play->redone_count;
    struct answer answer = ask(play, "POST", is_redo ? "/redo" : "/undo", "{}");
    if (*from_count == 0) {
        if (answer.status != 409) {
            tell_history(play);
            fail_msg("there is nothing to %s: %s", is_redo ? "redo" : "undo",
                     buf_text(&answer.all));
        }
        reach(is_redo ? "nothing to redo" : "nothing to undo");
        answer_done(&answer);
        return;
    }
    unsigned taken = from[--*from_count];
    if (answer.status != 200) {
        tell_history(play);
        fail_msg("it cannot be taken back: %s", buf_text(&answer.all));
    }
    reach(is_redo ? "redo" : "undo");
    if (answer_number(&answer, "undone") != taken) {
        tell_history(play);
        fail_msg("%lld was taken back and not %u", (long long)answer_number(&answer, "undone"),
                 taken);
    }
    play->head++;
    play->plans[play->head] = json_incref(play->plans[taken - 1]);
    to[(*to_count)++] = play->head;
    compare_revision(play, play->head);
    answer_done(&answer);
}

/* --- A run --- */

static void begin(struct play *play)
{
    house_submit(play->house, "name: plan\ntasks:\n  first: {run: [echo, hi]}\n", play->id);
    play->plans[1] = json_pack("{s:{s:{s:[s,s],s:[]}},s:{}}", "tasks", "first", "run", "echo", "hi",
                               "needs", "set");
    play->head = 1;
    play->undone_count = play->redone_count = 0;
}

static void end(struct play *play)
{
    for (unsigned i = 1; i <= play->head; i++) {
        json_decref(play->plans[i]);
    }
}

static void what_is_kept_of_a_revision_is_what_it_has_done(void **state)
{
    (void)state;
    struct play *play = mem_alloc(sizeof *play);
    rng_init(&play->rng, seed);
    play->house = house_new();
    begin(play);
    for (long i = 0; i < steps_wanted; i++) {
        if (play->head == REVISIONS_MAX) {
            end(play);
            begin(play);
        }
        bool may_redo = play->redone_count > 0;
        if (one_in(play, may_redo ? 3 : 8)) {
            take_back(play, one_in(play, may_redo ? 2 : 4));
        } else {
            edit(play);
        }
        look(play);
    }
    end(play);
    if (play->client.fd != 0) {
        client_close(&play->client);
    }
    house_free(play->house);
    mem_free(play);
    for (size_t i = 0; i < sizeof reached / sizeof reached[0]; i++) {
        if (reached[i].count < steps_wanted / STEPS_A_REACH && steps_wanted >= STEPS_COUNTED_MIN) {
            fail_msg("%s was reached %ld times only", reached[i].what, reached[i].count);
        }
    }
}

int main(int argc, char **argv)
{
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--seed") == 0) {
            seed = strtoull(argv[i + 1], NULL, 10);
        } else if (strcmp(argv[i], "--steps") == 0) {
            steps_wanted = strtol(argv[i + 1], NULL, 10);
        }
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_kept_of_a_revision_is_what_it_has_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
