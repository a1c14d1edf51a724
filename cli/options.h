/* A command line: options anywhere, arguments, and a command behind "--". */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"

enum { OPTIONS_GIVEN_MAX = 64, OPTIONS_ARGUMENTS_MAX = 1024 };

/* A list of these ends with a row without a name. */
struct option {
    const char *name;
    const char *operand; /* NULL: it takes no value */
    const char *help;
    const char *words; /* "table json": the values it takes, checked; NULL: any */
    char letter;       /* 0: none */
    bool is_list;      /* several of the words, divided by commas */
};

struct options {
    struct {
        const struct option *option;
        const char *value; /* "" for one without */
    } given[OPTIONS_GIVEN_MAX];
    size_t given_count;
    const char *arguments[OPTIONS_ARGUMENTS_MAX];
    size_t arguments_count;
    const char *const *command; /* what stands behind "--" */
    size_t command_count;
};

/* Words argv[0] … argv[argc - 1]. Options are looked up in `own`, then in `global`. With
   `stop_at_word` it ends before the first argument; ret_used (may be NULL) says where. */
enum err options_parse(struct options *options, const struct option *own,
                       const struct option *global, int argc, const char *const *argv,
                       bool stop_at_word, int *ret_used, struct reason *reason);
/* The last value, or NULL if it was not given. */
const char *options_get(const struct options *options, const char *name);
/* The nth value, or NULL. */
const char *options_get_nth(const struct options *options, const char *name, size_t n);
bool options_has(const struct options *options, const char *name);
/* `word` is one of the blank-separated `words`. */
bool options_word_in(const char *words, const char *word);

#endif
