/* See edit_fault.h. */
#include "orchestrator/spec/edit_fault.h"

#include <stdarg.h>
#include <stdio.h>

#include "common/base/err.h"
#include "orchestrator/spec/spec_text.h"

struct edit_fault *edit_fault_add(struct edit_faults *faults, const struct edit_fault *fault,
                                  const char *format, ...)
{
    if (faults->count == EDIT_PROBLEMS_MAX) {
        faults->more = true;
        return NULL;
    }
    if (faults->list == NULL) {
        faults->list = arena_array(faults->arena, EDIT_PROBLEMS_MAX, sizeof(*faults->list));
    }
    char text[REASON_BYTES_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    struct edit_fault *added = &faults->list[faults->count++];
    *added = *fault;
    /* Where it was cut, half a character may be left. */
    struct str whole = str_of(text);
    added->detail = arena_str(faults->arena, spec_text_cut(whole, sizeof(text) - 8));
    return added;
}

static bool is_before(const struct edit_fault *a, const struct edit_fault *b)
{
    return a->part != b->part ? a->part < b->part : a->index < b->index;
}

/* They are few, and most of them stand in order already. */
void edit_faults_sort(struct edit_faults *faults)
{
    for (size_t i = 1; i < faults->count; i++) {
        struct edit_fault moved = faults->list[i];
        size_t at = i;
        while (at > 0 && is_before(&moved, &faults->list[at - 1])) {
            faults->list[at] = faults->list[at - 1];
            at--;
        }
        faults->list[at] = moved;
    }
}
