/* What takes an edit back, as operations of the same language: the inverse of a revision. Removals and
   additions of tasks come into effect before all else in a batch, so that their order does not matter. */
#include "orchestrator/api/edit_build.h"
#include "orchestrator/spec/edit_json.h"
#include "orchestrator/spec/spec_json.h"

static void begin(struct buf *json, const char *op)
{
    buf_append_text(json, json->length > 1 ? "," : "");
    buf_printf(json, "{\"op\":\"%s\"", op);
}

static void text(struct buf *json, const char *key, struct str value)
{
    buf_printf(json, ",\"%s\":", key);
    spec_json_text(json, value);
}

static void raw(struct buf *json, const char *key, struct str value)
{
    buf_printf(json, ",\"%s\":%.*s", key, STR_ARG(value));
}

static void dependency(struct buf *json, const char *op, struct str from, struct str to,
                       enum edge_when when)
{
    begin(json, op);
    text(json, "from", from);
    text(json, "to", to);
    text(json, "when", str_of(edge_when_name(when)));
}

static bool has_conditions(const struct edit_draft *draft)
{
    for (size_t i = 0; i < draft->known.needs_count; i++) {
        if (draft->known.needs[i].need.condition.length > 0) {
            return true;
        }
    }
    for (size_t i = 0; i < draft->needs_count; i++) {
        if (draft->needs[i].need.condition.length > 0) {
            return true;
        }
    }
    return false;
}

/* Without conditions, a dependency is what it is by these two. */
static struct str name_of(const struct spec_need *need, struct arena *arena)
{
    struct buf text = { 0 };
    buf_printf(&text, "%s %.*s", edge_when_name(need->when), STR_ARG(need->task));
    struct str name = arena_str(arena, (struct str){ (const char *)text.data, text.length });
    buf_done(&text);
    return name;
}

/* Of these changes, what is after them as it was before, though perhaps as another dependency: neither
   end of it is told. */
struct stays {
    bool *before;
    bool *after;
};

static struct stays find_stays(const struct edit_need_change *changes, size_t count,
                               struct arena *arena)
{
    struct stays stays = { arena_array(arena, count, sizeof(bool)),
                           arena_array(arena, count, sizeof(bool)) };
    struct strmap afters = { 0 };
    for (size_t i = 0; i < count; i++) {
        if (changes[i].after != NULL) {
            strmap_put(&afters, name_of(&changes[i].after->need, arena), &stays.after[i]);
        }
    }
    for (size_t i = 0; i < count; i++) {
        bool *after = changes[i].before == NULL
                          ? NULL
                          : strmap_get(&afters, name_of(&changes[i].before->need, arena));
        if (after != NULL) {
            stays.before[i] = true;
            *after = true;
        }
    }
    strmap_done(&afters);
    return stays;
}

/* What goes makes room for what changes, and that for what comes: on the way no two are alike. */
static void invert_needs(struct edit_drafts *drafts, struct edit_draft *draft, struct buf *json)
{
    enum { GOES, CHANGES, COMES, STEPS };
    size_t count = 0;
    const struct edit_need_change *changes = edit_need_changes(drafts, draft, &count);
    const struct stays stays = find_stays(changes, count, drafts->arena);
    for (int step = GOES; step < STEPS; step++) {
        for (size_t i = 0; i < count; i++) {
            const struct edit_known_need *before = stays.before[i] ? NULL : changes[i].before;
            const struct edit_draft_need *after = stays.after[i] ? NULL : changes[i].after;
            if (step == GOES && before == NULL && after != NULL) {
                dependency(json, "remove_dependency", after->need.task, draft->key,
                           after->need.when);
            } else if (step == CHANGES && before != NULL && after != NULL) {
                dependency(json, "update_dependency", before->need.task, draft->key,
                           before->need.when);
                text(json, "old_when", str_of(edge_when_name(after->need.when)));
            } else if (step == COMES && before != NULL && after == NULL) {
                dependency(json, "add_dependency", before->need.task, draft->key,
                           before->need.when);
            } else {
                continue;
            }
            buf_append_text(json, "}");
        }
    }
}

static void invert_text(struct edit_drafts *drafts, struct edit_draft *draft, struct buf *json)
{
    if (!edit_draft_know_text(drafts, draft)) {
        return;
    }
    struct str before = edit_known_render(&draft->known, &drafts->top, &drafts->scratch);
    struct str after = edit_draft_render(drafts, draft);
    struct buf set = { 0 };
    edit_json_difference(after, before, &drafts->scratch, &set);
    arena_clear(&drafts->scratch);
    if (set.length > 2) { /* more than "{}" */
        begin(json, "update_task");
        text(json, "task", draft->key);
        raw(json, "set", (struct str){ (const char *)set.data, set.length });
        buf_append_text(json, "}");
    }
    buf_done(&set);
}

static struct plan_limit limit_at(const struct edit_top *top, size_t at)
{
    return at < top->limits_count ? top->limits[at] : (struct plan_limit){ .capacity = 0 };
}

/* One that was not there before is null. Each has its place; one that has gone leaves it without a name. */
static void invert_limits(const struct edit_top *before, const struct edit_top *after,
                          struct buf *json)
{
    size_t count = 0;
    for (size_t i = 0; i < PLAN_LIMITS_MAX; i++) {
        struct plan_limit was = limit_at(before, i);
        struct plan_limit is = limit_at(after, i);
        if (was.capacity == is.capacity) {
            continue; /* or both are none: a place is not given to another by the same edit */
        }
        buf_append_text(json, count++ == 0 ? ",\"limits\":{" : ",");
        spec_json_text(json, was.name.length > 0 ? was.name : is.name);
        if (was.name.length == 0) {
            buf_append_text(json, ":null");
        } else {
            buf_printf(json, ":%u", (unsigned)was.capacity);
        }
    }
    buf_append_text(json, count > 0 ? "}" : "");
}

/* Only what it changed: what others have set since stays. */
static void invert_set(const struct edit_drafts *drafts, struct buf *json)
{
    const struct edit_top *before = &drafts->top;
    const struct edit_top *after = &drafts->next;
    struct buf set = { 0 };
    if (before->fail_fast != after->fail_fast) {
        buf_printf(&set, ",\"fail_fast\":%s", before->fail_fast ? "true" : "false");
    }
    if (before->deadline_ms != after->deadline_ms) {
        buf_append_text(&set, ",\"deadline\":");
        if (before->deadline_ms == 0) {
            buf_append_text(&set, "null");
        } else {
            spec_json_duration(&set, before->deadline_ms);
        }
    }
    if (!str_equal(before->description, after->description)) {
        buf_append_text(&set, ",\"description\":");
        if (before->description.length == 0) {
            buf_append_text(&set, "null");
        } else {
            spec_json_text(&set, before->description);
        }
    }
    invert_limits(before, after, &set);
    if (set.length > 0) {
        begin(json, "set");
        buf_append(json, set.data, set.length);
        buf_append_text(json, "}");
    }
    buf_done(&set);
}

void edit_invert(struct edit_drafts *drafts, struct buf *json)
{
    buf_append_text(json, "[");
    if (drafts->is_set) {
        invert_set(drafts, json);
    }
    for (size_t i = 0; i < drafts->count; i++) {
        struct edit_draft *draft = drafts->list[i];
        if (draft->is_added) {
            if (!draft->is_removed) {
                begin(json, "remove_task");
                text(json, "task", draft->key);
                buf_append_text(json, "}");
            }
        } else if (draft->is_removed) {
            if (!edit_draft_know_text(drafts, draft)) {
                return;
            }
            begin(json, "add_task");
            text(json, "task", draft->key);
            raw(json, "spec", edit_known_render(&draft->known, &drafts->top, &drafts->scratch));
            arena_clear(&drafts->scratch);
            buf_append_text(json, "}");
        } else if (draft->is_rewritten || draft->has_one || has_conditions(draft)) {
            invert_text(drafts, draft, json);
        } else {
            invert_needs(drafts, draft, json);
        }
    }
    buf_append_text(json, "]");
}
