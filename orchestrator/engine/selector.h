/* Label selectors in kubectl's grammar: requirements joined by commas, all of which must hold.
       os=linux   os==linux   role!=edge   role in (desktop, server)   role notin (edge)   gpu   !gpu
   As in Kubernetes, `!=` and `notin` also hold where the label is missing. */
#ifndef ORCHESTRATOR_ENGINE_SELECTOR_H
#define ORCHESTRATOR_ENGINE_SELECTOR_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"
#include "common/base/str.h"
#include "proto/msg/msg.h"

enum { SELECTOR_BYTES_MAX = 1024, SELECTOR_REQUIREMENTS_MAX = 32 };

struct selector;

/* Empty text selects every device. ERR_INVALID: *ret_at (if not NULL) is the byte where it went
   wrong and the reason says why. */
enum err selector_parse(struct str text, struct selector **ret_selector, size_t *ret_at,
                        struct reason *reason);
void selector_free(struct selector *selector);
bool selector_matches(const struct selector *selector, const struct msg_pair *labels, size_t count);
/* The first requirement that these labels do not meet, as it was written; empty if all are met. */
struct str selector_unmet(const struct selector *selector, const struct msg_pair *labels,
                          size_t count);

#endif
