/* From a body back to the keys that a person would have written. */
#include <inttypes.h>

#include "orchestrator/spec/spec.h"

/* How many bytes the character at `at` has; 0 for what is no UTF-8. A NUL counts as one. */
static size_t character_bytes(const char *at, size_t left)
{
    unsigned char lead = (unsigned char)*at;
    size_t bytes = lead < 0x80 ? 1 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (bytes == 1) {
        return 1;
    }
    return bytes <= left && str_is_utf8((struct str){ at, bytes }) ? bytes : 0;
}

static void add_text(struct buf *json, struct str text)
{
    buf_append_text(json, "\"");
    for (size_t i = 0; i < text.length;) {
        size_t bytes = character_bytes(text.data + i, text.length - i);
        unsigned char byte = (unsigned char)text.data[i];
        if (bytes == 0) {
            buf_append_text(json, "\\ufffd");
        } else if (byte == '"' || byte == '\\') {
            buf_printf(json, "\\%c", byte);
        } else if (byte == '\n') {
            buf_append_text(json, "\\n");
        } else if (byte < 0x20 || byte == 0x7f) {
            buf_printf(json, "\\u%04x", (unsigned)byte);
        } else {
            buf_append(json, text.data + i, bytes);
        }
        i += bytes > 0 ? bytes : 1;
    }
    buf_append_text(json, "\"");
}

/* The executor's key always comes first, so every other one follows a comma. */
static void add_key(struct buf *json, const char *name)
{
    buf_printf(json, ",\"%s\":", name);
}

static void add_duration(struct buf *json, int64_t ms)
{
    if (ms % 1000 == 0) {
        buf_printf(json, "\"%" PRId64 "s\"", ms / 1000);
    } else {
        buf_printf(json, "\"%" PRId64 "ms\"", ms);
    }
}

static void add_executor(struct buf *json, const struct msg_body *body)
{
    switch (body->executor) {
    case EXECUTOR_RUN:
        buf_append_text(json, "\"run\":[");
        for (size_t i = 0; i < body->argv_count; i++) {
            buf_append_text(json, i > 0 ? "," : "");
            add_text(json, body->argv[i]);
        }
        buf_append_text(json, "]");
        break;
    case EXECUTOR_SHELL:
        buf_append_text(json, "\"shell\":");
        add_text(json, body->shell);
        break;
    case EXECUTOR_NOOP:
        buf_append_text(json, "\"noop\":true");
        break;
    case EXECUTOR_SLEEP:
        buf_append_text(json, "\"sleep\":");
        add_duration(json, body->sleep_ms);
        break;
    }
}

static void add_env(struct buf *json, const struct msg_body *body)
{
    add_key(json, "env");
    buf_append_text(json, "{");
    for (size_t i = 0; i < body->env_count; i++) {
        buf_append_text(json, i > 0 ? "," : "");
        add_text(json, body->env[i].key);
        buf_append_text(json, ":");
        add_text(json, body->env[i].value);
    }
    buf_append_text(json, "}");
}

void spec_render_body(const struct msg_body *body, struct buf *json)
{
    buf_append_text(json, "{");
    add_executor(json, body);
    if (body->env_count > 0) {
        add_env(json, body);
    }
    if (body->has_stdin) {
        add_key(json, "stdin");
        add_text(json, body->stdin_data);
    }
    if (body->has_cwd) {
        add_key(json, "cwd");
        add_text(json, body->cwd);
    }
    if (body->run_timeout_ms > 0) {
        add_key(json, "timeout");
        add_duration(json, body->run_timeout_ms);
    }
    if (body->kill_grace_ms != SPEC_KILL_GRACE_MS) {
        add_key(json, "kill_grace");
        add_duration(json, body->kill_grace_ms);
    }
    if (body->on_disconnect == ON_DISCONNECT_STOP) {
        add_key(json, "on_disconnect");
        buf_append_text(json, "\"stop\"");
    }
    if (body->output_json) {
        add_key(json, "output");
        buf_append_text(json, "\"json\"");
    }
    if (body->output_bytes_max != SPEC_OUTPUT_BYTES_MAX) {
        add_key(json, "max_output");
        buf_printf(json, "%" PRIu64, body->output_bytes_max);
    }
    buf_append_text(json, "}");
}
