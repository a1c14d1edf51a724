/* What an undo sets back of the constellation itself must still be as the revision had set it: tasks know
   which revision has touched them last, and these few values do not. */
#include "orchestrator/api/edits.h"

/* NULL: it is not among them. */
static const struct plan_limit *find_limit(const struct plan_limit *limits, size_t count,
                                           struct str name)
{
    for (size_t i = 0; i < count; i++) {
        if (str_equal(limits[i].name, name)) {
            return &limits[i];
        }
    }
    return NULL;
}

/* Whether `inverse` sets back what the operation has set, and it is not so any more: its name, or NULL. */
static const char *changed_of(const struct batch_operation *done,
                              const struct batch_operation *inverse, const struct edit_top *top)
{
    if (done->fail_fast_given != BATCH_ABSENT && inverse->fail_fast_given != BATCH_ABSENT &&
        done->fail_fast != top->fail_fast) {
        return "fail_fast";
    }
    if (done->deadline_given != BATCH_ABSENT && inverse->deadline_given != BATCH_ABSENT &&
        done->deadline_ms != top->deadline_ms) {
        return "deadline";
    }
    if (done->description_given != BATCH_ABSENT && inverse->description_given != BATCH_ABSENT &&
        !str_equal(done->description, top->description)) {
        return "description";
    }
    for (size_t i = 0; i < inverse->limits_count; i++) {
        struct str name = inverse->limits[i].name;
        const struct plan_limit *set = find_limit(done->limits, done->limits_count, name);
        const struct plan_limit *now = find_limit(top->limits, top->limits_count, name);
        uint32_t capacity = now == NULL ? 0 : now->capacity; /* 0: null */
        if (set != NULL && set->capacity != capacity) {
            return "limits";
        }
    }
    return NULL;
}

void undo_check_set(const struct batch *done, const struct batch *inverse,
                    const struct edit_top *top, uint32_t revision, struct edit_faults *faults)
{
    for (size_t i = 0; i < inverse->operations_count; i++) {
        const struct batch_operation *back = &inverse->operations[i];
        /* Of several the last counts. An inverse has one at the most. */
        for (size_t k = done->operations_count; back->kind == BATCH_SET && k > 0; k--) {
            const struct batch_operation *operation = &done->operations[k - 1];
            if (operation->kind != BATCH_SET) {
                continue;
            }
            const char *changed = changed_of(operation, back, top);
            if (changed != NULL) {
                const struct edit_fault fault = { .code = "edit_conflict" };
                edit_fault_add(faults, &fault, "%s has been set again since revision %u", changed,
                               (unsigned)revision);
            }
            break;
        }
    }
}
