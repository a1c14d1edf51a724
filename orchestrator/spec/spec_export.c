/* A whole constellation as a spec: its top, and each task as spec_render.c has it. */
#include <inttypes.h>

#include "orchestrator/spec/spec_json.h"
#include "orchestrator/spec/spec_task.h"

static void add_limits(const struct spec_top_view *top, struct buf *json)
{
    buf_append_text(json, ",\"limits\":{");
    for (size_t i = 0; i < top->limits_count; i++) {
        buf_append_text(json, i > 0 ? "," : "");
        spec_json_text(json, top->limits[i].name);
        buf_printf(json, ":%" PRIu32, top->limits[i].capacity);
    }
    buf_append_text(json, "}");
}

void spec_export_begin(struct spec_export *export, const struct spec_top_view *top,
                       struct buf *json)
{
    buf_append_text(json, "{\"name\":");
    spec_json_text(json, top->name);
    if (top->description.length > 0) {
        buf_append_text(json, ",\"description\":");
        spec_json_text(json, top->description);
    }
    if (top->limits_count > 0) {
        add_limits(top, json);
    }
    if (top->deadline_ms != 0) {
        buf_append_text(json, ",\"deadline\":");
        spec_json_duration(json, top->deadline_ms);
    }
    buf_append_text(json, top->fail_fast ? ",\"fail_fast\":true" : "");
    buf_append_text(json, ",\"tasks\":{");
    *export = (struct spec_export){ .json = json };
}

void spec_export_task(struct spec_export *export, const struct spec_task_view *view)
{
    buf_append_text(export->json, export->has_task ? ",\n" : "\n");
    export->has_task = true;
    spec_json_text(export->json, view->task->key);
    buf_append_text(export->json, ":");
    spec_render_task(view, export->json);
}

void spec_export_end(struct spec_export *export)
{
    buf_append_text(export->json, "\n}}\n");
}
