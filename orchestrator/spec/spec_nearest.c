#include "orchestrator/spec/spec_nearest.h"

#include <stdio.h>

void spec_nearest_init(struct spec_nearest *nearest, struct str wanted)
{
    /* A short word is a slip away from anything. */
    unsigned distance_max = wanted.length <= 3 ? 1 : wanted.length <= 6 ? 2 : 3;
    *nearest = (struct spec_nearest){ .wanted = wanted, .distance_max = distance_max };
}

void spec_nearest_offer(struct spec_nearest *nearest, struct str known)
{
    size_t longer = known.length > nearest->wanted.length ? known.length : nearest->wanted.length;
    size_t shorter = known.length + nearest->wanted.length - longer;
    if (longer - shorter > nearest->distance_max || nearest->distance_max == 0) {
        return;
    }
    unsigned distance = str_distance(nearest->wanted, known, nearest->distance_max);
    if (distance <= nearest->distance_max) {
        nearest->best = known;
        nearest->distance_max = distance - (distance > 0); /* from here on only nearer ones */
    }
}

const char *spec_nearest_hint(const struct spec_nearest *nearest, char hint[SPEC_HINT_BYTES_MAX])
{
    hint[0] = 0;
    if (nearest->best.length > 0) {
        snprintf(hint, SPEC_HINT_BYTES_MAX, ": did you mean \"%.*s\"?", STR_ARG(nearest->best));
    }
    return hint;
}
