/* TEMPORARY, on this branch only: each function goes when its file is written. */
#include "orchestrator/engine/model.h"

static void refuse(struct engine *engine, uint64_t request)
{
    engine_reply(engine, request, ERR_INVALID, 0, STR("not written yet"));
}
void resolve_step(struct engine *engine, const struct event *event)
{
    refuse(engine, event->resolve.request);
}
void fleet_drain(struct engine *engine, const struct event *event)
{
    refuse(engine, event->drain.request);
}
void engine_load_limit(struct engine *engine, const struct limit_record *record)
{
    (void)engine;
    (void)record;
}
