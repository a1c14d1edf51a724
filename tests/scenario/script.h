/* What the files of the runner share: a script as it is read, line by line. Private to this folder. */
#ifndef TESTS_SCENARIO_SCRIPT_H
#define TESTS_SCENARIO_SCRIPT_H

#include <stdio.h>

#include "tests/scenario/world.h"

enum { WORDS_MAX = 24 };

struct script {
    struct world world;
    FILE *file;
    const char *path;
    int line;
    char text[1024];
    char *words[WORDS_MAX];
    size_t words_count;
    struct buf expected;
    struct buf *complaint;
    bool print;      /* write the script with the trace that came, instead of comparing */
    struct buf echo; /* lines read and not yet printed */
};

/* The value of the word KEY=…, or NULL. */
const char *script_option(const struct script *script, const char *key);
int64_t script_number(const struct script *script, const char *key, int64_t otherwise);
bool script_flag(const struct script *script, const char *word);
bool script_complain(struct script *script, const char *what); /* false */
struct str script_keep(struct script *script, const char *text);
/* The next line: its words, or one more line of the trace expected. False at the end. */
bool script_words(struct script *script);
/* A turn with this event (NULL: none), and those that follow at once. */
bool script_turns(struct script *script, const struct event *event);

void script_flush(struct script *script); /* what was read goes out, if it is printed */
/* NAME:AMOUNT, in the world's arena. */
struct plan_resource *script_resource(struct script *script, const char *text);
/* A task from the words of its line, but for what it needs and shares with others. */
void script_task(struct script *script, struct plan_task *task, struct plan_class *class,
                 struct plan_policy *policy);
/* KEY[:KIND][!][?CONDITION]; ! is required, as by a reference. Leaves the key in `text`. */
struct plan_edge script_need(struct script *script, char *text);
int64_t script_plan_id(const struct script *script); /* of the plan that the first word names; 0 */

/* Commands, by the file that has them. False: the complaint says why. */
typedef bool script_command(struct script *script);
/* script_plan.c */
script_command command_plan;
/* script_edit.c */
script_command command_edit;
/* script_agent.c */
script_command command_hello;
script_command command_started;
script_command command_output;
script_command command_finished;
script_command command_simple_message;
script_command command_close;
/* script_people.c */
script_command command_cancel;
script_command command_hold;
script_command command_release;
script_command command_reopen;
script_command command_wait;
script_command command_state;
script_command command_waits;
script_command command_resolve;
script_command command_drain;
script_command command_status;

#endif
