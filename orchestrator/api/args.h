/* The parameters of a query string: decoded once, checked against what the route knows. */
#ifndef ORCHESTRATOR_API_ARGS_H
#define ORCHESTRATOR_API_ARGS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/arena.h"
#include "common/base/err.h"
#include "common/base/str.h"

enum {
    ARGS_MAX = 16,
    ARG_NAME_BYTES_MAX = 32,
    ARG_VALUE_BYTES_MAX = 64 * 1024,
};

struct arg {
    struct str name;
    struct str value;
};

struct args {
    struct arg list[ARGS_MAX];
    size_t count;
};

/* `known` is NULL-terminated, or NULL for none. ERR_INVALID names what is unknown, doubled, badly
   encoded, not UTF-8 or too long. Values live in the arena. */
enum err args_read(struct str query, const char *const *known, struct arena *arena,
                   struct args *ret_args, struct reason *reason);
/* False: it was not given. */
bool args_get(const struct args *args, const char *name, struct str *ret_value);
/* A number from `min` to `max`; `fallback` if it was not given. */
enum err args_number(const struct args *args, const char *name, uint64_t min, uint64_t max,
                     uint64_t fallback, uint64_t *ret_value, struct reason *reason);
/* 1, true, 0 or false; false if it was not given. */
enum err args_flag(const struct args *args, const char *name, bool *ret_value,
                   struct reason *reason);
/* The next of a list divided by commas: *at starts at 0. False at the end; empty ones are skipped. */
bool args_item(struct str list, size_t *at, struct str *ret_item);

#endif
