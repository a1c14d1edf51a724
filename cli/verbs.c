/* The table of verbs, and the options that all have. */
#include <string.h>

#include "cli/cli.h"
#include "common/base/str.h"

extern const struct verb verb_run, verb_submit, verb_list, verb_show, verb_watch, verb_wait,
    verb_logs, verb_graph, verb_cancel, verb_delete, verb_pause, verb_resume, verb_hold, verb_holds,
    verb_release, verb_approve, verb_deny, verb_retry, verb_rerun, verb_resolve, verb_explain,
    verb_attention, verb_plan, verb_devices, verb_drain, verb_undrain, verb_token, verb_completion,
    verb_version, verb_help, verb_words, verb_edit, verb_history, verb_diff, verb_undo, verb_redo,
    verb_export, verb_import, verb_schema;

const struct verb *const verbs[] = {
    &verb_run,        &verb_submit,    &verb_list,  &verb_show,    &verb_watch,
    &verb_wait,       &verb_logs,      &verb_graph, &verb_cancel,  &verb_delete,
    &verb_pause,      &verb_resume,    &verb_hold,  &verb_holds,   &verb_release,
    &verb_approve,    &verb_deny,      &verb_retry, &verb_rerun,   &verb_resolve,
    &verb_explain,    &verb_attention, &verb_plan,  &verb_edit,    &verb_history,
    &verb_diff,       &verb_undo,      &verb_redo,  &verb_export,  &verb_import,
    &verb_schema,     &verb_devices,   &verb_drain, &verb_undrain, &verb_token,
    &verb_completion, &verb_version,   &verb_help,  &verb_words,   NULL,
};

const struct option global_options[] = {
    { .name = "url",
      .operand = "URL",
      .help = "http://HOST:PORT (or HOST:PORT), https://HOST:PORT or unix:PATH. Default: "
              "$ASTERISM_URL, else "
              "http://127.0.0.1:7350." },
    { .name = "token-file",
      .operand = "PATH",
      .help = "A file that holds the token. Default: $ASTERISM_TOKEN_FILE." },
    { .name = "ca-file",
      .operand = "PATH",
      .help = "Certificates to trust, in PEM. Default: $ASTERISM_CA_FILE, else the system's." },
    { .name = "output",
      .letter = 'o',
      .operand = "FORM",
      .help = "table, or json: one document.",
      .words = "table json" },
    { .name = "no-color", .help = "No colours; as NO_COLOR in the environment." },
    { .name = "help", .letter = 'h', .help = "The help of the verb." },
    { .name = NULL },
};

const struct verb *verb_find(const char *name)
{
    for (const struct verb *const *verb = verbs; *verb != NULL; verb++) {
        if (strcmp((*verb)->name, name) == 0) {
            return *verb;
        }
    }
    return NULL;
}

const char *verb_nearest(const char *name)
{
    enum { FAR = 3 };
    const char *best = NULL;
    unsigned best_distance = FAR;
    for (const struct verb *const *verb = verbs; *verb != NULL; verb++) {
        /* Two letters off, the first one has to be right: else logs would be guessed for bogus. */
        unsigned most = (*verb)->name[0] == name[0] ? 2 : 1;
        unsigned distance = str_distance(str_of((*verb)->name), str_of(name), FAR);
        if (!(*verb)->hidden && distance < best_distance && distance <= most &&
            distance < strlen((*verb)->name)) {
            best = (*verb)->name;
            best_distance = distance;
        }
    }
    return best;
}
