/* The neutral tree that YAML and JSON are both turned into, and that one walker reads. Lean, since a
   spec may have millions of nodes. Lives in the arena. */
#ifndef ORCHESTRATOR_SPEC_SPEC_TREE_H
#define ORCHESTRATOR_SPEC_SPEC_TREE_H

#include "common/base/arena.h"
#include "orchestrator/spec/spec_report.h"

enum {
    /* 64 MiB of "[],[],…" would be gigabytes in any tree. These leave room for a million tasks. */
    SPEC_NODES_MAX = 10 * 1000 * 1000,
    SPEC_CONTAINERS_MAX = 4 * 1000 * 1000,
};

enum spec_kind {
    SPEC_NULL,
    SPEC_BOOL,
    SPEC_NUMBER,
    SPEC_TEXT,
    SPEC_LIST,
    SPEC_MAP,
    SPEC_BAD, /* reported already: whoever reads it says nothing more */
};

struct spec_node {
    union {
        const char *text;        /* a scalar as it was written, with a NUL behind it */
        struct spec_node *first; /* of a list its items; of a map key, value, key, value, … */
    };
    struct spec_node *next;
    uint32_t length; /* bytes of the text, items of the list, pairs of the map */
    uint32_t line;   /* 0: not counted, and the column is the byte's offset in the text */
    uint32_t column;
    enum spec_kind kind : 8;
    bool is_filled : 1; /* from a placeholder: a number may stand where text is asked for */
};

struct spec_tree {
    struct arena *arena;
    struct spec_node *nodes; /* the next unused ones of a block */
    size_t nodes_left;
    size_t nodes_count;
    size_t containers_count;
    char *text;
    size_t text_left;
    size_t text_block; /* bytes of the last one */
};

/* NULL at one of the limits above. */
struct spec_node *spec_tree_node(struct spec_tree *tree, enum spec_kind kind,
                                 struct spec_place place);
/* Copies the text into the node. */
void spec_tree_set_text(struct spec_tree *tree, struct spec_node *node, struct str text);

struct str spec_node_text(const struct spec_node *node);
struct spec_place spec_node_place(const struct spec_node *node); /* 0, 0: not counted */
const char *spec_kind_name(enum spec_kind kind);                 /* "a list", … for a person */

/* The front ends. NULL: refused, and reported. There may be problems beside a tree too. */
struct spec_node *spec_tree_of_yaml(struct str text, struct spec_tree *tree,
                                    struct spec_report *report);
struct spec_node *spec_tree_of_json(struct str text, struct spec_tree *tree,
                                    struct spec_report *report);

#endif
