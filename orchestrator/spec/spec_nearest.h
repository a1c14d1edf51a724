/* "did you mean": the known word that is nearest to one that is not known. */
#ifndef ORCHESTRATOR_SPEC_SPEC_NEAREST_H
#define ORCHESTRATOR_SPEC_SPEC_NEAREST_H

#include "common/base/str.h"

struct spec_nearest {
    struct str wanted;
    struct str best; /* empty: none is near enough */
    unsigned distance_max;
};

void spec_nearest_init(struct spec_nearest *nearest, struct str wanted);
void spec_nearest_offer(struct spec_nearest *nearest, struct str known);

enum { SPEC_HINT_BYTES_MAX = 192 };
/* ": did you mean "x"?", or nothing. */
const char *spec_nearest_hint(const struct spec_nearest *nearest, char hint[SPEC_HINT_BYTES_MAX]);

#endif
