/* Between the files of `completion`: a script a shell, and what they all need of the table. */
#ifndef CLI_COMPLETION_H
#define CLI_COMPLETION_H

#include "cli/cli.h"

/* Each prints its script on stdout. */
void completion_bash(void);
void completion_zsh(void);
void completion_fish(void);

/* The names of the verbs that are not hidden. */
void completion_print_verbs(const char *between);
/* What `asterism __words` is to be asked for, or NULL: of a verb's arguments, of an option's value. */
const char *completion_words_of(const struct verb *verb);
const char *completion_words_of_value(const struct option *option);
/* The option's value is a file's path. */
bool completion_is_path(const struct option *option);

#endif
