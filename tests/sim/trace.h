/* What happened, in order: kept as numbers, put into words only when somebody reads them. Every line
   goes into a hash, by which two runs of a seed are compared. */
#ifndef TESTS_SIM_TRACE_H
#define TESTS_SIM_TRACE_H

#include <stdbool.h>
#include <stdint.h>

enum { TRACE_ARGS = 6, TRACE_KEPT = 50 };

struct trace_line {
    int64_t at_ms;
    uint64_t step;
    const char *words;
    uint64_t args[TRACE_ARGS];
};

struct trace {
    struct trace_line kept[TRACE_KEPT];
    uint64_t count;
    uint64_t hash;
    bool print; /* every line, as it comes */
};

/* In `words` each % stands for the next argument as a number, # as a fence, $ as a string constant. */
void trace_add(struct trace *trace, int64_t at_ms, uint64_t step, const char *words,
               const uint64_t args[TRACE_ARGS]);
void trace_print_last(const struct trace *trace);

/* An argument for $. */
#define TRACE_TEXT(text)  ((uint64_t)(uintptr_t)(text))
#define TRACE(world, ...) TRACE_WITH((world), __VA_ARGS__, 0)
#define TRACE_WITH(world, words, ...)                                                              \
    trace_add(&(world)->trace, (world)->now_ms, (world)->step, (words),                            \
              (const uint64_t[TRACE_ARGS]){ __VA_ARGS__ })

#endif
