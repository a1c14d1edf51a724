/* What the parts of the import of a UFO³ file share: see import_ufo.h. */
#ifndef ORCHESTRATOR_SPEC_IMPORT_UFO_PARTS_H
#define ORCHESTRATOR_SPEC_IMPORT_UFO_PARTS_H

#include <jansson.h>

#include "common/base/map.h"
#include "orchestrator/spec/import_ufo.h"

struct import {
    struct arena *arena;
    struct import_notes *notes;
    json_t *tasks;        /* ours, by key */
    struct strmap keys;   /* theirs to ours: const char * */
    struct strmap used;   /* keys of ours */
    struct strmap joined; /* "FROM/TO" and "FROM/TO/WHEN", keys of ours: what a line joins */
    bool has_line_ids;
};

/* `what` is a key of what stands at `where`, or "". */
void import_note(struct import *import, const char *where, const char *what, const char *words);

/* Nothing is lost with it: not there, null, false, empty. */
bool import_is_nothing(const json_t *value);
/* "": there is no text. */
const char *import_text_at(const json_t *object, const char *key);
/* "TaskPriority.HIGH", "high" and "HIGH" are the same but for their case. */
const char *import_enum_at(const json_t *object, const char *key);
/* Notes what stands in `from` beside the keys that are known, which a NULL ends. */
void import_take_rest(struct import *import, json_t *from, const char *where,
                      const char *const *known);

/* A dependency, when all tasks have their keys. */
void import_take_line(struct import *import, json_t *line, const char *id, const char *where);
/* A task's own lists repeat the lines: notes what they alone say, when all lines have been taken. */
void import_compare_lists(struct import *import, json_t *task, const char *id, const char *where);

#endif
