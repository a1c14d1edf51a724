/* From what a person writes (YAML 1.2 core schema or JSON) to a plan. A pure function: no file, no
   clock, so that a worker thread can run it. Every key is one row of the table in spec_keys.c.
   Floor 2. docs/spec.md says what each key means. */
#ifndef ORCHESTRATOR_SPEC_SPEC_H
#define ORCHESTRATOR_SPEC_SPEC_H

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/base/err.h"
#include "orchestrator/engine/plan.h"

enum {
    SPEC_BYTES_MAX = 64 * 1024 * 1024,
    SPEC_DEPTH_MAX = 32,
    SPEC_PROBLEMS_MAX = 20,
    /* What a task has that says nothing of it. */
    SPEC_KILL_GRACE_MS = 5000,
    SPEC_OUTPUT_BYTES_MAX = 16 * 1024 * 1024,
    SPEC_MAX_LOST = 3,
    SPEC_BACKOFF_MS = 1000,
    SPEC_MAX_BACKOFF_MS = 5 * 60 * 1000,
    SPEC_FACTOR_PERMILLE = 2000,
};

enum spec_format {
    SPEC_FORMAT_GUESS = 0, /* JSON if the first byte that is not white space is '{' or '[' */
    SPEC_FORMAT_YAML,
    SPEC_FORMAT_JSON,
};

/* What comes with the text of a submission. */
struct spec_param {
    struct str name;
    struct str text; /* as it was typed, or a JSON scalar */
    bool is_json;    /* else it is what the param's type makes of it */
};
struct spec_device {
    struct str name;
    const struct msg_pair *labels;
    size_t labels_count;
};
struct spec_inputs {
    const struct spec_param *params;
    size_t params_count;
    const struct spec_device *devices; /* over which `each: {device: SELECTOR}` goes */
    size_t devices_count;
};

/* One thing that is wrong, for a person and for a program. */
struct spec_problem {
    const char *code;   /* stable: "unknown_key", "wrong_type", "duplicate_key", "cycle", … */
    struct str path;    /* JSON pointer into the spec: "/tasks/scan/timeout"; "" the whole */
    unsigned line;      /* from 1; 0 where it is not known (JSON beyond syntax) */
    unsigned column;    /* from 1 */
    struct str detail;  /* a sentence */
    struct str allowed; /* what would be right, comma separated; or empty */
};

struct spec {
    struct plan plan;              /* bodies are empty: encode `bodies` into them */
    struct plan_task *tasks;       /* the plan's, still writable, for that */
    const struct msg_body *bodies; /* one a task; that of a gate, of executor 0, stays empty */
};

struct spec_problems {
    struct spec_problem list[SPEC_PROBLEMS_MAX];
    size_t count;
};

/* ERR_INVALID with at least one problem; nothing else fails. `spec` points into `arena`, `text` and
   `inputs` (NULL: none); the arena has no limit of its own: the caps on the text and on what `each`
   makes of it bound what it takes. Of placeholders only those of tasks are left in the plan. */
enum err spec_parse(struct str text, enum spec_format format, const struct spec_inputs *inputs,
                    struct arena *arena, struct spec *ret_spec, struct spec_problems *ret_problems);

/* The body alone as the keys a person would have written, a JSON object appended to `json`; a whole
   task is spec_render_task's. */
void spec_render_body(const struct msg_body *body, struct buf *json);

#endif
