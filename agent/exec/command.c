#include "agent/exec/command.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#define COMMAND_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

enum { COMMAND_BYTES_USUAL = 1000 }; /* with the plain environment and a few arguments */

static void append_string(struct buf *buf, struct str text)
{
    buf_append(buf, text.data, text.length);
    buf_append(buf, "", 1);
}

static bool has_nul(struct str text)
{
    return text.length > 0 && memchr(text.data, 0, text.length) != NULL;
}

static bool is_ours(struct str key)
{
    return str_is(key, "ASTERISM_FENCE") || str_is(key, "ASTERISM_TASK") ||
           str_is(key, "ASTERISM_ATTEMPT") || str_is(key, "ASTERISM_OUTPUT");
}

static const struct msg_pair *env_find(const struct msg_body *body, const char *key)
{
    for (size_t i = 0; i < body->env_count; i++) {
        if (str_is(body->env[i].key, key)) {
            return &body->env[i];
        }
    }
    return NULL;
}

static void append_default(struct command *command, const struct msg_body *body, const char *key,
                           const char *value)
{
    if (env_find(body, key) == NULL) {
        buf_printf(&command->text, "%s=%s", key, value);
        buf_append(&command->text, "", 1);
        command->env_count++;
    }
}

/* For tests of the agent itself only: all of our own that the task does not set anyhow. */
static void append_inherited(struct command *command, const struct msg_body *body)
{
    for (char **entry = environ; entry != NULL && *entry != NULL; entry++) {
        struct str key = { *entry, strcspn(*entry, "=") };
        bool is_set =
            is_ours(key) || str_is(key, "PATH") || str_is(key, "HOME") || str_is(key, "LANG");
        for (size_t i = 0; i < body->env_count && !is_set; i++) {
            is_set = str_equal(body->env[i].key, key);
        }
        if (!is_set) {
            append_string(&command->text, str_of(*entry));
            command->env_count++;
        }
    }
}

static enum err append_environment(struct command *command, const struct exec *exec,
                                   const struct exec_order *order, struct reason *reason)
{
    struct buf *text = &command->text;
    const struct msg_body *body = order->body;
    /* Ours first: the helper looks for them in /proc. */
    buf_printf(text, "ASTERISM_FENCE=%" PRIu64, order->fence);
    buf_append(text, "", 1);
    buf_printf(text, "ASTERISM_OUTPUT=%s%" PRIu64 "/output", exec->place.root,
               place_number(&exec->place, order->fence));
    buf_append(text, "", 1);
    buf_append_text(text, "ASTERISM_TASK=");
    append_string(text, order->task_name);
    buf_printf(text, "ASTERISM_ATTEMPT=%" PRIu32, order->attempt);
    buf_append(text, "", 1);
    command->env_count = 4;
    append_default(command, body, "PATH", COMMAND_PATH);
    append_default(command, body, "HOME", exec->home);
    append_default(command, body, "LANG", "C.UTF-8");
    if (exec->keep_environment) {
        append_inherited(command, body);
    }
    for (size_t i = 0; i < body->env_count; i++) {
        struct str key = body->env[i].key;
        struct str value = body->env[i].value;
        if (key.length == 0 || has_nul(key) || memchr(key.data, '=', key.length) != NULL) {
            return reason_set(
                reason, ERR_INVALID, "an environment variable cannot be called \"%.*s\"",
                key.length > 128 ? 128 : (int)key.length, key.data == NULL ? "" : key.data);
        }
        if (has_nul(value)) {
            return reason_set(reason, ERR_INVALID, "the environment variable %.*s holds a NUL byte",
                              key.length > 128 ? 128 : (int)key.length, key.data);
        }
        if (is_ours(key)) {
            continue;
        }
        buf_append(text, key.data, key.length);
        buf_append(text, "=", 1);
        append_string(text, value);
        command->env_count++;
    }
    return ERR_NONE;
}

static enum err append_args(struct command *command, const struct msg_body *body,
                            struct reason *reason)
{
    if (body->executor == EXECUTOR_SHELL) {
        if (has_nul(body->shell)) {
            return reason_set(reason, ERR_INVALID, "the shell text holds a NUL byte");
        }
        append_string(&command->text, STR("/bin/sh"));
        append_string(&command->text, STR("-c"));
        append_string(&command->text, body->shell);
        append_string(&command->text, STR("sh")); /* $0 */
        command->args_count = 4;
        return ERR_NONE;
    }
    if (body->argv_count == 0 || body->argv[0].length == 0) {
        return reason_set(reason, ERR_INVALID, "no command is given");
    }
    for (size_t i = 0; i < body->argv_count; i++) {
        if (has_nul(body->argv[i])) {
            return reason_set(reason, ERR_INVALID, "argument %zu holds a NUL byte", i);
        }
        append_string(&command->text, body->argv[i]);
    }
    command->args_count = (uint32_t)body->argv_count;
    return ERR_NONE;
}

enum err command_build(struct command *command, const struct exec *exec,
                       const struct exec_order *order, struct reason *reason)
{
    const struct msg_body *body = order->body;
    struct str cwd = body->has_cwd ? body->cwd : STR("");
    const struct msg_pair *path = env_find(body, "PATH");
    if (has_nul(cwd) || has_nul(order->task_name)) {
        return reason_set(reason, ERR_INVALID, "the directory or the task's name holds a NUL byte");
    }
    if (path != NULL && has_nul(path->value)) {
        return reason_set(reason, ERR_INVALID, "the environment variable PATH holds a NUL byte");
    }
    buf_reserve(&command->text, COMMAND_BYTES_USUAL);
    /* A relative directory is relative to the work directory. */
    if (cwd.length == 0 || cwd.data[0] != '/') {
        buf_printf(&command->text, "%s%" PRIu64 "/work%s", exec->place.root,
                   place_number(&exec->place, order->fence), cwd.length > 0 ? "/" : "");
    }
    append_string(&command->text, cwd);
    append_string(&command->text, path != NULL ? path->value : str_of(COMMAND_PATH));
    enum err err = append_args(command, body, reason);
    return err != ERR_NONE ? err : append_environment(command, exec, order, reason);
}
