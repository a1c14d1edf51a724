/* What fish is to source. */
#include <stdio.h>
#include <string.h>

#include "cli/completion.h"

enum { CONDITION_BYTES = 128 };

/* A text in fish's single quotes. */
static void print_text(const char *text)
{
    putchar('\'');
    for (; *text != 0; text++) {
        if (*text == '\'' || *text == '\\') {
            putchar('\\');
        }
        putchar(*text);
    }
    putchar('\'');
}

/* An option of every verb is not meant where the verb has its own of that name. */
static void print_exceptions(const struct option *option)
{
    const char *before = " -n 'not __asterism_is";
    for (const struct verb *const *verb = verbs; *verb != NULL; verb++) {
        for (const struct option *own = (*verb)->options; own != NULL && own->name != NULL; own++) {
            if (strcmp(own->name, option->name) == 0) {
                printf("%s %s", before, (*verb)->name);
                before = "";
            }
        }
    }
    printf(*before == 0 ? "'" : "");
}

static void print_option(const struct option *option)
{
    printf(" -l %s", option->name);
    if (option->letter != 0) {
        printf(" -s %c", option->letter);
    }
    if (option->words != NULL) {
        printf(" -x -a '%s'", option->words);
    } else if (completion_words_of_value(option) != NULL) {
        printf(" -x -a '(asterism __words %s 2>/dev/null)'", completion_words_of_value(option));
    } else if (option->operand != NULL) {
        printf(completion_is_path(option) ? " -r -F" : " -x");
    }
    printf(" -d ");
    print_text(option->help);
    printf("\n");
}

static void print_verb(const struct verb *row)
{
    printf("complete -c asterism -n '__asterism_is \"\"' -a %s -d ", row->name);
    print_text(row->summary);
    printf("\n");
    char head[CONDITION_BYTES];
    snprintf(head, sizeof head, "complete -c asterism -n '__asterism_is %s'", row->name);
    for (const struct option *own = row->options; own != NULL && own->name != NULL; own++) {
        printf("%s", head);
        print_option(own);
    }
    if (completion_words_of(row) != NULL) {
        printf("%s -a '(asterism __words %s (commandline -ct) 2>/dev/null)'\n", head,
               completion_words_of(row));
    } else if (row->operand == CLI_OPERAND_FILE) {
        printf("%s -F\n", head);
    } else if (row->operand == CLI_OPERAND_WORD) {
        printf("%s -n '__asterism_follows %s' -a '%s'\n", head, row->name, row->words);
    } else if (row->operand == CLI_OPERAND_VERB) {
        printf("%s -n '__asterism_follows %s' -a '", head, row->name);
        completion_print_verbs(" ");
        printf("'\n");
    }
}

void completion_fish(void)
{
    printf("# asterism completion fish > ~/.config/fish/completions/asterism.fish\n"
           "function __asterism_verb # the verb that stands on the line\n"
           "    set -l words (commandline -opc)\n"
           "    while test (count $words) -gt 1\n"
           "        set -e words[1]\n"
           "        switch $words[1]\n"
           "            case");
    for (const struct option *row = global_options; row->name != NULL; row++) {
        if (row->operand != NULL) {
            printf(" --%s", row->name);
        }
        if (row->operand != NULL && row->letter != 0) {
            printf(" -%c", row->letter);
        }
    }
    printf("\n"
           "                set -e words[1]\n"
           "            case '-*'\n"
           "            case '*'\n"
           "                echo $words[1]\n"
           "                return\n"
           "        end\n"
           "    end\n"
           "end\n"
           "function __asterism_is # VERB...: one of these, or \"\": none yet\n"
           "    set -l verb (__asterism_verb)\n"
           "    contains -- \"$verb\" $argv\n"
           "end\n"
           "function __asterism_follows # WORD: the last whole word is this one\n"
           "    set -l words (commandline -opc)\n"
           "    test \"$words[-1]\" = \"$argv[1]\"\n"
           "end\n"
           "complete -c asterism -f\n");
    for (const struct option *row = global_options; row->name != NULL; row++) {
        printf("complete -c asterism");
        print_exceptions(row);
        print_option(row);
    }
    for (const struct verb *const *verb = verbs; *verb != NULL; verb++) {
        if (!(*verb)->hidden) {
            print_verb(*verb);
        }
    }
}
