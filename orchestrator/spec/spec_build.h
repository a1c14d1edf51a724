/* Makes the neutral tree from events: what both front ends drive. Never deeper than SPEC_DEPTH_MAX. */
#ifndef ORCHESTRATOR_SPEC_SPEC_BUILD_H
#define ORCHESTRATOR_SPEC_SPEC_BUILD_H

#include "orchestrator/spec/spec_tree.h"

struct spec_level {
    struct spec_node *node; /* a list or a map that is not closed yet */
    struct spec_node *last;
    const struct spec_node *key; /* of a map: the one that was read last */
    bool has_key;                /* and its value comes next */
};

struct spec_build {
    struct str text;
    struct spec_tree *tree;
    struct spec_report *report;
    struct spec_node *root;
    struct spec_level levels[SPEC_DEPTH_MAX];
    size_t depth;
};

/* Places are as in a node: line 0 says that the column is the byte's offset. */

/* False: refused, and reported; there is no going on. A key in a map is a scalar of any kind, and
   becomes text. SPEC_BAD takes no text. */
bool spec_build_scalar(struct spec_build *build, enum spec_kind kind, struct spec_place place,
                       struct str text);
bool spec_build_open(struct spec_build *build, enum spec_kind kind, struct spec_place place);
/* A key that is twice in the map that ends here is reported. */
void spec_build_close(struct spec_build *build);

bool spec_build_wants_key(const struct spec_build *build);
/* A problem with what comes next. */
void spec_build_report(struct spec_build *build, const char *code, struct spec_place place,
                       const char *words);

#endif
