/* The way into an output value: what follows `output` in a placeholder. */
#ifndef ORCHESTRATOR_SPEC_PLACEHOLDER_H
#define ORCHESTRATOR_SPEC_PLACEHOLDER_H

#include "common/base/str.h"

enum { PLACEHOLDER_STEPS_MAX = 16 };

/* Takes the first step off *path: a name (".rows", ".0") or an index ("[3]", only digits, *ret_bracketed).
   False at the end of the path, and for one that does not parse: *path is then not empty. */
bool placeholder_step(struct str *path, struct str *ret_step, bool *ret_bracketed);

#endif
