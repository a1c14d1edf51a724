/* A UFO³ TaskConstellation, as its JSON files have it, to a spec of ours. A pure function. */
#ifndef ORCHESTRATOR_SPEC_IMPORT_UFO_H
#define ORCHESTRATOR_SPEC_IMPORT_UFO_H

#include "orchestrator/spec/spec.h"

enum { IMPORT_NOTES_MAX = 200 };

/* What could not be carried over, or was changed on the way. */
struct import_note {
    struct str path; /* JSON pointer into the file */
    struct str words;
};
struct import_notes {
    struct import_note list[IMPORT_NOTES_MAX];
    size_t count;
    size_t dropped; /* there were so many more */
};

/* ERR_INVALID with the reason: it is none, or none that makes a plan. Appends the spec as JSON; texts
   of notes are in `arena`. What the spec says has not been checked: spec_parse() does that. */
enum err import_ufo(struct str text, struct arena *arena, struct buf *json,
                    struct import_notes *ret_notes, struct reason *reason);

#endif
