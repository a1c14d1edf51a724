/* The body of a small change: one JSON object with known keys, read key by key. */
#ifndef ORCHESTRATOR_API_BODY_H
#define ORCHESTRATOR_API_BODY_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/arena.h"
#include "common/base/err.h"
#include "common/base/str.h"

/* It is read in the loop: 15 us a KiB of text, and some 200 ns a value. */
enum { BODY_BYTES_MAX = 1024 * 1024, BODY_VALUES_MAX = 16 * 1024 };

/* `known` is NULL-terminated. No body at all is an object without keys. ERR_INVALID with words that say
   what is known, ERR_LIMIT for one that is too large. The caller gives *ret_body back with json_decref(). */
enum err body_read(struct str text, const char *const *known, json_t **ret_body,
                   struct reason *reason);

/* Each: nothing is written if the key is not there or null. Text is copied to the arena. */
enum err body_text(const json_t *body, const char *key, size_t bytes_max, struct arena *arena,
                   struct str *ret_text, struct reason *reason);
/* One text, or a list of at most `max`. */
enum err body_texts(const json_t *body, const char *key, size_t max, struct arena *arena,
                    struct str **ret_list, size_t *ret_count, struct reason *reason);
enum err body_flag(const json_t *body, const char *key, bool *ret_flag, struct reason *reason);
/* "10m", or a number of seconds; more than nothing. */
enum err body_duration(const json_t *body, const char *key, int64_t *ret_ms, struct reason *reason);
/* One of the blank-separated words: its place among them, from 1. */
enum err body_word(const json_t *body, const char *key, const char *words, int *ret_place,
                   struct reason *reason);

#endif
