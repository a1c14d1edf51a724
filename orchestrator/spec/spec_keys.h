/* Every key that a spec may have is one row here: it drives reading, the detection of unknown keys
   the JSON Schema and docs/spec.md. A new key is a row, a place in the draft, a line where it is rendered,
   and its paragraph. */
#ifndef ORCHESTRATOR_SPEC_SPEC_KEYS_H
#define ORCHESTRATOR_SPEC_SPEC_KEYS_H

#include "orchestrator/spec/spec_tree.h"

enum spec_where {
    SPEC_WHERE_TOP,
    SPEC_WHERE_PARAM,
    SPEC_WHERE_TASK,
    SPEC_WHERE_RETRY,
    SPEC_WHERE_TIMEOUTS,
    SPEC_WHERE_NEED,
};

/* One bit each in draft.seen. */
enum spec_key_id {
    SPEC_KEY_NAME,
    SPEC_KEY_DESCRIPTION,
    SPEC_KEY_PRIORITY,
    SPEC_KEY_PARAMS,
    SPEC_KEY_DEFAULTS,
    SPEC_KEY_LIMITS,
    SPEC_KEY_DEADLINE,
    SPEC_KEY_FAIL_FAST,
    SPEC_KEY_HOLD_ON_FAILURE,
    SPEC_KEY_TASKS,
    SPEC_KEY_PARAM_TYPE,
    SPEC_KEY_PARAM_DEFAULT,
    SPEC_KEY_PARAM_REQUIRED,
    SPEC_KEY_PARAM_DESCRIPTION,
    SPEC_KEY_RUN,
    SPEC_KEY_SHELL,
    SPEC_KEY_NOOP,
    SPEC_KEY_SLEEP,
    SPEC_KEY_NEEDS,
    SPEC_KEY_JOIN,
    SPEC_KEY_EACH,
    SPEC_KEY_GROUP,
    SPEC_KEY_HOLD,
    SPEC_KEY_FINALLY,
    SPEC_KEY_ALLOW_FAILURE,
    SPEC_KEY_ENV,
    SPEC_KEY_STDIN,
    SPEC_KEY_CWD,
    SPEC_KEY_SELECTOR,
    SPEC_KEY_DEVICE,
    SPEC_KEY_SAME_DEVICE,
    SPEC_KEY_OTHER_DEVICE,
    SPEC_KEY_TOOLS,
    SPEC_KEY_RESOURCES,
    SPEC_KEY_TASK_LIMITS,
    SPEC_KEY_STRATEGY,
    SPEC_KEY_TASK_PRIORITY,
    SPEC_KEY_EFFECT,
    SPEC_KEY_RETRY,
    SPEC_KEY_TIMEOUT,
    SPEC_KEY_TIMEOUTS,
    SPEC_KEY_KILL_GRACE,
    SPEC_KEY_ON_DISCONNECT,
    SPEC_KEY_OUTPUT,
    SPEC_KEY_MAX_OUTPUT,
    SPEC_KEY_TASK_HOLD_ON_FAILURE,
    SPEC_KEY_TASK_DESCRIPTION,
    SPEC_KEY_RETRY_MAX_ATTEMPTS,
    SPEC_KEY_RETRY_BACKOFF,
    SPEC_KEY_RETRY_FACTOR,
    SPEC_KEY_RETRY_MAX_BACKOFF,
    SPEC_KEY_RETRY_MAX_LOST,
    SPEC_KEY_RETRY_ON,
    SPEC_KEY_TIMEOUTS_QUEUE,
    SPEC_KEY_TIMEOUTS_START,
    SPEC_KEY_TIMEOUTS_RUN,
    SPEC_KEY_TIMEOUTS_SILENCE,
    SPEC_KEY_NEED_TASK,
    SPEC_KEY_NEED_WHEN,
    SPEC_KEY_NEED_IF,
    SPEC_KEY_COUNT,
};

struct spec_reader;
struct spec_draft;
struct spec_key;

/* `key` is the key's node in its map, the value stands behind it; `path` is the value's. */
typedef void spec_read(struct spec_reader *reader, struct spec_draft *draft,
                       const struct spec_key *row, const struct spec_node *key,
                       const struct spec_path *path);

struct spec_key {
    enum spec_key_id id;
    enum spec_where where;
    const char *name;
    const char *type; /* for a person: "text", "duration", … */
    spec_read *read;
    size_t offset; /* the place in struct spec_draft that a general reader writes */
    int64_t min;   /* of a number, or of the bytes of a text */
    int64_t max;
    const char *help;
};

const struct spec_key *spec_keys(size_t *ret_count);
/* NULL: no such key there. */
const struct spec_key *spec_key_find(enum spec_where where, struct str name);
/* The names known there, comma separated, in the arena. */
const char *spec_key_names(enum spec_where where, struct arena *arena);

#endif
