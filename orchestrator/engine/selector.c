#include "orchestrator/engine/selector.h"

#include <string.h>

#include "common/base/mem.h"

enum comparison {
    COMPARISON_IN,     /* also = and == */
    COMPARISON_NOT_IN, /* also != */
    COMPARISON_EXISTS,
    COMPARISON_MISSING,
};

struct requirement {
    enum comparison comparison;
    struct str key;
    size_t values_from; /* into the selector's values */
    size_t values_count;
    struct str text; /* as it was written */
};

struct selector {
    char *text; /* what the strs point into */
    struct requirement requirements[SELECTOR_REQUIREMENTS_MAX];
    size_t count;
    struct str *values;
    size_t values_count;
};

struct scan {
    const char *text;
    size_t length;
    size_t at;
};

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.' || c == '/' || c == ':' || c == '@';
}

static void skip_blanks(struct scan *scan)
{
    while (scan->at < scan->length &&
           (scan->text[scan->at] == ' ' || scan->text[scan->at] == '\t')) {
        scan->at++;
    }
}

static bool take(struct scan *scan, const char *token)
{
    size_t length = strlen(token);
    if (scan->length - scan->at < length || memcmp(scan->text + scan->at, token, length) != 0) {
        return false;
    }
    scan->at += length;
    return true;
}

/* A label's key or value; empty if there is none. */
static struct str take_word(struct scan *scan)
{
    size_t from = scan->at;
    while (scan->at < scan->length && is_word(scan->text[scan->at])) {
        scan->at++;
    }
    return (struct str){ scan->text + from, scan->at - from };
}

static void add_value(struct selector *selector, struct str value)
{
    selector->values =
        mem_resize(selector->values, (selector->values_count + 1) * sizeof(struct str));
    selector->values[selector->values_count++] = value;
}

static enum err parse_set(struct selector *selector, struct scan *scan, struct reason *reason)
{
    skip_blanks(scan);
    if (!take(scan, "(")) {
        return reason_set(reason, ERR_INVALID, "expected \"(\" with the values after in or notin");
    }
    for (;;) {
        skip_blanks(scan);
        struct str value = take_word(scan);
        if (value.length == 0) {
            return reason_set(reason, ERR_INVALID, "expected a value");
        }
        add_value(selector, value);
        skip_blanks(scan);
        if (take(scan, ")")) {
            return ERR_NONE;
        }
        if (!take(scan, ",")) {
            return reason_set(reason, ERR_INVALID, "expected \",\" or \")\" in the set of values");
        }
    }
}

static enum err parse_operator(struct selector *selector, struct requirement *requirement,
                               struct scan *scan, struct reason *reason)
{
    skip_blanks(scan);
    if (scan->at == scan->length || scan->text[scan->at] == ',') {
        requirement->comparison = COMPARISON_EXISTS;
        return ERR_NONE;
    }
    bool negated = take(scan, "!=");
    if (negated || take(scan, "==") || take(scan, "=")) {
        requirement->comparison = negated ? COMPARISON_NOT_IN : COMPARISON_IN;
        skip_blanks(scan);
        add_value(selector, take_word(scan)); /* `role=` means the empty value */
        return ERR_NONE;
    }
    struct str word = take_word(scan);
    if (str_is(word, "in") || str_is(word, "notin")) {
        requirement->comparison = str_is(word, "in") ? COMPARISON_IN : COMPARISON_NOT_IN;
        return parse_set(selector, scan, reason);
    }
    return reason_set(reason, ERR_INVALID, "expected =, ==, !=, in, notin or \",\" after the key");
}

static enum err parse_requirement(struct selector *selector, struct scan *scan,
                                  struct reason *reason)
{
    if (selector->count == SELECTOR_REQUIREMENTS_MAX) {
        return reason_set(reason, ERR_INVALID, "more than %d requirements",
                          SELECTOR_REQUIREMENTS_MAX);
    }
    skip_blanks(scan);
    size_t from = scan->at;
    struct requirement requirement = { .values_from = selector->values_count };
    bool missing = take(scan, "!");
    skip_blanks(scan);
    requirement.key = take_word(scan);
    if (requirement.key.length == 0) {
        return reason_set(reason, ERR_INVALID, "expected a label's key");
    }
    if (missing) {
        requirement.comparison = COMPARISON_MISSING;
    } else {
        enum err err = parse_operator(selector, &requirement, scan, reason);
        if (err != ERR_NONE) {
            return err;
        }
    }
    requirement.values_count = selector->values_count - requirement.values_from;
    requirement.text = (struct str){ scan->text + from, scan->at - from };
    selector->requirements[selector->count++] = requirement;
    return ERR_NONE;
}

static enum err parse_all(struct selector *selector, struct scan *scan, struct reason *reason)
{
    skip_blanks(scan);
    if (scan->at == scan->length) {
        return ERR_NONE;
    }
    for (;;) {
        enum err err = parse_requirement(selector, scan, reason);
        if (err != ERR_NONE) {
            return err;
        }
        skip_blanks(scan);
        if (scan->at == scan->length) {
            return ERR_NONE;
        }
        if (!take(scan, ",")) {
            return reason_set(reason, ERR_INVALID, "expected \",\" between requirements");
        }
    }
}

enum err selector_parse(struct str text, struct selector **ret_selector, size_t *ret_at,
                        struct reason *reason)
{
    if (text.length > SELECTOR_BYTES_MAX) {
        return reason_set(reason, ERR_INVALID, "longer than %d bytes", SELECTOR_BYTES_MAX);
    }
    struct selector *selector = mem_alloc(sizeof *selector);
    selector->text = mem_copy(text.data, text.length);
    struct scan scan = { selector->text, text.length, 0 };
    enum err err = parse_all(selector, &scan, reason);
    if (err != ERR_NONE) {
        if (ret_at != NULL) {
            *ret_at = scan.at;
        }
        selector_free(selector);
        return err;
    }
    *ret_selector = selector;
    return ERR_NONE;
}

void selector_free(struct selector *selector)
{
    if (selector != NULL) {
        mem_free(selector->text);
        mem_free(selector->values);
        mem_free(selector);
    }
}

static const struct msg_pair *find_label(struct str key, const struct msg_pair *labels,
                                         size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (str_equal(labels[i].key, key)) {
            return &labels[i];
        }
    }
    return NULL;
}

static bool has_value(const struct selector *selector, const struct requirement *requirement,
                      struct str value)
{
    for (size_t i = 0; i < requirement->values_count; i++) {
        if (str_equal(selector->values[requirement->values_from + i], value)) {
            return true;
        }
    }
    return false;
}

static bool is_met(const struct selector *selector, const struct requirement *requirement,
                   const struct msg_pair *labels, size_t count)
{
    const struct msg_pair *label = find_label(requirement->key, labels, count);
    switch (requirement->comparison) {
    case COMPARISON_IN:
        return label != NULL && has_value(selector, requirement, label->value);
    case COMPARISON_NOT_IN:
        return label == NULL || !has_value(selector, requirement, label->value);
    case COMPARISON_EXISTS:
        return label != NULL;
    case COMPARISON_MISSING:
        return label == NULL;
    }
    return false;
}

struct str selector_unmet(const struct selector *selector, const struct msg_pair *labels,
                          size_t count)
{
    for (size_t i = 0; i < selector->count; i++) {
        if (!is_met(selector, &selector->requirements[i], labels, count)) {
            return selector->requirements[i].text;
        }
    }
    return (struct str){ "", 0 };
}

bool selector_matches(const struct selector *selector, const struct msg_pair *labels, size_t count)
{
    return selector_unmet(selector, labels, count).length == 0;
}
