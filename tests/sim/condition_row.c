#include "tests/sim/condition_row.h"

#include "common/base/check.h"
#include "orchestrator/spec/condition.h"
#include "tests/sim/books.h"

static enum condition_answer answer(bool is_open)
{
    return is_open ? ANSWER_OPEN : ANSWER_CLOSED;
}

static bool has_exit_code(const struct book_attempt *attempt)
{
    return attempt != NULL && attempt->record.state == ATTEMPT_ENDED &&
           attempt->record.outcome == OUTCOME_EXITED;
}

static enum condition_answer is_zero(const struct book_task *task,
                                     const struct book_attempt *attempt)
{
    (void)task;
    return answer(has_exit_code(attempt) && attempt->record.exit_code == 0);
}

static enum condition_answer is_below_100(const struct book_task *task,
                                          const struct book_attempt *attempt)
{
    (void)task;
    return answer(has_exit_code(attempt) && attempt->record.exit_code < 100);
}

static enum condition_answer is_first(const struct book_task *task,
                                      const struct book_attempt *attempt)
{
    (void)task;
    return answer(attempt != NULL && attempt->record.number == 1);
}

static enum condition_answer has_not_succeeded(const struct book_task *task,
                                               const struct book_attempt *attempt)
{
    (void)attempt;
    return answer(task->record.state != TASK_SUCCEEDED);
}

static enum condition_answer has_output(const struct book_task *task,
                                        const struct book_attempt *attempt)
{
    (void)task;
    return answer(attempt != NULL && attempt->has_value);
}

/* Of the letters that the simulator's processes write no JSON is made. */
static enum condition_answer is_no_json(const struct book_task *task,
                                        const struct book_attempt *attempt)
{
    (void)task;
    bool is_read = attempt != NULL && attempt->record.stdout_bytes <= CONDITION_INPUT_BYTES_MAX;
    return is_read ? ANSWER_ERROR : ANSWER_CLOSED;
}

static enum condition_answer is_long(const struct book_task *task,
                                     const struct book_attempt *attempt)
{
    (void)task;
    uint64_t bytes = attempt == NULL ? 0 : attempt->record.stdout_bytes;
    return answer(bytes > 50 && bytes <= CONDITION_INPUT_BYTES_MAX);
}

static enum condition_answer has_lasted(const struct book_task *task,
                                        const struct book_attempt *attempt)
{
    (void)task;
    return attempt == NULL ? ANSWER_CLOSED : ANSWER_ANY; /* by clocks that jump */
}

static enum condition_answer is_never(const struct book_task *task,
                                      const struct book_attempt *attempt)
{
    (void)task;
    (void)attempt;
    return ANSWER_CLOSED;
}

static const struct condition_row rows[CONDITION_ROWS] = {
    { "exit_code = 0", "", is_zero },
    { "exit_code < ${{ params.most }}", "[100]", is_below_100 },
    { "attempt = 1", "", is_first },
    { "state <> 'succeeded'", "", has_not_succeeded },
    { "output->>'$.v' = ${{ params.v }}", "[1]", has_output },
    { "json_extract(stdout, '$.a') = 1", "", is_no_json },
    { "length(stdout) > 50", "", is_long },
    { "duration >= 0", "", has_lasted },
    { "number > 0", "", is_never },
};

const struct condition_row *condition_row(size_t index)
{
    CHECK(index < CONDITION_ROWS);
    return &rows[index];
}

const struct condition_row *condition_row_of(struct str text)
{
    for (size_t i = 0; i < CONDITION_ROWS; i++) {
        if (str_is(text, rows[i].text)) {
            return &rows[i];
        }
    }
    return NULL;
}
