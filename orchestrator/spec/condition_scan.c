/* What a condition may say: columns, functions of the table, a few words of SQL, text, numbers and
   operators, in balanced parentheses. The grammar is SQLite's business. */
#include "orchestrator/spec/condition_scan.h"

#include <stdio.h>
#include <string.h>

#include "orchestrator/spec/condition.h"
#include "orchestrator/spec/condition_lex.h"
#include "orchestrator/spec/condition_mistake.h"
#include "orchestrator/spec/condition_sql.h"
#include "orchestrator/spec/spec_nearest.h"
#include "orchestrator/spec/spec_text.h"

enum { PARENTHESES_MAX = 40, COMMAS_MAX = 128, NAMES_BYTES_MAX = 256 };

static const char *const keywords[] = {
    "and",  "or", "not",  "is",   "null", "isnull", "notnull", "true", "false", "between",
    "like", "in", "case", "when", "then", "else",   "end",     "cast", "as",    "escape",
};

static const char *const types[] = { "integer", "real", "text", "numeric" };

/* Words of SQL that somebody may well try. */
static const struct {
    const char *name;
    const char *words;
} refused[] = {
    { "select", "a condition looks at one task and has no queries" },
    { "exists", "a condition looks at one task and has no queries" },
    { "from", "IS DISTINCT FROM is written IS NOT" },
    { "distinct", "IS DISTINCT FROM is written IS NOT" },
    { "glob", "GLOB is not available: use LIKE, or instr(), which minds case" },
    { "regexp", "REGEXP is not available: use LIKE or instr()" },
    { "match", "MATCH is not available: use LIKE or instr()" },
    { "collate", "COLLATE is not available: compare lower(X) with lower(Y)" },
    { "current_time", "a condition knows no time: its answer may not depend on when it is asked" },
    { "current_date", "a condition knows no time: its answer may not depend on when it is asked" },
    { "current_timestamp",
      "a condition knows no time: its answer may not depend on when it is asked" },
    { "over", "a condition looks at one task and has no windows" },
    { "count", "a condition looks at one task and has no aggregates" },
    { "sum", "a condition looks at one task and has no aggregates" },
    { "random", "a condition has no chance: its answer must be the same when it is asked again" },
};

/* A pair of parentheses that is open. */
struct open {
    size_t at;
    const struct condition_function *function; /* NULL: not the arguments of one */
    size_t function_at;
    size_t commas;
    bool is_empty;
    bool holds_states; /* state in (…) */
    bool takes_paths;  /* from its second argument on */
};

struct scan {
    struct str text;
    struct buf *expression;
    struct reason *reason;
    struct open open[PARENTHESES_MAX];
    size_t depth;
    size_t commas;
    size_t calls;
    size_t reads; /* of JSON, by some of them */
    size_t placeholders;
    size_t copied;                /* the bytes of the text that are in the expression */
    size_t fault;                 /* the byte that a refusal is about */
    struct condition_word before; /* the last words */
    struct condition_word before_that;
    struct condition_word before_all; /* the one before these */
};

static bool is_one_of(struct str word, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (condition_word_is(word, list[i])) {
            return true;
        }
    }
    return false;
}

static bool is_input(struct str name)
{
    for (size_t i = 0; i < CONDITION_INPUTS; i++) {
        if (condition_word_is(name, condition_input_name(i))) {
            return true;
        }
    }
    return false;
}

static enum err refuse_call(struct scan *scan, struct str name)
{
    char names[NAMES_BYTES_MAX] = "";
    struct spec_nearest nearest;
    spec_nearest_init(&nearest, name);
    size_t length = 0;
    const struct condition_function *function = NULL;
    for (size_t i = 0; (function = condition_function_at(i)) != NULL; i++) {
        /* Not those that are operators: they are the last. */
        if (strcmp(function->name, "like") == 0) {
            break;
        }
        spec_nearest_offer(&nearest, str_of(function->name));
        length += (size_t)snprintf(names + length, sizeof names - length, "%s%s", i > 0 ? ", " : "",
                                   function->name);
    }
    char hint[SPEC_HINT_BYTES_MAX];
    struct str shown = condition_shown(name, CONDITION_SHOWN_BYTES_MAX);
    return reason_set(scan->reason, ERR_INVALID, "there is no function \"%.*s\"%s (there are %s)",
                      STR_ARG(shown), spec_nearest_hint(&nearest, hint), names);
}

static enum err refuse_name(struct scan *scan, struct str name)
{
    char names[NAMES_BYTES_MAX] = "";
    struct spec_nearest nearest;
    spec_nearest_init(&nearest, name);
    size_t length = 0;
    for (size_t i = 0; i < CONDITION_INPUTS; i++) {
        const char *known = condition_input_name(i);
        spec_nearest_offer(&nearest, str_of(known));
        length += (size_t)snprintf(names + length, sizeof names - length, "%s%s",
                                   i == 0                      ? ""
                                   : i + 1 == CONDITION_INPUTS ? " and "
                                                               : ", ",
                                   known);
    }
    char hint[SPEC_HINT_BYTES_MAX];
    struct str shown = condition_shown(name, CONDITION_SHOWN_BYTES_MAX);
    return reason_set(scan->reason, ERR_INVALID,
                      "there is no \"%.*s\"%s (%s can be used; text is written in single quotes)",
                      STR_ARG(shown), spec_nearest_hint(&nearest, hint), names);
}

static enum err scan_name(struct scan *scan, const struct condition_word *word, bool is_called)
{
    struct str name = word->text;
    if (scan->before.kind == CONDITION_NAME && condition_word_is(scan->before.text, "as")) {
        if (is_one_of(name, types, sizeof types / sizeof types[0])) {
            return ERR_NONE;
        }
        return reason_set(scan->reason, ERR_INVALID,
                          "CAST takes the types integer, real, numeric and text");
    }
    if (is_one_of(name, keywords, sizeof keywords / sizeof keywords[0])) {
        if (condition_word_is(name, "like")) {
            scan->calls++;
        }
        return ERR_NONE;
    }
    if (is_called ? condition_function_find(name) != NULL : is_input(name)) {
        scan->calls += is_called;
        scan->reads += is_called && condition_function_reads_json(name);
        return ERR_NONE;
    }
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        if (condition_word_is(name, refused[i].name)) {
            return reason_set(scan->reason, ERR_INVALID, "%s", refused[i].words);
        }
    }
    return is_called ? refuse_call(scan, name) : refuse_name(scan, name);
}

static enum err scan_opens(struct scan *scan, const struct condition_word *word)
{
    if (scan->depth == PARENTHESES_MAX) {
        return reason_set(scan->reason, ERR_INVALID, "more than %d parentheses within each other",
                          PARENTHESES_MAX);
    }
    struct open *open = &scan->open[scan->depth++];
    *open = (struct open){ .at = word->at, .is_empty = true };
    if (scan->before.kind == CONDITION_NAME &&
        !is_one_of(scan->before.text, keywords, sizeof keywords / sizeof keywords[0])) {
        open->function = condition_function_find(scan->before.text);
        open->function_at = scan->before.at;
        open->takes_paths = condition_word_is(scan->before.text, "json_extract") ||
                            condition_word_is(scan->before.text, "json_type") ||
                            condition_word_is(scan->before.text, "json_array_length");
    }
    open->holds_states = condition_word_is(scan->before.text, "in") &&
                         condition_word_is(scan->before_that.text, "state") &&
                         condition_is_edge(&scan->before_all);
    return ERR_NONE;
}

static enum err scan_closes(struct scan *scan)
{
    if (scan->depth == 0) {
        return reason_set(scan->reason, ERR_INVALID, "this ) closes nothing");
    }
    const struct open *open = &scan->open[--scan->depth];
    const struct condition_function *function = open->function;
    size_t arguments = open->is_empty ? 0 : open->commas + 1;
    if (function == NULL ||
        (arguments >= function->arguments_min && arguments <= function->arguments_max)) {
        return ERR_NONE;
    }
    scan->fault = open->function_at;
    if (function->arguments_min == function->arguments_max) {
        return reason_set(scan->reason, ERR_INVALID, "%s() takes %d argument%s", function->name,
                          function->arguments_min, function->arguments_min == 1 ? "" : "s");
    }
    return reason_set(scan->reason, ERR_INVALID, "%s() takes %d to %d arguments", function->name,
                      function->arguments_min, function->arguments_max);
}

static enum err scan_comma(struct scan *scan)
{
    if (scan->depth == 0) {
        return reason_set(scan->reason, ERR_INVALID,
                          "a condition is one expression: no comma here");
    }
    scan->open[scan->depth - 1].commas++;
    if (++scan->commas > COMMAS_MAX) {
        return reason_set(scan->reason, ERR_INVALID, "more than %d commas", COMMAS_MAX);
    }
    return ERR_NONE;
}

/* " pN " and blanks up to the length that it had: the shortest placeholder has 6 bytes. */
static enum err scan_placeholder(struct scan *scan, const struct condition_word *word)
{
    if (scan->placeholders == CONDITION_PLACEHOLDERS_MAX) {
        return reason_set(scan->reason, ERR_INVALID, "more than %d placeholders",
                          CONDITION_PLACEHOLDERS_MAX);
    }
    buf_append(scan->expression, scan->text.data + scan->copied, word->at - scan->copied);
    size_t begin = scan->expression->length;
    buf_printf(scan->expression, " p%zu ", ++scan->placeholders);
    while (scan->expression->length - begin < word->text.length) {
        buf_append_text(scan->expression, " ");
    }
    scan->copied = word->at + word->text.length;
    return ERR_NONE;
}

/* A text in quotes. Only where it is all of an operand or argument: '$.' || stdout is none of ours. */
static enum err scan_text(struct scan *scan, const struct condition_word *word,
                          const struct condition_word *next)
{
    const struct condition_word *before = &scan->before;
    bool is_arrow = before->kind == CONDITION_OPERATOR &&
                    (str_is(before->text, "->") || str_is(before->text, "->>"));
    if (is_arrow && word->text.data[1] == '$') {
        return condition_check_path(word->text, scan->reason);
    }
    bool is_whole = (before->kind == CONDITION_OPENS || before->kind == CONDITION_COMMA) &&
                    (next->kind == CONDITION_CLOSES || next->kind == CONDITION_COMMA);
    if (!is_whole || scan->depth == 0) {
        return ERR_NONE;
    }
    const struct open *open = &scan->open[scan->depth - 1];
    if (open->holds_states) {
        return condition_check_state(word->text, scan->reason);
    }
    return open->takes_paths && open->commas > 0 ? condition_check_path(word->text, scan->reason)
                                                 : ERR_NONE;
}

static enum err scan_word(struct scan *scan, const struct condition_word *word,
                          const struct condition_word *next)
{
    switch (word->kind) {
    case CONDITION_NAME:
        return scan_name(scan, word, next->kind == CONDITION_OPENS);
    case CONDITION_OPENS:
        return scan_opens(scan, word);
    case CONDITION_CLOSES:
        return scan_closes(scan);
    case CONDITION_COMMA:
        return scan_comma(scan);
    case CONDITION_PLACEHOLDER:
        return scan_placeholder(scan, word);
    case CONDITION_OPERATOR:
        scan->calls += condition_function_reads_json(word->text);
        scan->reads += condition_function_reads_json(word->text);
        return ERR_NONE;
    case CONDITION_TEXT:
        return scan_text(scan, word, next);
    case CONDITION_NUMBER:
    case CONDITION_END:
        break;
    }
    return ERR_NONE;
}

static enum err scan_words(struct scan *scan)
{
    struct condition_word word;
    struct condition_word next;
    size_t at = 0;
    enum err err = condition_lex(scan->text, &at, &word, scan->reason);
    scan->fault = word.at;
    if (err == ERR_NONE && word.kind == CONDITION_END) {
        return reason_set(scan->reason, ERR_INVALID, "the condition is empty");
    }
    while (err == ERR_NONE && word.kind != CONDITION_END) {
        size_t behind = at;
        err = condition_lex(scan->text, &behind, &next, scan->reason);
        if (err != ERR_NONE) {
            scan->fault = next.at;
            break;
        }
        scan->fault = word.at;
        if (scan->depth > 0 && word.kind != CONDITION_CLOSES) {
            scan->open[scan->depth - 1].is_empty = false;
        }
        err = scan_word(scan, &word, &next);
        if (err == ERR_NONE && scan->calls > CONDITION_CALLS_MAX) {
            err = reason_set(scan->reason, ERR_INVALID,
                             "more than %d calls of functions, LIKE, -> and ->>",
                             CONDITION_CALLS_MAX);
        }
        if (err == ERR_NONE && scan->reads > CONDITION_READS_MAX) {
            err = reason_set(scan->reason, ERR_INVALID,
                             "more than %d reads of JSON (->, ->> and the functions json_…): each "
                             "goes through all of it; let the task put out what is asked for",
                             CONDITION_READS_MAX);
        }
        if (err == ERR_NONE && condition_is_edge(&scan->before_all) && condition_is_edge(&next)) {
            const struct condition_word comparison[] = { scan->before_that, scan->before, word };
            err = condition_check_comparison(comparison, &scan->fault, scan->reason);
        }
        scan->before_all = scan->before_that;
        scan->before_that = scan->before;
        scan->before = word;
        word = next;
        at = behind;
    }
    return err;
}

enum err condition_scan(struct str text, struct buf *expression, size_t *ret_placeholders,
                        size_t *ret_calls, size_t *ret_offset, struct reason *reason)
{
    size_t bad = 0;
    *ret_offset = 0;
    if (text.length > CONDITION_BYTES_MAX) {
        return reason_set(reason, ERR_INVALID, "the condition has more than %d bytes",
                          CONDITION_BYTES_MAX);
    }
    if (spec_text_find_bad_byte(text, &bad)) {
        *ret_offset = bad;
        return reason_set(reason, ERR_INVALID, "there is a byte here that is no text");
    }
    struct scan scan = { .text = text, .expression = expression, .reason = reason };
    buf_clear(expression);
    enum err err = scan_words(&scan);
    if (err == ERR_NONE && scan.depth > 0) {
        scan.fault = scan.open[scan.depth - 1].at;
        err = reason_set(reason, ERR_INVALID, "this ( is not closed");
    }
    if (err != ERR_NONE) {
        *ret_offset = scan.fault;
        return err;
    }
    buf_append(expression, text.data + scan.copied, text.length - scan.copied);
    *ret_placeholders = scan.placeholders;
    *ret_calls = scan.calls;
    return ERR_NONE;
}
