/* What zsh is to find in its fpath as _asterism, or to source. */
#include <stdio.h>
#include <string.h>

#include "cli/completion.h"

/* Inside single quotes and, for an option's help, inside brackets. */
static void print_text(const char *text)
{
    for (; *text != 0; text++) {
        if (*text == '\'') {
            printf("'\\''");
        } else if (*text == '[' || *text == ']' || *text == '\\') {
            printf("\\%c", *text);
        } else {
            putchar(*text);
        }
    }
}

/* What completes an option's value: an action of _arguments. */
static void print_action(const struct option *option)
{
    if (option->words != NULL && option->is_list) {
        printf(":%s: _values -s , %s %s", option->operand, option->name, option->words);
    } else if (option->words != NULL) {
        printf(":%s:(%s)", option->operand, option->words);
    } else if (completion_words_of_value(option) != NULL) {
        printf(":%s: _asterism_words %s", option->operand, completion_words_of_value(option));
    } else {
        printf(":%s:%s", option->operand, completion_is_path(option) ? "_files" : " ");
    }
}

static bool is_among(const struct option *options, const char *name)
{
    while (options != NULL && options->name != NULL && strcmp(options->name, name) != 0) {
        options++;
    }
    return options != NULL && options->name != NULL;
}

/* A specification of _arguments each. Those of `but` are left out. */
static void print_options(const struct option *options, const struct option *but)
{
    for (; options != NULL && options->name != NULL; options++) {
        if (is_among(but, options->name)) {
            continue;
        }
        bool takes = options->operand != NULL;
        printf(" \\\n      '*'");
        if (options->letter == 0) {
            printf("--%s%s", options->name, takes ? "=" : "");
        } else {
            printf("{-%c%s,--%s%s}", options->letter, takes ? "+" : "", options->name,
                   takes ? "=" : "");
        }
        printf("'[");
        print_text(options->help);
        printf("]");
        if (takes) {
            print_action(options);
        }
        printf("'");
    }
}

static void print_operands(const struct verb *verb)
{
    if (completion_words_of(verb) != NULL) {
        printf(" \\\n      '*: : _asterism_words %s'", completion_words_of(verb));
    } else if (verb->operand == CLI_OPERAND_FILE) {
        printf(" \\\n      '*: :_files'");
    } else if (verb->operand == CLI_OPERAND_WORD) {
        printf(" \\\n      '1: :(%s)'", verb->words);
    } else if (verb->operand == CLI_OPERAND_VERB) {
        printf(" \\\n      '1: :(");
        completion_print_verbs(" ");
        printf(")'");
    }
}

static void print_verb(const struct verb *verb)
{
    printf("  %s)\n    _arguments -s -S :", verb->name);
    print_options(verb->options, NULL);
    print_options(global_options, verb->options);
    print_operands(verb);
    printf(" ;;\n");
}

void completion_zsh(void)
{
    printf("#compdef asterism\n"
           "# asterism completion zsh > \"${fpath[1]}/_asterism\"\n"
           "_asterism_words() {\n"
           "  local -a found\n"
           "  found=(${(f)\"$(asterism __words $1 \"$PREFIX\" 2>/dev/null)\"})\n"
           "  # A task may follow the id.\n"
           "  if [[ $1 == tasks && $PREFIX != */* ]]; then compadd -S '' -- $found\n"
           "  else compadd -- $found; fi\n"
           "}\n"
           "_asterism() {\n"
           "  local context curcontext=\"$curcontext\" state state_descr line\n"
           "  local -A opt_args\n"
           "  local -a verbs\n"
           "  _arguments -C -S :");
    print_options(global_options, NULL);
    printf(" \\\n      '(-): :->verb' '(-)*:: :->rest' && return\n"
           "  if [[ $state == verb ]]; then\n"
           "    verbs=(");
    for (const struct verb *const *verb = verbs; *verb != NULL; verb++) {
        if (!(*verb)->hidden) {
            printf("\n      '%s:", (*verb)->name);
            print_text((*verb)->summary);
            printf("'");
        }
    }
    printf(")\n    _describe verb verbs\n    return\n  fi\n  case $words[1] in\n");
    for (const struct verb *const *verb = verbs; *verb != NULL; verb++) {
        if (!(*verb)->hidden) {
            print_verb(*verb);
        }
    }
    printf("  esac\n"
           "}\n"
           "if [[ $funcstack[1] == _asterism ]]; then _asterism \"$@\"\n"
           "else compdef _asterism asterism; fi\n");
}
