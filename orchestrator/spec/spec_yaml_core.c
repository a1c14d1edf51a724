#include "orchestrator/spec/spec_yaml_core.h"

static bool is_one_of(struct str text, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (str_is(text, *words)) {
            return true;
        }
    }
    return false;
}

static size_t skip_digits(struct str text, size_t at)
{
    while (at < text.length && text.data[at] >= '0' && text.data[at] <= '9') {
        at++;
    }
    return at;
}

static bool is_based(struct str text, char base, const char *digits)
{
    if (text.length < 3 || text.data[0] != '0' || text.data[1] != base) {
        return false;
    }
    for (size_t i = 2; i < text.length; i++) {
        if (!spec_text_holds(str_of(digits), (struct str){ text.data + i, 1 })) {
            return false;
        }
    }
    return true;
}

/* [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )? */
static bool is_decimal(struct str text)
{
    size_t at = text.length > 0 && (text.data[0] == '-' || text.data[0] == '+');
    size_t whole = skip_digits(text, at) - at;
    at += whole;
    size_t part = 0;
    if (at < text.length && text.data[at] == '.') {
        part = skip_digits(text, at + 1) - (at + 1);
        at += part + 1;
    }
    if (whole + part == 0) {
        return false;
    }
    if (at < text.length && (text.data[at] == 'e' || text.data[at] == 'E')) {
        at++;
        at += at < text.length && (text.data[at] == '-' || text.data[at] == '+');
        size_t end = skip_digits(text, at);
        return end > at && end == text.length;
    }
    return at == text.length;
}

enum spec_kind spec_yaml_core_kind(struct str plain)
{
    static const char *const nulls[] = { "", "~", "null", "Null", "NULL", NULL };
    static const char *const bools[] = { "true", "True", "TRUE", "false", "False", "FALSE", NULL };
    static const char *const specials[] = { ".inf",  ".Inf",  ".INF",  "+.inf", "+.Inf",
                                            "+.INF", "-.inf", "-.Inf", "-.INF", ".nan",
                                            ".NaN",  ".NAN",  NULL };
    enum { WORD_BYTES_MAX = 5 };
    if (plain.length <= WORD_BYTES_MAX) {
        if (is_one_of(plain, nulls)) {
            return SPEC_NULL;
        }
        if (is_one_of(plain, bools)) {
            return SPEC_BOOL;
        }
        if (is_one_of(plain, specials)) {
            return SPEC_NUMBER;
        }
    }
    bool is_number = is_decimal(plain) || is_based(plain, 'x', "0123456789abcdefABCDEF") ||
                     is_based(plain, 'o', "01234567");
    return is_number ? SPEC_NUMBER : SPEC_TEXT;
}
