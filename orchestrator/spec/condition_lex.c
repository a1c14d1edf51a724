/* The lexer of conditions. It knows less than SQLite's: what it does not know is refused, so that
   nothing passes that the two could read differently. */
#include "orchestrator/spec/condition_lex.h"

#include <sqlite3.h>
#include <string.h>

#include "orchestrator/spec/spec_text.h"

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

static bool is_hex(char byte)
{
    return is_digit(byte) || (byte >= 'a' && byte <= 'f') || (byte >= 'A' && byte <= 'F');
}

static bool begins_name(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || byte == '_';
}

/* SQLite takes $ and all that is not ASCII into a name. */
static bool continues_name(char byte)
{
    return begins_name(byte) || is_digit(byte) || byte == '$' || (unsigned char)byte >= 0x80;
}

bool condition_word_is(struct str word, const char *known)
{
    return strlen(known) == word.length &&
           sqlite3_strnicmp(word.data, known, (int)word.length) == 0;
}

struct str condition_shown(struct str text, size_t bytes_max)
{
    text = spec_text_cut(text, bytes_max);
    size_t bad = 0;
    if (spec_text_find_bad_byte(text, &bad)) {
        text.length = bad;
    }
    return text;
}

static enum err lex_text(struct str rest, size_t *ret_length, struct reason *reason)
{
    size_t at = 1;
    while (at < rest.length) {
        if (rest.data[at] != '\'') {
            at++;
        } else if (at + 1 < rest.length && rest.data[at + 1] == '\'') {
            at += 2; /* a quote within the text */
        } else {
            break;
        }
    }
    if (at == rest.length) {
        return reason_set(reason, ERR_INVALID, "a text that begins here has no closing quote");
    }
    *ret_length = at + 1;
    if (spec_text_holds((struct str){ rest.data, at }, STR("${{"))) {
        return reason_set(reason, ERR_INVALID,
                          "a placeholder stands for a value and takes no quotes: write "
                          "output->>'$.x' = ${{ params.p }}, and join texts with ||");
    }
    return ERR_NONE;
}

static enum err lex_placeholder(struct str rest, size_t *ret_length, struct reason *reason)
{
    const char *end = memmem(rest.data, rest.length, "}}", 2);
    if (end == NULL) {
        return reason_set(reason, ERR_INVALID, "a placeholder must end with }}");
    }
    *ret_length = (size_t)(end - rest.data) + 2;
    for (size_t i = sizeof "${{" - 1; i + 2 < *ret_length; i++) {
        if (!is_blank(rest.data[i])) {
            return ERR_NONE;
        }
    }
    return reason_set(reason, ERR_INVALID, "this placeholder names nothing");
}

static size_t digits_end(struct str rest, size_t at)
{
    while (at < rest.length && is_digit(rest.data[at])) {
        at++;
    }
    return at;
}

/* 12, 1.5, .5, 1e-3, 0x1F. */
static enum err lex_number(struct str rest, size_t *ret_length, struct reason *reason)
{
    size_t at = 0;
    if (rest.length > 2 && rest.data[0] == '0' && (rest.data[1] | 0x20) == 'x' &&
        is_hex(rest.data[2])) {
        for (at = 2; at < rest.length && is_hex(rest.data[at]);) {
            at++;
        }
    } else {
        at = digits_end(rest, 0);
        if (at < rest.length && rest.data[at] == '.') {
            at = digits_end(rest, at + 1);
        }
        if (at < rest.length && (rest.data[at] | 0x20) == 'e') {
            size_t sign = at + 1;
            if (sign < rest.length && (rest.data[sign] == '+' || rest.data[sign] == '-')) {
                sign++;
            }
            size_t end = digits_end(rest, sign);
            at = end > sign ? end : at;
        }
    }
    if (at < rest.length && (continues_name(rest.data[at]) || rest.data[at] == '.')) {
        return reason_set(reason, ERR_INVALID, "this is no number");
    }
    *ret_length = at;
    return ERR_NONE;
}

/* The length of the operator that the text begins with; 0: none. Longer ones come first. */
static size_t operator_length(struct str rest)
{
    static const char *const operators[] = { "->>", "->", "||", "<<", ">>", "<=", ">=",
                                             "<>",  "!=", "==", "=",  "<",  ">",  "+",
                                             "-",   "*",  "/",  "%",  "&",  "|",  "~" };
    for (size_t i = 0; i < sizeof operators / sizeof operators[0]; i++) {
        if (str_starts_with(rest, str_of(operators[i]))) {
            return strlen(operators[i]);
        }
    }
    return 0;
}

static enum err refuse_byte(struct str rest, struct reason *reason)
{
    switch (rest.data[0]) {
    case '"':
    case '`':
    case '[':
        return reason_set(reason, ERR_INVALID, "text is written in single quotes: 'text'");
    case ';':
        return reason_set(reason, ERR_INVALID, "a condition is one expression: no ; here");
    case '?':
    case ':':
    case '@':
    case '$':
    case '#':
        return reason_set(reason, ERR_INVALID,
                          "a condition has no %.1s parameters: write ${{ params.NAME }}",
                          rest.data);
    default:
        break;
    }
    size_t bytes = (unsigned char)rest.data[0] < 0x80 ? 1 : 4;
    struct str shown = condition_shown(rest, bytes);
    return reason_set(reason, ERR_INVALID, "\"%.*s\" has no meaning outside of a text in quotes",
                      STR_ARG(shown));
}

static enum err lex_word(struct str rest, struct condition_word *word, size_t *ret_length,
                         struct reason *reason)
{
    char byte = rest.data[0];
    if (str_starts_with(rest, STR("--")) || str_starts_with(rest, STR("/*"))) {
        return reason_set(reason, ERR_INVALID, "%.2s begins a comment, and a condition has none%s",
                          rest.data, byte == '-' ? ": write - - with a blank between" : "");
    }
    if (byte == '\'') {
        word->kind = CONDITION_TEXT;
        return lex_text(rest, ret_length, reason);
    }
    if (str_starts_with(rest, STR("${{"))) {
        word->kind = CONDITION_PLACEHOLDER;
        return lex_placeholder(rest, ret_length, reason);
    }
    if (is_digit(byte) || (byte == '.' && rest.length > 1 && is_digit(rest.data[1]))) {
        word->kind = CONDITION_NUMBER;
        return lex_number(rest, ret_length, reason);
    }
    if (begins_name(byte)) {
        word->kind = CONDITION_NAME;
        size_t length = 1;
        while (length < rest.length && continues_name(rest.data[length])) {
            length++;
        }
        if (length + 2 < rest.length && memcmp(rest.data + length - 1, "${{", 3) == 0) {
            length--; /* "and${{": the $ is the placeholder's */
        }
        *ret_length = length;
        return ERR_NONE;
    }
    word->kind = byte == '('   ? CONDITION_OPENS
                 : byte == ')' ? CONDITION_CLOSES
                 : byte == ',' ? CONDITION_COMMA
                               : CONDITION_OPERATOR;
    *ret_length = word->kind == CONDITION_OPERATOR ? operator_length(rest) : 1;
    return *ret_length > 0 ? ERR_NONE : refuse_byte(rest, reason);
}

enum err condition_lex(struct str text, size_t *at, struct condition_word *ret_word,
                       struct reason *reason)
{
    size_t from = *at;
    while (from < text.length && is_blank(text.data[from])) {
        from++;
    }
    *ret_word = (struct condition_word){ .kind = CONDITION_END, .at = from };
    if (from == text.length) {
        *at = from;
        return ERR_NONE;
    }
    struct str rest = { text.data + from, text.length - from };
    size_t length = 0;
    enum err err = lex_word(rest, ret_word, &length, reason);
    if (err == ERR_NONE) {
        ret_word->text = (struct str){ rest.data, length };
        *at = from + length;
    }
    return err;
}
