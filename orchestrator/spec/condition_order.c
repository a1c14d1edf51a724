#include "orchestrator/spec/condition_order.h"

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

static bool is_text_input(const struct condition_word *word)
{
    static const char *const names[] = { "stdout", "output", "state" };
    return is_name(word, names, sizeof names / sizeof names[0]);
}

enum err condition_check_order(const struct condition_word words[3], size_t *ret_offset,
                               struct reason *reason)
{
    const struct condition_word *input = is_text_input(&words[0]) ? &words[0] : &words[2];
    const struct condition_word *other = input == &words[0] ? &words[2] : &words[0];
    if (!is_text_input(input) || other->kind != CONDITION_NUMBER || !is_comparison(&words[1])) {
        return ERR_NONE;
    }
    const char *instead = "compare it with = and a text";
    if (condition_word_is(input->text, "stdout")) {
        instead = "compare number, which is stdout as one";
    } else if (condition_word_is(input->text, "output")) {
        instead = "take a value out of it, such as output->>'$.rows'";
    }
    *ret_offset = input->at;
    return reason_set(reason, ERR_INVALID, "%.*s is text, which has no order with numbers: %s",
                      STR_ARG(input->text), instead);
}
