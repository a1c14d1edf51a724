/* What bash is to source. */
#include <stdio.h>

#include "cli/completion.h"

static void print_flags(const struct option *options)
{
    for (; options != NULL && options->name != NULL; options++) {
        printf(" --%s", options->name);
    }
}

/* "--role|-r" */
static void print_case(const struct option *option)
{
    printf("    --%s", option->name);
    if (option->letter != 0) {
        printf("|-%c", option->letter);
    }
    printf(") ");
}

/* What may stand behind an option that takes a value: "--role) … ;;" of a case. */
static void print_values(const struct option *options)
{
    for (; options != NULL && options->name != NULL; options++) {
        if (options->operand == NULL) {
            continue;
        }
        print_case(options);
        if (options->words != NULL) {
            printf("COMPREPLY=($(compgen -W \"%s\" -- \"$word\"))", options->words);
        } else if (completion_is_path(options)) {
            printf("_asterism_files \"$word\"");
        } else if (completion_words_of_value(options) != NULL) {
            printf("COMPREPLY=($(compgen -W \"$(asterism __words %s 2>/dev/null)\" -- "
                   "\"$word\"))",
                   completion_words_of_value(options));
        } else {
            printf(":"); /* nobody knows */
        }
        printf("; return;;\n");
    }
}

/* The patterns of the options of every verb that take a value: what stands behind is no verb. */
static void print_skipped(void)
{
    const char *between = "    ";
    for (const struct option *row = global_options; row->name != NULL; row++) {
        if (row->operand != NULL) {
            printf("%s--%s", between, row->name);
            between = "|";
        }
        if (row->operand != NULL && row->letter != 0) {
            printf("|-%c", row->letter);
        }
    }
    /* Bash takes words apart at = and : too, and so --url=http://HOST. */
    printf(") ((i++)); [[ ${COMP_WORDS[i]} == = ]] && ((i++))\n"
           "      while [[ ${COMP_WORDS[i+1]} == : ]]; do ((i += 2)); done;;\n");
}

static void print_verb(const struct verb *row)
{
    printf("  %s)\n    case \"$last\" in\n", row->name);
    print_values(row->options);
    print_values(global_options);
    printf("    esac\n    if [[ $word == -* ]]; then words=\"");
    print_flags(row->options);
    print_flags(global_options);
    printf("\"\n");
    if (completion_words_of(row) != NULL) {
        printf("    else words=\"$(asterism __words %s \"$word\" 2>/dev/null)\"\n",
               completion_words_of(row));
    } else if (row->operand == CLI_OPERAND_FILE) {
        printf("    else _asterism_files \"$word\"; return\n");
    } else if (row->operand == CLI_OPERAND_WORD) {
        printf("    elif [[ $last == %s ]]; then words=\"%s\"\n", row->name, row->words);
    } else if (row->operand == CLI_OPERAND_VERB) {
        printf("    else words=\"");
        completion_print_verbs(" ");
        printf("\"\n");
    }
    /* A task may follow the id. */
    if (row->operand == CLI_OPERAND_TASK) {
        printf("      [[ $word == */* ]] || compopt -o nospace 2>/dev/null\n");
    }
    printf("    fi;;\n");
}

void completion_bash(void)
{
    printf(
        "# asterism completion bash > /etc/bash_completion.d/asterism\n"
        "_asterism_files() {\n"
        "  compopt -o filenames 2>/dev/null\n"
        "  local IFS=$'\\n'\n"
        "  COMPREPLY=($(compgen -f -- \"$1\"))\n"
        "}\n"
        "_asterism() {\n"
        "  local word=\"${COMP_WORDS[COMP_CWORD]}\" last=\"${COMP_WORDS[COMP_CWORD-1]}\" verb= i "
        "words=\n"
        "  if [[ $word == = ]]; then word=; elif [[ $last == = ]]; then\n"
        "    last=\"${COMP_WORDS[COMP_CWORD-2]}\"\n"
        "  fi\n"
        "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
        "    case \"${COMP_WORDS[i]}\" in\n");
    print_skipped();
    printf("    -*) ;;\n"
           "    *) verb=\"${COMP_WORDS[i]}\"; break;;\n"
           "    esac\n"
           "  done\n"
           "  case \"$verb\" in\n"
           "  \"\")\n    case \"$last\" in\n");
    print_values(global_options);
    printf("    esac\n    words=\"");
    completion_print_verbs(" ");
    printf("\"\n    [[ $word == -* ]] && words=\"");
    print_flags(global_options);
    printf("\";;\n");
    for (const struct verb *const *verb = verbs; *verb != NULL; verb++) {
        if (!(*verb)->hidden) {
            print_verb(*verb);
        }
    }
    printf("  esac\n"
           "  COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
           "}\n"
           "complete -F _asterism asterism\n");
}
