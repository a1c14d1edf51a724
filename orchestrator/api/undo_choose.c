/* Which revision an undo or a redo takes back that names none. There may be very many that it passes over,
   so it looks at some a turn, before the constellation is loaded for it, and begins anew when another edit
   has come meanwhile. */
#include "orchestrator/api/api_inner.h"
#include "orchestrator/api/edits.h"
#include "orchestrator/store/query_revision.h"

enum { PAGE = 200, LOOKS_A_TURN = 500 }; /* the latter of all changes together */

uint32_t undo_taken_back(const struct revision_record *revision, const char *words)
{
    struct str prefix = str_of(words);
    if (!str_starts_with(revision->reason, prefix)) {
        return 0;
    }
    struct str rest = { revision->reason.data + prefix.length,
                        revision->reason.length - prefix.length };
    size_t digits = 0;
    while (digits < rest.length && rest.data[digits] >= '0' && rest.data[digits] <= '9') {
        digits++;
    }
    uint64_t number = 0;
    return str_to_uint64((struct str){ rest.data, digits }, UINT32_MAX, &number) ? (uint32_t)number
                                                                                 : 0;
}

enum step { STEP_PASS, STEP_TAKE, STEP_END };

/* What becomes of a revision on the way back; `passed` are those that have been taken back since. What was
   taken back takes nothing back itself: what it had undone or redone is as it was before it. */
static enum step step_of(const struct revision_record *revision, bool is_redo, struct map *passed)
{
    uint32_t undone = undo_taken_back(revision, UNDO_WORDS);
    uint32_t redone = undo_taken_back(revision, REDO_WORDS);
    if (map_get(passed, revision->number) != NULL) {
        map_remove(passed, revision->number);
        return STEP_PASS;
    }
    if (undone != 0 || redone != 0) {
        map_put(passed, undone != 0 ? undone : redone, passed);
    }
    if ((undone != 0) == is_redo) {
        return STEP_TAKE;
    }
    /* Something new has been done since: nothing before it is redone. */
    return undone == 0 && redone == 0 ? STEP_END : STEP_PASS;
}

static enum err look_at(struct store *store, const struct job *job,
                        const struct revision_record *revision, struct reason *reason)
{
    struct edit_job *edit = job->data;
    struct undo_walk *walk = &edit->walk;
    enum step step = step_of(revision, edit->is_redo, &walk->passed);
    if (step == STEP_PASS) {
        return ERR_NONE;
    }
    bool is_empty = false; /* then there is nothing to take back of it */
    enum err err =
        query_revision_is_empty(store, job->constellation_id, revision->number, &is_empty, reason);
    if (err == ERR_NONE && !is_empty) {
        walk->is_over = true;
        edit->undone = step == STEP_TAKE ? revision->number : 0;
    }
    return err;
}

/* The next of them, as many as there are looks. */
static enum err look_at_page(struct api *api, const struct job *job, size_t looks,
                             struct reason *reason)
{
    struct edit_job *edit = job->data;
    struct undo_walk *walk = &edit->walk;
    struct arena arena = { 0 };
    const struct query_revision_list wanted = { .first = 1,
                                                .last = walk->next,
                                                .limit = looks < PAGE ? looks : PAGE };
    struct query_revisions page = { .count = 0 };
    enum err err = query_revision_list(api->config.store, job->constellation_id, &wanted, &arena,
                                       &page, reason);
    for (size_t i = 0; err == ERR_NONE && i < page.count && !walk->is_over; i++) {
        err = look_at(api->config.store, job, &page.list[i], reason);
        api->jobs.looked_up++;
    }
    walk->next = page.next;
    walk->is_over = walk->is_over || page.next == 0;
    arena_done(&arena);
    return err;
}

static enum err find_newest(struct api *api, const struct job *job, uint32_t *ret_number,
                            struct reason *reason)
{
    struct arena arena = { 0 };
    const struct query_revision_list wanted = { .first = 1, .last = UINT32_MAX, .limit = 1 };
    struct query_revisions newest = { .count = 0 };
    enum err err = query_revision_list(api->config.store, job->constellation_id, &wanted, &arena,
                                       &newest, reason);
    *ret_number = newest.count == 0 ? 0 : newest.list[0].number;
    arena_done(&arena);
    return err;
}

void undo_walk_done(struct undo_walk *walk)
{
    map_done(&walk->passed);
    *walk = (struct undo_walk){ .next = UINT32_MAX };
}

enum err undo_choose(struct api *api, struct job *job, bool *ret_chosen, struct reason *reason)
{
    struct edit_job *edit = job->data;
    struct undo_walk *walk = &edit->walk;
    uint32_t newest = 0;
    enum err err = find_newest(api, job, &newest, reason);
    if (err == ERR_NONE && (!walk->is_begun || edit->last_of != newest)) {
        undo_walk_done(walk);
        walk->is_begun = true;
        edit->last_of = newest;
        edit->undone = 0;
    }
    while (err == ERR_NONE && !walk->is_over && api->jobs.looked_up < LOOKS_A_TURN) {
        err = look_at_page(api, job, LOOKS_A_TURN - api->jobs.looked_up, reason);
    }
    *ret_chosen = err == ERR_NONE && walk->is_over;
    if (err == ERR_NONE && !walk->is_over) {
        job_queue(api, job);
    }
    return err;
}
