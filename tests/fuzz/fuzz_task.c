/* Any bytes as one task of an edit, and as a text with placeholders. What is read is rendered and read
   back as the same; what is resolved has every value as it was put out, and nothing else. */
#include <string.h>

#include "common/base/check.h"
#include "orchestrator/spec/placeholder.h"
#include "orchestrator/spec/resolve.h"
#include "orchestrator/spec/spec_task.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool has_task(void *context, struct str key)
{
    (void)context;
    return key.length > 0 && key.data[0] < 'n';
}

static void check_task(struct str text)
{
    static const struct plan_limit limits[] = { { { "disk", 4 }, 10 }, { { "licence", 7 }, 2 } };
    const struct spec_scope scope = { NULL, has_task, limits, 2 };
    struct arena arena = { 0 };
    struct spec_one one;
    struct spec_problems problems;
    enum err err = spec_read_one(STR("one"), text, &scope, &arena, &one, &problems);
    CHECK((err == ERR_NONE) == (problems.count == 0));
    if (err == ERR_NONE) {
        struct buf first = { 0 };
        struct buf second = { 0 };
        struct spec_task_view view = spec_view_of_one(&one, &scope);
        spec_render_task(&view, &first);
        struct str again = { (const char *)first.data, first.length };
        CHECK(spec_read_one(STR("one"), again, &scope, &arena, &one, &problems) == ERR_NONE);
        view = spec_view_of_one(&one, &scope);
        spec_render_task(&view, &second);
        CHECK(first.length == second.length && memcmp(first.data, second.data, first.length) == 0);
        buf_done(&first);
        buf_done(&second);
    }
    arena_done(&arena);
}

/* A value that would be a placeholder itself, had anybody looked at it again. */
static enum err give(void *context, struct str key, struct arena *arena,
                     struct resolve_task *ret_task)
{
    (void)context;
    (void)arena;
    *ret_task = (struct resolve_task){ .state = STR("${{ tasks.a.state }}"),
                                       .has_run = key.data[0] < 'f',
                                       .has_exit_code = true,
                                       .stdout_data = STR("${{ tasks.b.state"),
                                       .stdout_bytes = 17,
                                       .result = STR("{\"a\": [1, \"}}\"]}") };
    return ERR_NONE;
}

static void check_placeholders(struct str text)
{
    struct placeholder found;
    struct reason reason;
    enum err err = ERR_NONE;
    size_t at = 0;
    size_t end = 0;
    struct buf fallback = { 0 };
    while (placeholder_next(text, &at, &found, &err, &reason)) {
        CHECK(found.from >= end && found.to > found.from && found.to <= text.length);
        CHECK(found.name.length > 0);
        placeholder_fallback(found.fallback, &fallback);
        end = found.to;
    }
    CHECK(fallback.length <= text.length);
    buf_done(&fallback);
    const struct resolve_source source = { NULL, give };
    struct arena arena = { .bytes_max = 4 * 1024 * 1024 };
    struct msg_body resolved;
    const struct msg_body body = { .executor = EXECUTOR_NOOP,
                                   .has_stdin = true,
                                   .stdin_data = text };
    enum err result = resolve_body(&body, &source, &arena, &resolved, &reason);
    CHECK(err == ERR_NONE || result != ERR_NONE);
    if (result == ERR_NONE && end == 0) {
        CHECK(resolved.stdin_data.length == text.length);
    }
    arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = { (const char *)data, size };
    check_task(text);
    check_placeholders(text);
    return 0;
}
