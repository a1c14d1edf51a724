/* One operation of a batch, and the readers of values that the batch itself needs too. */
#ifndef ORCHESTRATOR_SPEC_EDIT_OPERATION_H
#define ORCHESTRATOR_SPEC_EDIT_OPERATION_H

#include "orchestrator/spec/edit_batch.h"
#include "orchestrator/spec/spec_tree.h"

struct edit_reader {
    uint32_t operations_max;
    struct arena *arena;
    struct str source;
    struct edit_faults *faults;
    enum edit_part part; /* what is being read */
    uint32_t index;
    size_t faults_before; /* of it */
};

void edit_reader_at(struct edit_reader *reader, enum edit_part part, uint32_t index);

/* `place` is the rest of the path within what is being read: "spec", "author/kind", or "". */
void edit_refuse(struct edit_reader *reader, const struct spec_node *node, const char *place,
                 const char *code, const char *allowed, const char *format, ...)
    __attribute__((format(printf, 6, 7)));
void edit_wrong_type(struct edit_reader *reader, const struct spec_node *node, const char *place,
                     const char *expected);
void edit_unknown_key(struct edit_reader *reader, const struct spec_node *name, const char *place,
                      const char *allowed);
bool edit_take_text(struct edit_reader *reader, const struct spec_node *node, const char *place,
                    size_t bytes_max, struct str *ret_text);
bool edit_take_integer(struct edit_reader *reader, const struct spec_node *node, const char *place,
                       int64_t min, int64_t max, int64_t *ret_value);
bool edit_take_choice(struct edit_reader *reader, const struct spec_node *node, const char *place,
                      const char *const *words, size_t count, const char *allowed,
                      size_t *ret_choice);

void edit_operation_read(struct edit_reader *reader, const struct spec_node *node,
                         struct batch_operation *operation);

#endif
