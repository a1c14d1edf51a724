#include "orchestrator/spec/spec_tree.h"

#include <string.h>

#include "common/base/check.h"

/* Blocks begin small, since the text may be that of one task among 100,000 of an edit. */
enum {
    NODES_FIRST = 32,
    NODES_A_BLOCK = 1024,
    TEXT_FIRST = 1024,
    TEXT_A_BLOCK = 32 * 1024,
};

struct spec_node *spec_tree_node(struct spec_tree *tree, enum spec_kind kind,
                                 struct spec_place place)
{
    tree->containers_count += kind == SPEC_LIST || kind == SPEC_MAP;
    if (tree->nodes_count == SPEC_NODES_MAX || tree->containers_count > SPEC_CONTAINERS_MAX) {
        return NULL;
    }
    if (tree->nodes_left == 0) {
        tree->nodes_left = tree->nodes_count == 0                  ? NODES_FIRST
                           : tree->nodes_count < NODES_A_BLOCK / 2 ? tree->nodes_count
                                                                   : NODES_A_BLOCK;
        tree->nodes = arena_array(tree->arena, tree->nodes_left, sizeof *tree->nodes);
    }
    tree->nodes_left--;
    tree->nodes_count++;
    struct spec_node *node = tree->nodes++;
    node->kind = kind;
    node->is_filled = false;
    node->line = place.line;
    node->column = place.column;
    return node;
}

void spec_tree_set_text(struct spec_tree *tree, struct spec_node *node, struct str text)
{
    CHECK(text.length <= SPEC_BYTES_MAX);
    node->length = (uint32_t)text.length;
    if (text.length >= TEXT_A_BLOCK / 8) {
        node->text = arena_copy(tree->arena, text.data, text.length);
        return;
    }
    /* Short texts side by side: the arena's alignment would double most of them. */
    if (tree->text_left < text.length + 1) {
        tree->text_block = tree->text_block == 0                 ? TEXT_FIRST
                           : tree->text_block < TEXT_A_BLOCK / 2 ? tree->text_block * 2
                                                                 : TEXT_A_BLOCK;
        tree->text_left = tree->text_block > text.length ? tree->text_block : (size_t)TEXT_A_BLOCK;
        tree->text = arena_alloc(tree->arena, tree->text_left);
    }
    if (text.length > 0) {
        memcpy(tree->text, text.data, text.length);
    }
    node->text = tree->text;
    tree->text += text.length + 1;
    tree->text_left -= text.length + 1;
}

struct str spec_node_text(const struct spec_node *node)
{
    CHECK(node->kind != SPEC_LIST && node->kind != SPEC_MAP);
    return (struct str){ node->text, node->length };
}

struct spec_place spec_node_place(const struct spec_node *node)
{
    return (struct spec_place){ node->line, node->line > 0 ? node->column : 0 };
}

const char *spec_kind_name(enum spec_kind kind)
{
    switch (kind) {
    case SPEC_NULL:
        return "empty";
    case SPEC_BOOL:
        return "true or false";
    case SPEC_NUMBER:
        return "a number";
    case SPEC_TEXT:
        return "text";
    case SPEC_LIST:
        return "a list";
    case SPEC_MAP:
        return "a mapping";
    case SPEC_BAD:
        break;
    }
    return "unreadable";
}
