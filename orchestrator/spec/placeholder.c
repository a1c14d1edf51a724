/* Reading placeholders: the header has their grammar. */
#include "orchestrator/spec/placeholder.h"

#include <string.h>

#include "orchestrator/engine/plan.h"
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

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t';
}

bool placeholder_is_field(struct str word)
{
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        if (str_is(word, fields[i])) {
            return true;
        }
    }
    return false;
}

/* A key ends before the first '.' behind which a field stands; only behind an '@' are there others. */
static struct str take_key(struct str *text)
{
    struct str rest = *text;
    bool is_whole = take_word(&rest).length > 0;
    if (rest.length > 0 && rest.data[0] == '@') {
        rest = behind(rest, 1);
        is_whole = take_word(&rest).length > 0 && is_whole;
        while (rest.length > 0 && rest.data[0] == '.') {
            struct str next = behind(rest, 1);
            struct str word = take_word(&next);
            if (word.length == 0 || placeholder_is_field(word)) {
                break;
            }
            /* Not a field: it belongs to the value, unless nothing follows. */
            if (next.length == 0 || next.data[0] != '.') {
                break;
            }
            rest = next;
        }
    }
    struct str key = { text->data, is_whole ? text->length - rest.length : 0 };
    *text = rest;
    return key;
}

static enum err parse_task(struct str whole, struct str rest, struct placeholder *placeholder,
                           struct reason *reason)
{
    struct str task = take_key(&rest);
    if (task.length == 0 || task.length > PLAN_KEY_BYTES_MAX || rest.length < 2 ||
        rest.data[0] != '.') {
        return refuse(whole, reason, "must be tasks.KEY.FIELD, for example tasks.scan.stdout");
    }
    struct str field = behind(rest, 1);
    struct str path = field;
    struct str word = take_word(&path);
    if (!placeholder_is_field(word)) {
        return refuse_field(whole, word, reason);
    }
    if (path.length > 0 && !str_is(word, "output")) {
        return refuse(whole, reason, "only output has a path into it");
    }
    placeholder->kind = PLACEHOLDER_TASK;
    placeholder->name = task;
    placeholder->field = field;
    return check_path(whole, path, reason);
}

static enum err parse_name(struct str whole, struct str rest, enum placeholder_kind kind,
                           struct placeholder *placeholder, struct reason *reason)
{
    struct str name = take_word(&rest);
    if (name.length == 0 || rest.length > 0) {
        return refuse(whole, reason,
                      kind == PLACEHOLDER_PARAM ? "must be params.NAME" : "must be each.NAME");
    }
    placeholder->kind = kind;
    placeholder->name = name;
    return ERR_NONE;
}

/* `inside` is what stands between the braces. */
static enum err parse(struct str whole, struct str inside, struct placeholder *placeholder,
                      struct reason *reason)
{
    struct str rest = trim(inside);
    const char *bars = rest.length > 0 ? memmem(rest.data, rest.length, "||", 2) : NULL;
    if (bars != NULL) {
        size_t at = (size_t)(bars - rest.data);
        placeholder->fallback = trim(behind(rest, at + 2));
        rest = trim((struct str){ rest.data, at });
        if (!placeholder_is_fallback(placeholder->fallback)) {
            return refuse(whole, reason,
                          "behind || stands a default: 'text', a number, true, false or null");
        }
    }
    if (str_starts_with(rest, STR("tasks."))) {
        return parse_task(whole, behind(rest, sizeof "tasks." - 1), placeholder, reason);
    }
    bool is_param = str_starts_with(rest, STR("params."));
    if (!is_param && !str_starts_with(rest, STR("each."))) {
        return refuse(whole, reason,
                      "only tasks.KEY.FIELD, params.NAME and each.NAME can be referred to");
    }
    if (bars != NULL) {
        return refuse(whole, reason, "only what a task puts out has a default (||) here");
    }
    return parse_name(whole, behind(rest, is_param ? sizeof "params." - 1 : sizeof "each." - 1),
                      is_param ? PLACEHOLDER_PARAM : PLACEHOLDER_EACH, placeholder, reason);
}

/* Where "}}" stands in the text, outside quotes; SIZE_MAX: nowhere. */
static size_t find_end(struct str text)
{
    for (size_t i = 0; i + 1 < text.length;) {
        size_t quoted = 0;
        if (text.data[i] == '\'' || text.data[i] == '"') {
            quoted = placeholder_quoted_bytes(behind(text, i));
            if (quoted == 0) {
                return SIZE_MAX;
            }
        } else if (text.data[i] == '}' && text.data[i + 1] == '}') {
            return i;
        }
        i += quoted > 0 ? quoted : 1;
    }
    return SIZE_MAX;
}

/* Where "${{" stands, or NULL. Nearly no text has a '$', and there are millions of them. */
static const char *find_open(struct str text)
{
    while (text.length >= 3) {
        const char *dollar = memchr(text.data, '$', text.length - 2);
        if (dollar == NULL || (dollar[1] == '{' && dollar[2] == '{')) {
            return dollar;
        }
        text = behind(text, (size_t)(dollar - text.data) + 1);
    }
    return NULL;
}

bool placeholder_next(struct str text, size_t *at, struct placeholder *ret_placeholder,
                      enum err *ret_err, struct reason *reason)
{
    if (*at >= text.length) {
        return false;
    }
    const char *open = find_open(behind(text, *at));
    if (open == NULL) {
        *at = text.length;
        return false;
    }
    struct str rest = { open, text.length - (size_t)(open - text.data) };
    size_t end = find_end(behind(rest, 3));
    if (end == SIZE_MAX) {
        *ret_err = refuse(rest, reason, "a placeholder must end with }}");
        return false;
    }
    struct str whole = { open, end + 5 };
    struct placeholder placeholder = {
        .from = (size_t)(open - text.data),
        .to = (size_t)(open - text.data) + whole.length,
    };
    struct str inside = { open + 3, end };
    enum err err = parse(whole, inside, &placeholder, reason);
    if (err != ERR_NONE) {
        *ret_err = err;
        return false;
    }
    *at = placeholder.to;
    *ret_placeholder = placeholder;
    return true;
}

bool placeholder_is_own(struct str text)
{
    while (text.length > 0) {
        const char *open = find_open(text);
        if (open == NULL) {
            return false;
        }
        text = behind(text, (size_t)(open - text.data) + 3);
        while (text.length > 0 && is_blank(text.data[0])) {
            text = behind(text, 1);
        }
        if (str_starts_with(text, STR("params.")) || str_starts_with(text, STR("each."))) {
            return true;
        }
    }
    return false;
}
