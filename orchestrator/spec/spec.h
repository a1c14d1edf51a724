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
};

enum spec_format {
    SPEC_FORMAT_GUESS = 0, /* JSON if the first byte that is not white space is '{' or '[' */
    SPEC_FORMAT_YAML,
    SPEC_FORMAT_JSON,
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
    const struct msg_body *bodies; /* one a task */
};

struct spec_problems {
    struct spec_problem list[SPEC_PROBLEMS_MAX];
    size_t count;
};

/* ERR_INVALID with at least one problem; nothing else fails. `spec` points into `arena` and `text`;
   the arena has no limit of its own: the caps on the text bound what it takes. */
enum err spec_parse(struct str text, enum spec_format format, struct arena *arena,
                    struct spec *ret_spec, struct spec_problems *ret_problems);

/* The body as the keys a person would have written, a JSON object appended to `json`. */
void spec_render_body(const struct msg_body *body, struct buf *json);

#endif
