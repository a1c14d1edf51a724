#include "cli/options.h"

#include <string.h>

#include "common/base/str.h"

bool options_word_in(const char *words, const char *word)
{
    size_t length = strlen(word);
    while (*words != 0) {
        size_t next = strcspn(words, " ");
        if (next == length && memcmp(words, word, length) == 0) {
            return true;
        }
        words += next + (words[next] == ' ');
    }
    return false;
}

static const struct option *find_long(const struct option *rows, struct str name)
{
    for (; rows != NULL && rows->name != NULL; rows++) {
        if (str_is(name, rows->name)) {
            return rows;
        }
    }
    return NULL;
}

static const struct option *find_letter(const struct option *rows, char letter)
{
    for (; rows != NULL && rows->name != NULL; rows++) {
        if (rows->letter == letter) {
            return rows;
        }
    }
    return NULL;
}

static const char *nearest(const struct option *own, const struct option *global, struct str name)
{
    enum { FAR = 3 };
    const struct option *const lists[] = { own, global };
    const char *best = NULL;
    unsigned best_distance = FAR;
    for (size_t i = 0; i < 2; i++) {
        for (const struct option *row = lists[i]; row != NULL && row->name != NULL; row++) {
            unsigned distance = str_distance(str_of(row->name), name, FAR);
            if (distance < best_distance && distance < strlen(row->name)) {
                best = row->name;
                best_distance = distance;
            }
        }
    }
    return best;
}

static bool fits(const struct option *option, const char *value)
{
    if (!option->is_list) {
        return options_word_in(option->words, value);
    }
    for (const char *at = value;; at++) {
        size_t length = strcspn(at, ",");
        char word[64];
        if (length >= sizeof word) {
            return false;
        }
        memcpy(word, at, length);
        word[length] = 0;
        if (!options_word_in(option->words, word)) {
            return false;
        }
        at += length;
        if (*at == 0) {
            return true;
        }
    }
}

static enum err take(struct options *options, const struct option *option, const char *value,
                     struct reason *reason)
{
    if (option->words != NULL && !fits(option, value)) {
        return reason_set(reason, ERR_INVALID, "--%s takes %s: %s", option->name,
                          option->is_list ? "one or several, divided by commas, of" : "one of",
                          option->words);
    }
    if (options->given_count == OPTIONS_GIVEN_MAX) {
        return reason_set(reason, ERR_LIMIT, "more than %d options", OPTIONS_GIVEN_MAX);
    }
    options->given[options->given_count].option = option;
    options->given[options->given_count].value = value;
    options->given_count++;
    return ERR_NONE;
}

/* --name, --name VALUE or --name=VALUE at argv[*at]. */
static enum err take_long(struct options *options, const struct option *own,
                          const struct option *global, int argc, const char *const *argv, int *at,
                          struct reason *reason)
{
    const char *word = argv[*at] + 2;
    struct str name = { word, strcspn(word, "=") };
    const char *value = word[name.length] == '=' ? word + name.length + 1 : NULL;
    const struct option *option = find_long(own, name);
    if (option == NULL) {
        option = find_long(global, name);
    }
    if (option == NULL) {
        const char *meant = nearest(own, global, name);
        return reason_set(reason, ERR_INVALID, "--%.*s is unknown%s%s%s", STR_ARG(name),
                          meant == NULL ? "" : "; did you mean --", meant == NULL ? "" : meant,
                          meant == NULL ? "" : "?");
    }
    if (option->operand == NULL && value != NULL) {
        return reason_set(reason, ERR_INVALID, "--%s takes no value", option->name);
    }
    if (option->operand != NULL && value == NULL) {
        if (*at + 1 >= argc) {
            return reason_set(reason, ERR_INVALID, "--%s needs %s", option->name, option->operand);
        }
        value = argv[++*at];
    }
    return take(options, option, value == NULL ? "" : value, reason);
}

/* -f, -fo VALUE or -oVALUE at argv[*at]. */
static enum err take_letters(struct options *options, const struct option *own,
                             const struct option *global, int argc, const char *const *argv,
                             int *at, struct reason *reason)
{
    for (const char *letter = argv[*at] + 1; *letter != 0; letter++) {
        const struct option *option = find_letter(own, *letter);
        if (option == NULL) {
            option = find_letter(global, *letter);
        }
        if (option == NULL) {
            return reason_set(reason, ERR_INVALID, "-%c is unknown", *letter);
        }
        if (option->operand == NULL) {
            enum err err = take(options, option, "", reason);
            if (err != ERR_NONE) {
                return err;
            }
            continue;
        }
        if (letter[1] != 0) {
            return take(options, option, letter + 1, reason);
        }
        if (*at + 1 >= argc) {
            return reason_set(reason, ERR_INVALID, "-%c needs %s", *letter, option->operand);
        }
        return take(options, option, argv[++*at], reason);
    }
    return ERR_NONE;
}

enum err options_parse(struct options *options, const struct option *own,
                       const struct option *global, int argc, const char *const *argv,
                       bool stop_at_word, int *ret_used, struct reason *reason)
{
    int at = 0;
    enum err err = ERR_NONE;
    for (; at < argc && err == ERR_NONE; at++) {
        const char *word = argv[at];
        if (strcmp(word, "--") == 0) {
            options->command = argv + at + 1;
            options->command_count = (size_t)(argc - at - 1);
            at = argc;
            break;
        }
        if (strncmp(word, "--", 2) == 0) {
            err = take_long(options, own, global, argc, argv, &at, reason);
        } else if (word[0] == '-' && word[1] != 0) {
            err = take_letters(options, own, global, argc, argv, &at, reason);
        } else if (stop_at_word) {
            break;
        } else if (options->arguments_count == OPTIONS_ARGUMENTS_MAX) {
            err = reason_set(reason, ERR_LIMIT, "more than %d arguments", OPTIONS_ARGUMENTS_MAX);
        } else {
            options->arguments[options->arguments_count++] = word;
        }
    }
    if (err == ERR_NONE && ret_used != NULL) {
        *ret_used = at;
    }
    return err;
}

const char *options_get_nth(const struct options *options, const char *name, size_t n)
{
    for (size_t i = 0; i < options->given_count; i++) {
        if (strcmp(options->given[i].option->name, name) == 0 && n-- == 0) {
            return options->given[i].value;
        }
    }
    return NULL;
}

const char *options_get(const struct options *options, const char *name)
{
    const char *value = NULL;
    for (size_t i = 0; i < options->given_count; i++) {
        if (strcmp(options->given[i].option->name, name) == 0) {
            value = options->given[i].value;
        }
    }
    return value;
}

bool options_has(const struct options *options, const char *name)
{
    return options_get(options, name) != NULL;
}
