/* `help -o json`: the table of verbs for programs. */
#include <stdio.h>
#include <string.h>

#include "cli/help.h"
#include "cli/output.h"

static json_t *text_or_null(const char *text)
{
    return text == NULL ? json_null() : json_string(text);
}

/* "table json" */
static json_t *words_json(const char *words)
{
    json_t *list = json_array();
    while (*words != 0) {
        size_t length = strcspn(words, " ");
        json_array_append_new(list, json_stringn(words, length));
        words += length + (words[length] == ' ');
    }
    return list;
}

static json_t *options_json(const struct option *options)
{
    json_t *list = json_array();
    for (; options != NULL && options->name != NULL; options++) {
        json_t *option = json_object();
        json_object_set_new(option, "name", json_string(options->name));
        json_object_set_new(option, "letter",
                            options->letter == 0 ? json_null() : json_stringn(&options->letter, 1));
        json_object_set_new(option, "operand", text_or_null(options->operand));
        if (options->words != NULL) {
            json_object_set_new(option, "words", words_json(options->words));
        }
        json_object_set_new(option, "help", json_string(options->help));
        json_array_append_new(list, option);
    }
    return list;
}

static json_t *verb_json(const struct verb *row)
{
    json_t *verb = json_object();
    json_object_set_new(verb, "name", json_string(row->name));
    json_object_set_new(verb, "summary", json_string(row->summary));
    json_object_set_new(verb, "usage", json_string(row->usage == NULL ? "" : row->usage));
    json_object_set_new(verb, "text", text_or_null(row->text));
    json_object_set_new(verb, "example", json_string(row->example));
    json_object_set_new(verb, "options", options_json(row->options));
    return verb;
}

static json_t *all_json(void)
{
    json_t *all = json_object();
    json_t *list = json_array();
    json_t *exits = json_object();
    for (const struct verb *const *verb = verbs; *verb != NULL; verb++) {
        if (!(*verb)->hidden) {
            json_array_append_new(list, verb_json(*verb));
        }
    }
    for (const struct help_exit *row = help_exits; row->meaning != NULL; row++) {
        char code[12];
        snprintf(code, sizeof code, "%d", row->code);
        json_object_set_new(exits, code, json_string(row->meaning));
    }
    json_object_set_new(all, "verbs", list);
    json_object_set_new(all, "options", options_json(global_options));
    json_object_set_new(all, "exit_codes", exits);
    return all;
}

void help_json(const struct verb *verb)
{
    json_t *json = verb == NULL ? all_json() : verb_json(verb);
    output_json(json);
    json_decref(json);
}
