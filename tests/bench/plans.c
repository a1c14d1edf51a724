/* Writing specs. */
#include "tests/bench/plans.h"

#include "common/base/mem.h"
#include "common/base/rng.h"

static const uint64_t SEED = 20261122; /* the same plan every time */

static void begin(struct buf *spec, const char *name)
{
    buf_clear(spec);
    buf_printf(spec, "{\"name\":\"%s\",\"tasks\":{", name);
}

static void end(struct buf *spec)
{
    buf_append_text(spec, "}}");
}

void plan_flat(struct buf *spec, size_t tasks, const char *body)
{
    begin(spec, "flat");
    for (size_t i = 0; i < tasks; i++) {
        buf_printf(spec, "%s\"t%zu\":{%s}", i == 0 ? "" : ",", i, body);
    }
    end(spec);
}

void plan_random(struct buf *spec, size_t tasks)
{
    struct rng rng;
    rng_init(&rng, SEED);
    size_t half = tasks / 2;
    uint32_t *source = mem_array(half, sizeof *source);
    for (size_t i = 0; i < half; i++) {
        source[i] = (uint32_t)i;
    }
    for (size_t i = half; i > 1; i--) {
        size_t other = (size_t)rng_below(&rng, i);
        uint32_t kept = source[i - 1];
        source[i - 1] = source[other];
        source[other] = kept;
    }
    begin(spec, "random");
    for (size_t i = 0; i < half; i++) {
        buf_printf(spec, "%s\"s%zu\":{\"noop\":true,\"priority\":%d}", i == 0 ? "" : ",", i,
                   (int)rng_below(&rng, 1900) - 950);
    }
    for (size_t i = 0; i < half; i++) {
        buf_printf(spec, ",\"d%zu\":{\"noop\":true,\"priority\":1000,\"needs\":[\"s%u\"]}", i,
                   source[i]);
    }
    end(spec);
    mem_free(source);
}

void plan_chain(struct buf *spec, size_t tasks)
{
    begin(spec, "chain");
    buf_append_text(spec, "\"t0\":{\"noop\":true}");
    for (size_t i = 1; i < tasks; i++) {
        buf_printf(spec, ",\"t%zu\":{\"noop\":true,\"needs\":[\"t%zu\"]}", i, i - 1);
    }
    end(spec);
}

void plan_layers(struct buf *spec, size_t tasks, size_t width, size_t parents, const char *body)
{
    struct rng rng;
    rng_init(&rng, SEED);
    begin(spec, "layers");
    for (size_t i = 0; i < tasks; i++) {
        buf_printf(spec, "%s\"t%zu\":{%s", i == 0 ? "" : ",", i, body);
        size_t layer = i / width;
        size_t first = layer == 0 ? 0 : (size_t)rng_below(&rng, width);
        for (size_t parent = 0; layer > 0 && parent < parents; parent++) {
            /* Neighbours on a ring: different ones, and every task has followers. */
            size_t at = (layer - 1) * width + (first + parent * 7) % width;
            buf_printf(spec, "%s\"t%zu\"", parent == 0 ? ",\"needs\":[" : ",", at);
        }
        buf_append_text(spec, layer > 0 && parents > 0 ? "]}" : "}");
    }
    end(spec);
}

void plan_fan(struct buf *spec, size_t width)
{
    begin(spec, "fan");
    buf_append_text(spec, "\"first\":{\"noop\":true}");
    for (size_t i = 0; i < width; i++) {
        buf_printf(spec, ",\"t%zu\":{\"noop\":true,\"needs\":[\"first\"]}", i);
    }
    buf_append_text(spec, ",\"last\":{\"noop\":true,\"needs\":[");
    for (size_t i = 0; i < width; i++) {
        buf_printf(spec, "%s\"t%zu\"", i == 0 ? "" : ",", i);
    }
    buf_append_text(spec, "]}");
    end(spec);
}
