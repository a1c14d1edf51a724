/* Trees of JSON written back as text, and objects changed key by key: numbers keep the text that they
   were written with. */
#ifndef ORCHESTRATOR_SPEC_EDIT_JSON_H
#define ORCHESTRATOR_SPEC_EDIT_JSON_H

#include "common/base/buf.h"
#include "orchestrator/spec/spec_tree.h"

/* Appends the keys of a task, or a list of operations, as JSON on one line: what a spec would take as the
   text that it was written with (`run: [sleep, 007]`, `task: 7`) is text. */
void edit_json_task(struct buf *json, const struct spec_node *node);
void edit_json_operations(struct buf *json, const struct spec_node *node);

/* The value of a key of a map, or NULL. */
const struct spec_node *edit_json_get(const struct spec_node *map, struct str key);

/* NULL: it is no JSON object. For texts of our own, and for those that have been read before. */
const struct spec_node *edit_json_parse(struct str text, struct arena *arena);

/* Both are JSON objects. Appends `object` with the keys of `set` replaced or added, and without those
   that `set` gives as null. A key that says what a task runs takes the place of any other such key,
   `timeouts.run` that of `timeout`. */
void edit_json_merge(struct str object, struct str set, struct arena *arena, struct buf *json);

/* What edit_json_merge() would have to set to make `before` of `after`: "{}" if they are the same. */
void edit_json_difference(struct str after, struct str before, struct arena *arena,
                          struct buf *json);

#endif
