/* The handlers of the table of routes, by the file they live in. */
#ifndef ORCHESTRATOR_API_HANDLERS_H
#define ORCHESTRATOR_API_HANDLERS_H

#include "orchestrator/api/route.h"

/* submit.c */
void submit_handle(struct api *api, const struct api_call *call);
/* edits.c */
void edits_handle(struct api *api, const struct api_call *call);
/* revisions.c */
void revisions_list(struct api *api, const struct api_call *call);
void revisions_get(struct api *api, const struct api_call *call);
void revisions_undo(struct api *api, const struct api_call *call);
void revisions_redo(struct api *api, const struct api_call *call);
/* schema.c, import.c */
void schema_get(struct api *api, const struct api_call *call);
void import_handle(struct api *api, const struct api_call *call);
/* diff.c, history.c, export.c, context.c */
void diff_get(struct api *api, const struct api_call *call);
void history_get(struct api *api, const struct api_call *call);
void export_get(struct api *api, const struct api_call *call);
void context_get(struct api *api, const struct api_call *call);
/* constellations.c */
void constellations_list(struct api *api, const struct api_call *call);
void constellations_get(struct api *api, const struct api_call *call);
void constellations_cancel(struct api *api, const struct api_call *call);
void constellations_delete(struct api *api, const struct api_call *call);
/* tasks.c */
void tasks_list(struct api *api, const struct api_call *call);
void tasks_get(struct api *api, const struct api_call *call);
/* output.c */
void output_get(struct api *api, const struct api_call *call);
/* devices.c */
void devices_list(struct api *api, const struct api_call *call);
void devices_get(struct api *api, const struct api_call *call);
/* drain.c */
void drain_begin(struct api *api, const struct api_call *call);
void drain_end(struct api *api, const struct api_call *call);
/* explain.c */
void explain_get(struct api *api, const struct api_call *call);
/* attention_get.c */
void attention_get(struct api *api, const struct api_call *call);
/* holds.c */
void holds_list(struct api *api, const struct api_call *call);
void holds_place(struct api *api, const struct api_call *call);
void holds_release(struct api *api, const struct api_call *call);
void holds_pause(struct api *api, const struct api_call *call);
void holds_resume(struct api *api, const struct api_call *call);
/* plans.c */
void plan_metrics_get(struct api *api, const struct api_call *call);
/* reopen.c */
void reopen_retry(struct api *api, const struct api_call *call);
void reopen_rerun(struct api *api, const struct api_call *call);
/* resolve.c */
void resolve_handle(struct api *api, const struct api_call *call);
/* events.c */
void events_follow(struct api *api, const struct api_call *call);
/* changes.c */
void changes_follow(struct api *api, const struct api_call *call);
/* tokens.c */
void tokens_create(struct api *api, const struct api_call *call);
void tokens_list(struct api *api, const struct api_call *call);
void tokens_revoke(struct api *api, const struct api_call *call);
/* health.c */
void health_alive(struct api *api, const struct api_call *call);
void health_ready(struct api *api, const struct api_call *call);
void openapi_get(struct api *api, const struct api_call *call);
/* metrics.c */
void metrics_get(struct api *api, const struct api_call *call);

#endif
