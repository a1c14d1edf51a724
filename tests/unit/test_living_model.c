/* The engine against the reference model: random plans, random results, edits, holds, cancels, retries
   and reruns; after each step the same states, decisions and refusals. A failure prints its seed:
   unit_living_model --seed N replays it, --steps N makes more or fewer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "orchestrator/engine/model.h"
#include "tests/unit/living_play.h"

enum { EACH_MIN = 100, PLAN_TASKS = 200 };

static uint64_t only_seed;
static uint64_t last_seed;
static long steps_wanted = 200000;

static int condition_of(int64_t edge_id, int64_t from_id, uint32_t attempts)
{
    uint64_t sum = (uint64_t)edge_id * 31 + (uint64_t)from_id * 7 + attempts;
    return (int)(hash_uint64(sum) % 3);
}

static int answer_condition(void *context, int64_t edge_id, int64_t from_id)
{
    struct play *play = context;
    play_reached[REACHED_CONDITION]++;
    return condition_of(edge_id, from_id, living_task(play->living, from_id)->attempts);
}

static void submit(struct play *play)
{
    struct model *model = &play->model;
    static struct plan_task tasks[PLAN_TASKS];
    static struct plan_edge edges[PLAN_TASKS * 2];
    size_t size = play_one_in(play, 40) ? PLAN_TASKS : play_one_in(play, 8) ? 30 : 8;
    size_t count = 1 + play_below(play, size);
    size_t edges_count = 0;
    model->revision = 1;
    model->state = CONSTELLATION_RUNNING;
    model->condition = condition_of;
    model->fail_fast = play_one_in(play, 5);
    for (size_t i = 0; i < count; i++) {
        unsigned flags = play_any_flags(play);
        size_t policy = play_any_policy(play);
        tasks[i] = (struct plan_task){ .key = STR("k"), .body = STR("b") };
        tasks[i].flags = (uint16_t)flags;
        tasks[i].policy_index = (uint32_t)policy;
        int t = model_add_task(model, flags, play_policy_of(policy));
        model->tasks[t].id = (int64_t)i + 1;
        if ((flags & TASK_APPROVAL) != 0) {
            model_hold(model, HOLD_TASKS, HOLD_APPROVAL, t)->names[t] = true;
        }
        for (size_t k = 0; i > 0 && k < 2; k++) {
            uint32_t from = (uint32_t)play_below(play, i);
            bool is_early = (tasks[from].flags & TASK_FINALLY) != 0 && (flags & TASK_FINALLY) == 0;
            bool is_same = k == 1 && edges_count > 0 && edges[edges_count - 1].to == i;
            if (is_early || is_same || play_one_in(play, 4)) {
                continue;
            }
            struct plan_edge edge = { .from = from,
                                      .to = (uint32_t)i,
                                      .when = (enum edge_when)(1 + play_below(play, 4)),
                                      .named = true,
                                      .required = play_one_in(play, 5) };
            if (play_one_in(play, 6)) {
                edge.condition = STR("number > 3");
            }
            int e = model_add_edge(model, (int)from, t, edge.when, edge.required,
                                   edge.condition.length > 0);
            edges[edges_count++] = edge;
            model->edges[e].id = (int64_t)edges_count;
        }
    }
    struct plan plan = { .name = STR("plan"),
                         .classes = &PLAY_CLASS,
                         .classes_count = 1,
                         .policies = PLAY_POLICIES,
                         .policies_count = PLAY_POLICIES_COUNT,
                         .tasks = tasks,
                         .tasks_count = count,
                         .edges = edges,
                         .edges_count = edges_count,
                         .fail_fast = model->fail_fast };
    living_submit(play->living, &plan);
    if (play_one_in(play, 4)) {
        model->tasks_max = (int)(count + play_below(play, 6));
        model->edges_max = (int)(edges_count + 1 + play_below(play, 3));
        play->living->engine->config.plan_tasks_max = (uint32_t)model->tasks_max;
        play->living->engine->config.plan_edges_max = (uint32_t)model->edges_max;
    }
    play_go_on(play);
}

static void happen(struct play *play)
{
    if (play->model.state != CONSTELLATION_RUNNING) {
        living_revive(play->living);
        (play_one_in(play, 2) ? play_reopen : play_edit)(play);
        return;
    }
    if (play_any_in_state(play, TASK_UNKNOWN) >= 0 && play_one_in(play, 5)) {
        (play_one_in(play, 3) ? play_reopen : play_resolve)(play);
        return;
    }
    if (play->is_cut && play_one_in(play, 3)) {
        (play_one_in(play, 3) ? play_wait_long : play_come_back)(play);
        return;
    }
    uint64_t choice = play_below(play, 112);
    if (choice >= 109) {
        play_resolve(play);
    } else if (choice >= 106) {
        play_wait_long(play);
    } else if (choice >= 100 && play_any_under_way(play) >= 0 && !play->is_cut) {
        play_cut(play);
    } else if (choice < 45 || choice >= 100) {
        play_finish(play);
    } else if (choice < 75) {
        play_edit(play);
    } else if (choice < 81) {
        play_hold(play);
    } else if (choice < 91) {
        play_release(play);
    } else if (choice < 97) {
        play_reopen(play);
    } else {
        play_cancel(play);
    }
}

static long run(uint64_t seed)
{
    struct play *play = mem_alloc(sizeof *play);
    rng_init(&play->rng, seed);
    play->living = living_new(PLAY_SLOTS);
    play->living->condition = answer_condition;
    play->living->context = play;
    living_limit_looks(play->living, play_one_in(play, 2) ? 0 : 1 + play_below(play, 30));
    submit(play);
    long steps = 20 + (long)play_below(play, 100);
    for (long i = 0; i < steps; i++) {
        happen(play);
        if (play_one_in(play, 20)) {
            living_compare(play->living);
        }
    }
    living_compare(play->living);
    living_free(play->living);
    mem_free(play);
    return steps;
}

static void the_engine_does_what_the_model_does(void **state)
{
    (void)state;
    long steps = 0;
    for (uint64_t seed = only_seed == 0 ? 1 : only_seed; steps < steps_wanted; seed++) {
        last_seed = seed;
        steps += run(seed);
        if (only_seed != 0) {
            return;
        }
    }
    for (int i = 0; i < REACHED_END; i++) {
        if (play_reached[i] < EACH_MIN) {
            fail_msg("%s was reached %ld times only", play_reached_names[i], play_reached[i]);
        }
    }
    assert_true(play_instants < play_reached[REACHED_RETRIED] / 50);
    for (int i = 1; i < EDIT_CODES_END; i++) {

        /* Of thousands of rows, and not for a model that goes over all of them again and again: each has a
           test of its own, in test_edit.c, test_living_limits.c and test_slices.c. */
        bool is_limit =
            i == EDIT_CODE_TOO_MANY_CLASSES || i == EDIT_CODE_TOO_LARGE || i == EDIT_CODE_REOPENING;
        if (play_refused[i] < EACH_MIN && !is_limit) {
            fail_msg("%s was refused %ld times only", edit_code_name((enum edit_code)i),
                     play_refused[i]);
        }
    }
}

int main(int argc, char **argv)
{
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--seed") == 0) {
            only_seed = strtoull(argv[i + 1], NULL, 10);
        } else if (strcmp(argv[i], "--steps") == 0) {
            steps_wanted = strtol(argv[i + 1], NULL, 10);
        }
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_engine_does_what_the_model_does),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    if (failed > 0) {
        fprintf(stderr, "seed %llu\n", (unsigned long long)last_seed);
    }
    return failed;
}
