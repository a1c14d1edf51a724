/* The grammar of placeholders:
       ${{ tasks.KEY.FIELD }}
       FIELD = stdout | stderr | exit_code | state | device | output STEP*
       STEP  = .NAME | [INDEX]                 NAME = letters, digits, _ and -   INDEX = digits */
#include "orchestrator/spec/placeholder.h"

#include <string.h>

#include "orchestrator/engine/plan.h"
#include "orchestrator/spec/resolve.h"
#include "orchestrator/spec/spec_nearest.h"
#include "orchestrator/spec/spec_text.h"

enum { SHOWN_BYTES_MAX = 100, INDEX_DIGITS_MAX = 9 };

static const char *const fields[] = {
    "stdout", "stderr", "exit_code", "state", "device", "output"
};

static bool is_word_byte(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || byte == '_' || byte == '-';
}

static struct str behind(struct str text, size_t bytes)
{
    return (struct str){ text.data + bytes, text.length - bytes };
}

static struct str take_word(struct str *text)
{
    size_t length = 0;
    while (length < text->length && is_word_byte(text->data[length])) {
        length++;
    }
    struct str word = { text->data, length };
    *text = behind(*text, length);
    return word;
}

static struct str trim(struct str text)
{
    while (text.length > 0 && (text.data[0] == ' ' || text.data[0] == '\t')) {
        text = behind(text, 1);
    }
    while (text.length > 0 &&
           (text.data[text.length - 1] == ' ' || text.data[text.length - 1] == '\t')) {
        text.length--;
    }
    return text;
}

bool placeholder_step(struct str *path, struct str *ret_step, bool *ret_bracketed)
{
    struct str rest = *path;
    if (rest.length < 2 || (rest.data[0] != '.' && rest.data[0] != '[')) {
        return false;
    }
    bool is_bracketed = rest.data[0] == '[';
    rest = behind(rest, 1);
    struct str step = take_word(&rest);
    if (is_bracketed) {
        uint64_t index = 0;
        if (rest.length == 0 || rest.data[0] != ']' || step.length > INDEX_DIGITS_MAX ||
            !str_to_uint64(step, UINT32_MAX, &index)) {
            return false;
        }
        rest = behind(rest, 1);
    }
    if (step.length == 0) {
        return false;
    }
    *path = rest;
    *ret_step = step;
    *ret_bracketed = is_bracketed;
    return true;
}

/* ERR_INVALID, with the placeholder itself in front of the words. */
static enum err refuse(struct str whole, struct reason *reason, const char *words)
{
    struct str shown = spec_text_cut(whole, SHOWN_BYTES_MAX);
    return reason_set(reason, ERR_INVALID, "\"%.*s%s\": %s", STR_ARG(shown),
                      shown.length < whole.length ? "\u2026" : "", words);
}

static enum err refuse_field(struct str whole, struct str field, struct reason *reason)
{
    struct spec_nearest nearest;
    spec_nearest_init(&nearest, field);
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        spec_nearest_offer(&nearest, str_of(fields[i]));
    }
    char hint[SPEC_HINT_BYTES_MAX];
    struct str shown = spec_text_cut(whole, SHOWN_BYTES_MAX);
    field = spec_text_cut(field, 32);
    return reason_set(reason, ERR_INVALID,
                      "\"%.*s\": a task has no \"%.*s\"%s (stdout, stderr, exit_code, state, "
                      "device and output can be referred to)",
                      STR_ARG(shown), STR_ARG(field), spec_nearest_hint(&nearest, hint));
}

static enum err check_path(struct str whole, struct str path, struct reason *reason)
{
    size_t steps = 0;
    struct str step;
    bool is_bracketed = false;
    while (placeholder_step(&path, &step, &is_bracketed)) {
        steps++;
    }
    if (path.length > 0) {
        return refuse(whole, reason,
                      "the path into output is made of .NAME and [INDEX], for example "
                      "output.rows[0].name");
    }
    if (steps > PLACEHOLDER_STEPS_MAX) {
        return refuse(whole, reason, "the path into output has more than 16 steps");
    }
    return ERR_NONE;
}

/* `inside` is what stands between the braces. */
static enum err parse(struct str whole, struct str inside, struct placeholder *placeholder,
                      struct reason *reason)
{
    struct str rest = trim(inside);
    if (spec_text_holds(rest, STR("||"))) {
        return refuse(whole, reason, "a default (||) is not supported");
    }
    if (!str_starts_with(rest, STR("tasks."))) {
        return refuse(whole, reason, "only tasks.KEY.FIELD can be referred to");
    }
    rest = behind(rest, sizeof "tasks." - 1);
    struct str task = take_word(&rest);
    if (task.length == 0 || task.length > PLAN_KEY_BYTES_MAX || rest.length < 2 ||
        rest.data[0] != '.') {
        return refuse(whole, reason, "must be tasks.KEY.FIELD, for example tasks.scan.stdout");
    }
    struct str field = behind(rest, 1);
    struct str path = field;
    struct str word = take_word(&path);
    bool is_known = false;
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        is_known = is_known || str_is(word, fields[i]);
    }
    if (!is_known) {
        return refuse_field(whole, word, reason);
    }
    if (path.length > 0 && !str_is(word, "output")) {
        return refuse(whole, reason, "only output has a path into it");
    }
    placeholder->task = task;
    placeholder->field = field;
    return check_path(whole, path, reason);
}

bool placeholder_next(struct str text, size_t *at, struct placeholder *ret_placeholder,
                      enum err *ret_err, struct reason *reason)
{
    if (*at >= text.length) {
        return false;
    }
    const char *open = memmem(text.data + *at, text.length - *at, "${{", 3);
    if (open == NULL) {
        *at = text.length;
        return false;
    }
    struct str rest = { open, text.length - (size_t)(open - text.data) };
    const char *close = memmem(rest.data, rest.length, "}}", 2);
    if (close == NULL) {
        *ret_err = refuse(rest, reason, "a placeholder must end with }}");
        return false;
    }
    struct str whole = { open, (size_t)(close - open) + 2 };
    struct placeholder placeholder = {
        .from = (size_t)(open - text.data),
        .to = (size_t)(open - text.data) + whole.length,
    };
    struct str inside = { open + 3, whole.length - 5 };
    enum err err = parse(whole, inside, &placeholder, reason);
    if (err != ERR_NONE) {
        *ret_err = err;
        return false;
    }
    *at = placeholder.to;
    *ret_placeholder = placeholder;
    return true;
}
