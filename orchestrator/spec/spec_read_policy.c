/* The keys of a task that say how it is run: how it joins, what its failure means, when again. */
#include "orchestrator/spec/spec_read.h"

void spec_read_join(struct spec_reader *reader, struct spec_draft *draft,
                    const struct spec_key *row, const struct spec_node *key,
                    const struct spec_path *path)
{
    (void)row;
    static const char *const words[] = { "all", "any" };
    size_t choice = 0;
    if (spec_take_choice(reader, spec_value(key), path, words, 2, "all, any", &choice)) {
        draft->flags =
            (uint16_t)(choice == 0 ? draft->flags & ~TASK_JOIN_ANY : draft->flags | TASK_JOIN_ANY);
    }
}

static void read_bit(struct spec_reader *reader, struct spec_draft *draft, enum task_flag bit,
                     const struct spec_node *key, const struct spec_path *path)
{
    bool is_set = false;
    if (spec_take_flag(reader, spec_value(key), path, &is_set)) {
        unsigned flags = (unsigned)draft->flags & ~(unsigned)bit;
        draft->flags = (uint16_t)(is_set ? flags | (unsigned)bit : flags);
    }
}

void spec_read_finally(struct spec_reader *reader, struct spec_draft *draft,
                       const struct spec_key *row, const struct spec_node *key,
                       const struct spec_path *path)
{
    (void)row;
    read_bit(reader, draft, TASK_FINALLY, key, path);
}

void spec_read_allow_failure(struct spec_reader *reader, struct spec_draft *draft,
                             const struct spec_key *row, const struct spec_node *key,
                             const struct spec_path *path)
{
    (void)row;
    read_bit(reader, draft, TASK_ALLOW_FAILURE, key, path);
}

void spec_read_effect(struct spec_reader *reader, struct spec_draft *draft,
                      const struct spec_key *row, const struct spec_node *key,
                      const struct spec_path *path)
{
    (void)row;
    static const char *const words[] = {
        [TASK_IDEMPOTENT] = "idempotent", [TASK_PURE] = "pure", [TASK_ONCE] = "once"
    };
    size_t choice = 0;
    if (spec_take_choice(reader, spec_value(key), path, words, sizeof words / sizeof words[0],
                         "pure, idempotent, once", &choice)) {
        draft->effect = (enum task_effect)choice;
        draft->body.once = draft->effect == TASK_ONCE;
    }
}

static uint32_t take_end(struct spec_reader *reader, const struct spec_node *item,
                         const struct spec_path *path)
{
    static const char *const words[] = { "exit", "signal", "timeout", "start" };
    static const uint32_t bits[] = { RETRY_ON_EXIT, RETRY_ON_SIGNAL, RETRY_ON_TIMEOUT,
                                     RETRY_ON_START };
    size_t choice = 0;
    bool is_known = spec_take_choice(reader, item, path, words, sizeof words / sizeof words[0],
                                     "exit, signal, timeout, start", &choice);
    return is_known ? bits[choice] : 0;
}

void spec_read_retry_on(struct spec_reader *reader, struct spec_draft *draft,
                        const struct spec_key *row, const struct spec_node *key,
                        const struct spec_path *path)
{
    (void)row;
    const struct spec_node *node = spec_value(key);
    draft->retry_on = 0;
    if (node->kind != SPEC_LIST) {
        draft->retry_on = take_end(reader, node, path);
        return;
    }
    if (node->length == 0) {
        spec_report_add(&reader->report, "bad_value", spec_node_place(node), path, NULL,
                        "names no end: leave it out, or give max_attempts: 1");
    }
    size_t index = 0;
    for (const struct spec_node *item = node->first; item != NULL; item = item->next) {
        struct spec_path at = { .up = path, .index = index++ };
        draft->retry_on |= take_end(reader, item, &at);
    }
}
