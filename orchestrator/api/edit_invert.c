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

static void invert_needs(struct edit_drafts *drafts, struct edit_draft *draft, struct buf *json)
{
    size_t count = 0;
    const struct edit_need_change *changes = edit_need_changes(drafts, draft, &count);
    for (size_t i = 0; i < count; i++) {
        const struct edit_known_need *before = changes[i].before;
        const struct edit_draft_need *after = changes[i].after;
        if (before == NULL) {
            dependency(json, "remove_dependency", after->need.task, draft->key, after->need.when);
        } else if (after == NULL) {
            dependency(json, "add_dependency", before->need.task, draft->key, before->need.when);
        } else {
            dependency(json, "update_dependency", before->need.task, draft->key, before->need.when);
            text(json, "old_when", str_of(edge_when_name(after->need.when)));
        }
        buf_append_text(json, "}");
    }
}

static void invert_text(struct edit_drafts *drafts, struct edit_draft *draft, struct buf *json)
{
    struct str before = edit_known_render(&draft->known, &drafts->top, drafts->arena);
    struct str after = edit_draft_render(drafts, draft);
    struct buf set = { 0 };
    edit_json_difference(after, before, drafts->arena, &set);
    if (set.length > 2) { /* more than "{}" */
        begin(json, "update_task");
        text(json, "task", draft->key);
        raw(json, "set", (struct str){ (const char *)set.data, set.length });
        buf_append_text(json, "}");
    }
    buf_done(&set);
}

static void invert_set(const struct edit_drafts *drafts, struct buf *json)
{
    const struct edit_top *top = &drafts->top;
    begin(json, "set");
    buf_printf(json, ",\"fail_fast\":%s,\"deadline\":", top->fail_fast ? "true" : "false");
    if (top->deadline_ms == 0) {
        buf_append_text(json, "null");
    } else {
        spec_json_duration(json, top->deadline_ms);
    }
    if (!str_equal(top->description, drafts->next.description)) {
        buf_append_text(json, ",\"description\":");
        if (top->description.length == 0) {
            buf_append_text(json, "null");
        } else {
            spec_json_text(json, top->description);
        }
    }
    for (size_t i = 0; i < top->limits_count; i++) { /* one that was added stays */
        buf_append_text(json, i == 0 ? ",\"limits\":{" : ",");
        spec_json_text(json, top->limits[i].name);
        buf_printf(json, ":%u", (unsigned)top->limits[i].capacity);
        buf_append_text(json, i + 1 == top->limits_count ? "}" : "");
    }
    buf_append_text(json, "}");
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
            begin(json, "add_task");
            text(json, "task", draft->key);
            raw(json, "spec", edit_known_render(&draft->known, &drafts->top, drafts->arena));
            buf_append_text(json, "}");
        } else if (draft->is_rewritten || draft->has_one || has_conditions(draft)) {
            invert_text(drafts, draft, json);
        } else {
            invert_needs(drafts, draft, json);
        }
    }
    buf_append_text(json, "]");
}
