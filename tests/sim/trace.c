#include "tests/sim/trace.h"

#include <inttypes.h>
#include <stdio.h>

#include "orchestrator/engine/engine.h"

static uint64_t mix(uint64_t hash, uint64_t value)
{
    hash ^= value;
    hash *= UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ (hash >> 29);
}

static uint64_t mix_text(uint64_t hash, const char *text)
{
    for (; *text != '\0'; text++) {
        hash = mix(hash, (unsigned char)*text);
    }
    return hash;
}

static const char *text_of(uint64_t argument)
{
    return (const char *)(uintptr_t)argument;
}

static void print_line(const struct trace_line *line)
{
    fprintf(stderr, "%9.3fs %6" PRIu64 "  ", (double)line->at_ms / 1000, line->step);
    size_t next = 0;
    for (const char *at = line->words; *at != '\0'; at++) {
        if (*at == '%') {
            fprintf(stderr, "%" PRId64, (int64_t)line->args[next++]);
        } else if (*at == '#') {
            uint64_t fence = line->args[next++];
            fprintf(stderr, "%" PRIu64 ".%" PRIu64, fence >> FENCE_COUNTER_BITS,
                    fence & ((UINT64_C(1) << FENCE_COUNTER_BITS) - 1));
        } else if (*at == '$') {
            fputs(text_of(line->args[next++]), stderr);
        } else {
            fputc(*at, stderr);
        }
    }
    fputc('\n', stderr);
}

void trace_add(struct trace *trace, int64_t at_ms, uint64_t step, const char *words,
               const uint64_t args[TRACE_ARGS])
{
    struct trace_line *line = &trace->kept[trace->count++ % TRACE_KEPT];
    *line = (struct trace_line){ .at_ms = at_ms, .step = step, .words = words };
    uint64_t hash = mix(mix(trace->hash, (uint64_t)at_ms), step);
    size_t next = 0;
    for (const char *at = words; *at != '\0'; at++) {
        if (*at == '$') {
            hash = mix_text(hash, text_of(args[next]));
        } else if (*at == '%' || *at == '#') {
            hash = mix(hash, args[next]);
        } else {
            hash = mix(hash, (unsigned char)*at);
            continue;
        }
        line->args[next] = args[next];
        next++;
    }
    trace->hash = hash;
    if (trace->print) {
        print_line(line);
    }
}

void trace_print_last(const struct trace *trace)
{
    uint64_t count = trace->count < TRACE_KEPT ? trace->count : TRACE_KEPT;
    for (uint64_t i = trace->count - count; i < trace->count; i++) {
        print_line(&trace->kept[i % TRACE_KEPT]);
    }
}
