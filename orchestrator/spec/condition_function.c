/* The functions of conditions: the table, and like() and instr() that count what they do. */
#include "orchestrator/spec/condition_function.h"

#include <string.h>

#include "orchestrator/spec/condition_lex.h"

/* A byte that is only compared with another one costs less than a step of a pattern. */
enum { PATTERN_BYTES_MAX = 1000, BYTES_PER_STEP = 8 };

static const struct condition_function functions[] = {
    { "abs", 1, 1, "A number without its sign." },
    { "coalesce", 2, 8, "The first argument that is not NULL." },
    { "ifnull", 2, 2, "The first argument, or the second if that is NULL." },
    { "iif", 3, 3, "The second argument if the first is true, else the third." },
    { "instr", 2, 2,
      "Where the second text begins in the first, from 1; 0 if nowhere. Minds case." },
    { "json_array_length", 1, 2, "The number of items of a JSON list, or of the one at a path." },
    { "json_extract", 2, 8, "The value at a path of a JSON text; the same as ->> for one path." },
    { "json_type", 1, 2, "`object`, `array`, `text`, `integer`, `real`, `true`, `false`, `null`." },
    { "json_valid", 1, 1, "1 if the text is JSON, else 0." },
    { "length", 1, 1, "The number of characters of a text." },
    { "lower", 1, 1, "The text in lower case (ASCII only)." },
    { "ltrim", 1, 1, "The text without the blanks at its beginning." },
    { "max", 2, 8, "The greatest argument; NULL if any is NULL." },
    { "min", 2, 8, "The least argument; NULL if any is NULL." },
    { "nullif", 2, 2, "The first argument, or NULL if both are the same." },
    { "round", 1, 2, "A number rounded, to whole ones or to as many digits as the second says." },
    { "rtrim", 1, 1, "The text without the blanks at its end." },
    { "sign", 1, 1, "-1, 0 or 1." },
    { "substr", 2, 3,
      "The characters of a text from a position (from 1), as many as the third says." },
    { "trim", 1, 1, "The text without the blanks at both ends." },
    { "typeof", 1, 1, "`null`, `integer`, `real` or `text`." },
    { "upper", 1, 1, "The text in upper case (ASCII only)." },
    /* What operators are to SQLite. */
    { "like", 2, 3,
      "X LIKE PATTERN: % is any text, _ any character; case does not matter in ASCII." },
    { "->", 2, 2, "The JSON at a key, an index or a path." },
    { "->>", 2, 2, "The value at a key, an index or a path of a JSON text." },
};

const struct condition_function *condition_function_at(size_t index)
{
    return index < sizeof functions / sizeof functions[0] ? &functions[index] : NULL;
}

const struct condition_function *condition_function_find(struct str name)
{
    for (size_t i = 0; name.length > 0 && i < sizeof functions / sizeof functions[0]; i++) {
        if (condition_word_is(name, functions[i].name)) {
            return &functions[i];
        }
    }
    return NULL;
}

bool condition_function_reads_json(struct str name)
{
    return str_is(name, "->") || str_is(name, "->>") ||
           (name.length > 5 && condition_word_is((struct str){ name.data, 5 }, "json_"));
}

bool condition_budget_take(struct condition_budget *budget, uint64_t steps)
{
    bool is_enough = steps <= budget->steps_left;
    uint64_t taken = is_enough ? steps : budget->steps_left;
    budget->steps_left -= taken;
    budget->steps_used += taken;
    return is_enough;
}

/* The bytes of an argument as text; data NULL for NULL. */
static struct str argument(sqlite3_value *value)
{
    if (sqlite3_value_type(value) == SQLITE_NULL) {
        return (struct str){ NULL, 0 };
    }
    const char *text = (const char *)sqlite3_value_text(value);
    return (struct str){ text, text == NULL ? 0 : (size_t)sqlite3_value_bytes(value) };
}

static size_t character_bytes(struct str text, size_t at)
{
    size_t bytes = 1;
    while (at + bytes < text.length && ((unsigned char)text.data[at + bytes] & 0xc0U) == 0x80) {
        bytes++;
    }
    return bytes;
}

static unsigned char fold(char byte)
{
    return (unsigned char)(byte >= 'A' && byte <= 'Z' ? byte + ('a' - 'A') : byte);
}

/* One item of a pattern: % (any), _ (one), or a character that stands for itself. */
struct item {
    enum { ITEM_ANY, ITEM_ONE, ITEM_SELF } kind;
    struct str text;
    size_t next; /* where the next item begins; 0: this one is broken */
};

static struct item item_at(struct str pattern, size_t at, struct str escape)
{
    size_t bytes = character_bytes(pattern, at);
    struct item item = { ITEM_SELF, { pattern.data + at, bytes }, at + bytes };
    if (escape.length > 0 && str_equal(item.text, escape)) {
        if (item.next >= pattern.length) {
            return (struct item){ .next = 0 }; /* it escapes nothing: matches nothing */
        }
        bytes = character_bytes(pattern, item.next);
        item.text = (struct str){ pattern.data + item.next, bytes };
        item.next += bytes;
    } else if (bytes == 1 && item.text.data[0] == '%') {
        item.kind = ITEM_ANY;
    } else if (bytes == 1 && item.text.data[0] == '_') {
        item.kind = ITEM_ONE;
    }
    return item;
}

static bool item_takes(const struct item *item, struct str text, size_t at, size_t bytes)
{
    if (item->kind == ITEM_ONE) {
        return true;
    }
    if (item->kind == ITEM_ANY || bytes != item->text.length) {
        return false;
    }
    for (size_t i = 0; i < bytes; i++) {
        if (fold(text.data[at + i]) != fold(item->text.data[i])) {
            return false;
        }
    }
    return true;
}

/* A byte of the pattern that is a character by itself and stands for itself: nearly all of them. */
static bool is_plain(struct str pattern, size_t at, struct str escape)
{
    char byte = pattern.data[at];
    return (unsigned char)byte < 0x80 && byte != '%' && byte != '_' &&
           (escape.length == 0 || byte != escape.data[0]);
}

/* Where the text next has the plain byte, or its end. */
static size_t find_plain(struct str text, size_t at, char byte)
{
    const unsigned char wanted = fold(byte);
    while (at < text.length && fold(text.data[at]) != wanted) {
        at++;
    }
    return at;
}

/* One LIKE: how far it has come. */
struct matching {
    struct str text;
    struct str pattern;
    struct str escape;
    size_t at;     /* in the text */
    size_t in;     /* in the pattern */
    size_t any_at; /* where the text of the last % ends as yet */
    size_t any_in; /* behind the last %; 0: there was none */
};

/* False: the next item of the pattern does not fit here. */
static bool match_item(struct matching *matching)
{
    struct str text = matching->text;
    if (matching->in == matching->pattern.length) {
        return false;
    }
    bool is_end = matching->at == text.length;
    if (is_plain(matching->pattern, matching->in, matching->escape)) {
        if (is_end || fold(text.data[matching->at]) != fold(matching->pattern.data[matching->in])) {
            return false;
        }
        matching->at++;
        matching->in++;
        return true;
    }
    struct item item = item_at(matching->pattern, matching->in, matching->escape);
    if (item.next > 0 && item.kind == ITEM_ANY) {
        matching->in = item.next;
        matching->any_in = item.next;
        matching->any_at = matching->at;
        return true;
    }
    size_t bytes = is_end ? 0 : character_bytes(text, matching->at);
    if (item.next == 0 || is_end || !item_takes(&item, text, matching->at, bytes)) {
        return false;
    }
    matching->at += bytes;
    matching->in = item.next;
    return true;
}

/* The last % takes one character more, or as many as there are before what must follow it. False: it
   cannot. *ret_skipped: how many. */
static bool match_more(struct matching *matching, size_t *ret_skipped)
{
    struct str text = matching->text;
    if (matching->any_in == 0 || matching->any_at == text.length) {
        return false;
    }
    size_t at = matching->any_at + character_bytes(text, matching->any_at);
    if (matching->any_in == matching->pattern.length) {
        at = text.length;
    } else if (is_plain(matching->pattern, matching->any_in, matching->escape)) {
        at = find_plain(text, at, matching->pattern.data[matching->any_in]);
    }
    *ret_skipped = at - matching->any_at;
    matching->any_at = at;
    matching->at = at;
    matching->in = matching->any_in;
    return true;
}

/* False when the budget is used up. When an item does not fit, only the last % before it takes more:
   earlier ones need never be tried again, so the work is at most text × pattern. */
static bool match(struct matching *matching, struct condition_budget *budget, bool *ret_matches)
{
    while (matching->at < matching->text.length || matching->in < matching->pattern.length) {
        size_t skipped = 0;
        if (!match_item(matching) && !match_more(matching, &skipped)) {
            *ret_matches = false;
            return true;
        }
        if (!condition_budget_take(budget, 1 + skipped / BYTES_PER_STEP)) {
            return false;
        }
    }
    *ret_matches = true;
    return true;
}

static void refuse_budget(sqlite3_context *context)
{
    sqlite3_result_error_code(context, SQLITE_INTERRUPT);
}

/* "X LIKE Y ESCAPE Z" calls like(Y, X, Z). */
static void like(sqlite3_context *context, int count, sqlite3_value **values)
{
    struct str pattern = argument(values[0]);
    struct str text = argument(values[1]);
    struct str escape = { NULL, 0 };
    if (pattern.length > PATTERN_BYTES_MAX) {
        sqlite3_result_error(context, "a LIKE pattern is longer than 1000 bytes", -1);
        return;
    }
    if (count == 3) {
        escape = argument(values[2]);
        if (escape.data == NULL) {
            return; /* NULL */
        }
        if (escape.length == 0 || character_bytes(escape, 0) != escape.length) {
            sqlite3_result_error(context, "ESCAPE takes a single character", -1);
            return;
        }
    }
    if (pattern.data == NULL || text.data == NULL) {
        return; /* NULL */
    }
    struct matching matching = { .text = text, .pattern = pattern, .escape = escape };
    bool matches = false;
    if (!match(&matching, sqlite3_user_data(context), &matches)) {
        refuse_budget(context);
        return;
    }
    sqlite3_result_int(context, matches);
}

static void instr(sqlite3_context *context, int count, sqlite3_value **values)
{
    (void)count;
    struct str text = argument(values[0]);
    struct str part = argument(values[1]);
    if (text.data == NULL || part.data == NULL) {
        return; /* NULL */
    }
    if (!condition_budget_take(sqlite3_user_data(context),
                               (text.length + part.length) / BYTES_PER_STEP)) {
        refuse_budget(context);
        return;
    }
    const char *found =
        part.length == 0 ? text.data : memmem(text.data, text.length, part.data, part.length);
    int64_t place = found == NULL ? 0 : 1;
    for (const char *byte = text.data; found != NULL && byte < found; byte++) {
        place += ((unsigned char)*byte & 0xc0U) != 0x80;
    }
    sqlite3_result_int64(context, place);
}

int condition_function_install(sqlite3 *db, struct condition_budget *budget)
{
    const int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS;
    int rc = sqlite3_create_function_v2(db, "like", 2, flags, budget, like, NULL, NULL, NULL);
    if (rc == SQLITE_OK) {
        rc = sqlite3_create_function_v2(db, "like", 3, flags, budget, like, NULL, NULL, NULL);
    }
    if (rc == SQLITE_OK) {
        rc = sqlite3_create_function_v2(db, "instr", 2, flags, budget, instr, NULL, NULL, NULL);
    }
    return rc;
}
