#include "orchestrator/spec/condition_mistake.h"

#include <string.h>

#include "orchestrator/spec/spec_nearest.h"

static bool is_name(const struct condition_word *word, const char *const *names, size_t count)
{
    for (size_t i = 0; word->kind == CONDITION_NAME && i < count; i++) {
        if (condition_word_is(word->text, names[i])) {
            return true;
        }
    }
    return false;
}

bool condition_is_edge(const struct condition_word *word)
{
    static const char *const names[] = { "and", "or", "not", "when", "then", "else", "end" };
    return word->kind == CONDITION_END || word->kind == CONDITION_OPENS ||
           word->kind == CONDITION_CLOSES || word->kind == CONDITION_COMMA ||
           is_name(word, names, sizeof names / sizeof names[0]);
}

static bool is_comparison(const struct condition_word *word)
{
    return word->kind == CONDITION_OPERATOR &&
           (str_is(word->text, "<") || str_is(word->text, ">") || str_is(word->text, "<=") ||
            str_is(word->text, ">="));
}

static bool is_equality(const struct condition_word *word)
{
    static const char *const names[] = { "is" };
    return is_name(word, names, 1) || (word->kind == CONDITION_OPERATOR &&
                                       (str_is(word->text, "=") || str_is(word->text, "==") ||
                                        str_is(word->text, "!=") || str_is(word->text, "<>")));
}

static bool is_text_input(const struct condition_word *word)
{
    static const char *const names[] = { "stdout", "output", "state" };
    return is_name(word, names, sizeof names / sizeof names[0]);
}

enum err condition_check_comparison(const struct condition_word words[3], size_t *ret_offset,
                                    struct reason *reason)
{
    const struct condition_word *input = is_text_input(&words[0]) ? &words[0] : &words[2];
    const struct condition_word *other = input == &words[0] ? &words[2] : &words[0];
    if (!is_text_input(input)) {
        return ERR_NONE;
    }
    bool is_state = condition_word_is(input->text, "state");
    if (is_state && other->kind == CONDITION_TEXT && is_equality(&words[1])) {
        *ret_offset = other->at;
        return condition_check_state(other->text, reason);
    }
    if (other->kind != CONDITION_NUMBER || !is_comparison(&words[1])) {
        return ERR_NONE;
    }
    const char *instead = "compare it with = and a text";
    if (condition_word_is(input->text, "stdout")) {
        instead = "compare number, which is stdout as one";
    } else if (!is_state) {
        instead = "take a value out of it, such as output->>'$.rows'";
    }
    *ret_offset = input->at;
    return reason_set(reason, ERR_INVALID, "%.*s is text, which has no order with numbers: %s",
                      STR_ARG(input->text), instead);
}

static struct str without_quotes(struct str text)
{
    return (struct str){ text.data + 1, text.length - 2 };
}

enum err condition_check_state(struct str text, struct reason *reason)
{
    static const char *const states[] = { "succeeded", "failed", "cancelled", "skipped" };
    struct str name = without_quotes(text);
    struct spec_nearest nearest;
    spec_nearest_init(&nearest, name);
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        if (str_is(name, states[i])) {
            return ERR_NONE;
        }
        spec_nearest_offer(&nearest, str_of(states[i]));
    }
    char hint[SPEC_HINT_BYTES_MAX];
    struct str shown = condition_shown(name, CONDITION_SHOWN_BYTES_MAX);
    return reason_set(reason, ERR_INVALID,
                      "no state is called '%.*s'%s (it is one of succeeded, failed, cancelled and "
                      "skipped)",
                      STR_ARG(shown), spec_nearest_hint(&nearest, hint));
}

/* The length of the step that the path begins with: .NAME, ."NAME", [1], [#], [#-1]. 0: none. */
static size_t step_length(struct str path)
{
    size_t at = 1;
    if (path.data[0] == '[') {
        bool is_end = at < path.length && path.data[at] == '#';
        at += is_end;
        if (is_end && at < path.length && path.data[at] == ']') {
            return at + 1;
        }
        if (is_end && (at == path.length || path.data[at++] != '-')) {
            return 0;
        }
        size_t digits = at;
        while (at < path.length && path.data[at] >= '0' && path.data[at] <= '9') {
            at++;
        }
        return at > digits && at < path.length && path.data[at] == ']' ? at + 1 : 0;
    }
    if (path.data[0] != '.') {
        return 0;
    }
    if (at < path.length && path.data[at] == '"') {
        const char *end = memchr(path.data + at + 1, '"', path.length - at - 1);
        return end == NULL ? 0 : (size_t)(end - path.data) + 1;
    }
    while (at < path.length && path.data[at] != '.' && path.data[at] != '[') {
        at++;
    }
    return at > 1 ? at : 0;
}

enum err condition_check_path(struct str text, struct reason *reason)
{
    struct str path = without_quotes(text);
    bool is_path = path.length > 0 && path.data[0] == '$';
    size_t at = 1;
    while (is_path && at < path.length) {
        size_t length = step_length((struct str){ path.data + at, path.length - at });
        at += length;
        is_path = length > 0;
    }
    if (is_path) {
        return ERR_NONE;
    }
    struct str shown = condition_shown(text, CONDITION_SHOWN_BYTES_MAX);
    return reason_set(reason, ERR_INVALID,
                      "%.*s is no path into JSON: a path is $, then steps .NAME, .\"NAME\", [0] "
                      "(the first) or [#-1] (the last)",
                      STR_ARG(shown));
}
