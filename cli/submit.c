#include "cli/submit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/http.h"
#include "cli/output.h"
#include "cli/send.h"
#include "common/base/mem.h"
#include "common/sys/file.h"

#define SUBMISSION_TYPE "application/vnd.asterism.submission+json"

/* Whether every word of "run, shell, noop" stands in the sentence. */
static bool says_all(const char *sentence, const char *words)
{
    while (*words != 0) {
        size_t length = strcspn(words, ", ");
        char *word = mem_format("%.*s", (int)length, words);
        bool is_there = strstr(sentence, word) != NULL;
        mem_free(word);
        if (!is_there) {
            return false;
        }
        words += length;
        words += strspn(words, ", ");
    }
    return true;
}

/* "nightly" of "specs/nightly.yaml", of the characters that a name may have. */
static void append_base_name(const char *path, struct buf *to)
{
    const char *slash = strrchr(path, '/');
    const char *from = slash == NULL ? path : slash + 1;
    size_t length =
        strspn(from, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_");
    bool is_name = length > 0 && length <= 100 && (from[length] == 0 || from[length] == '.');
    struct str name = { from, is_name ? length : 0 };
    buf_append(to, is_name ? name.data : "hello", is_name ? name.length : 5);
}

static void problem_line(const char *name, const json_t *error, struct buf *to)
{
    int64_t line = json_number(error, "line");
    const char *path = json_text(error, "path");
    output_safe(to, str_of(name));
    if (line > 0) {
        buf_printf(to, ":%lld:%lld", (long long)line, (long long)json_number(error, "column"));
    } else if (*path != 0) {
        buf_append_text(to, ": ");
        output_safe(to, str_of(path));
    }
    buf_append_text(to, ": ");
    const char *detail = json_text(error, "detail");
    output_safe(to, str_of(*detail == 0 ? json_text(error, "code") : detail));
    if (*path == 0 && strcmp(json_text(error, "code"), "missing_key") == 0 &&
        strcmp(json_text(error, "allowed"), "name") == 0) {
        buf_append_text(to, "; add  name: ");
        append_base_name(name, to);
    }
    /* Not what the sentence has said already. */
    const json_t *allowed = json_object_get(error, "allowed");
    const char *text = json_text(error, "allowed");
    if (strstr(detail, "did you mean") != NULL || (*text != 0 && says_all(detail, text))) {
        allowed = NULL;
        text = "";
    }
    if (json_is_array(allowed) && json_array_size(allowed) > 0) {
        buf_append_text(to, " (allowed:");
        size_t at = 0;
        const json_t *item = NULL;
        json_array_foreach(allowed, at, item)
        {
            buf_append_text(to, at == 0 ? " " : ", ");
            const char *word = json_string_value(item);
            output_safe(to, str_of(word == NULL ? "" : word));
        }
        buf_append_text(to, ")");
    } else if (*text != 0) {
        buf_append_text(to, " (allowed: ");
        output_safe(to, str_of(text));
        buf_append_text(to, ")");
    }
    buf_append_text(to, "\n");
}

void submit_problems(const char *name, const json_t *problem, struct buf *to)
{
    size_t at = 0;
    const json_t *error = NULL;
    json_array_foreach(json_object_get(problem, "errors"), at, error)
    {
        problem_line(name, error, to);
    }
    if (at == 0) {
        problem_line(name, problem, to);
    }
}

static int refused(struct cli *cli, const char *name, const struct http_exchange *exchange)
{
    json_t *problem =
        json_loadb((const char *)exchange->answer.data, exchange->answer.length, 0, NULL);
    int code = CLI_USAGE;
    if (strcmp(json_text(problem, "code"), "invalid_spec") == 0) {
        struct buf words = { 0 };
        submit_problems(name, problem, &words);
        fputs(buf_text(&words), stderr);
        buf_done(&words);
    } else {
        code = http_refused(cli->http, exchange);
    }
    json_decref(problem);
    return code;
}

int submit_text(struct cli *cli, const char *name, const char *content_type, struct str text,
                json_t **ret_constellation)
{
    struct http_exchange exchange = {
        .method = "POST",
        .path = "/api/v1/constellations",
        .body = text,
        .content_type = content_type,
    };
    send_once(cli, &exchange, "submitting");
    int code = CLI_OK;
    if (exchange.status == 0 && http_interrupted(cli->http)) {
        cli_note("interrupted while submitting; asterism list shows whether it arrived");
        code = CLI_INTERRUPTED;
    } else if (exchange.status / 100 != 2) {
        code = refused(cli, name, &exchange);
    } else {
        *ret_constellation =
            json_loadb((const char *)exchange.answer.data, exchange.answer.length, 0, NULL);
        if (*json_text(*ret_constellation, "id") == 0) {
            json_decref(*ret_constellation);
            *ret_constellation = NULL;
            code = cli_fail(CLI_UNREACHABLE, "%s does not answer as an Asterism daemon",
                            http_url(cli->http));
        }
    }
    http_exchange_done(cli->http, &exchange);
    return code;
}

static enum err read_stdin(struct buf *to, struct reason *reason)
{
    for (;;) {
        enum { PIECE = 64 * 1024 };
        ssize_t got = read(STDIN_FILENO, buf_reserve(to, PIECE), PIECE);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return reason_set(reason, ERR_IO, "cannot read stdin: %s", strerror(errno));
        }
        if (got == 0) {
            return ERR_NONE;
        }
        to->length += (size_t)got;
        if (to->length > SUBMIT_BYTES_MAX) {
            return reason_set(reason, ERR_LIMIT, "stdin is larger than 64 MiB");
        }
    }
}

static bool ends_with(const char *text, const char *end)
{
    size_t a = strlen(text);
    size_t b = strlen(end);
    return a >= b && strcmp(text + a - b, end) == 0;
}

static const char *content_type_of(const char *path, const struct buf *text)
{
    if (ends_with(path, ".json")) {
        return "application/json";
    }
    if (ends_with(path, ".yaml") || ends_with(path, ".yml")) {
        return "application/yaml";
    }
    size_t at = 0;
    while (at < text->length && text->data[at] != 0 && strchr(" \t\r\n", text->data[at]) != NULL) {
        at++;
    }
    bool is_json = at < text->length && (text->data[at] == '{' || text->data[at] == '[');
    return is_json ? "application/json" : "application/yaml";
}

/* {"spec": …, "params": {…}} if there are params; else `to` stays empty. */
static int wrap(struct cli *cli, const char *path, const struct buf *text, char **ret_envelope)
{
    json_t *params = json_object();
    const char *given = NULL;
    int code = CLI_OK;
    for (size_t i = 0; (given = options_get_nth(&cli->options, "param", i)) != NULL; i++) {
        size_t name = strcspn(given, "=");
        char *key = mem_format("%.*s", (int)name, given);
        if (name == 0 || given[name] != '=') {
            code = cli_fail(CLI_USAGE, "--param takes NAME=VALUE, not \"%s\"", given);
        } else if (json_object_get(params, key) != NULL) {
            code = cli_fail(CLI_USAGE, "the param %s is given twice", key);
        } else if (json_object_set_new(params, key, json_string(given + name + 1)) != 0) {
            code = cli_fail(CLI_USAGE, "the param %s is no UTF-8 text", key);
        }
        mem_free(key);
    }
    if (code == CLI_OK && json_object_size(params) > 0) {
        json_t *spec = json_stringn((const char *)text->data, text->length);
        json_t *envelope = json_pack("{s:o*, s:O}", "spec", spec, "params", params);
        if (spec == NULL) {
            code = cli_fail(CLI_USAGE, "%s is no UTF-8 text", path);
        } else {
            *ret_envelope = json_dumps(envelope, JSON_COMPACT);
        }
        json_decref(envelope);
    }
    json_decref(params);
    return code;
}

int submit_read(const char *path, struct buf *text, const char **ret_content_type)
{
    struct reason reason;
    bool is_stdin = strcmp(path, "-") == 0;
    enum err err =
        is_stdin ? read_stdin(text, &reason) : file_read(path, SUBMIT_BYTES_MAX, text, &reason);
    if (err == ERR_LIMIT) {
        return cli_fail(CLI_USAGE, "%s is larger than 64 MiB, which is the most",
                        is_stdin ? "stdin" : path);
    }
    if (err != ERR_NONE) {
        return cli_fail(CLI_USAGE, "%s", reason.text);
    }
    *ret_content_type = content_type_of(path, text);
    return CLI_OK;
}

int submit_file(struct cli *cli, const char *path, json_t **ret_constellation)
{
    struct buf text = { 0 };
    const char *content_type = NULL;
    const char *name = strcmp(path, "-") == 0 ? "<stdin>" : path;
    int code = submit_read(path, &text, &content_type);
    if (code == CLI_OK) {
        char *envelope = NULL;
        code = wrap(cli, name, &text, &envelope);
        if (code == CLI_OK && envelope != NULL) {
            code = submit_text(cli, name, SUBMISSION_TYPE, str_of(envelope), ret_constellation);
        } else if (code == CLI_OK) {
            code = submit_text(cli, name, content_type,
                               (struct str){ (const char *)text.data, text.length },
                               ret_constellation);
        }
        free(envelope);
    }
    buf_done(&text);
    return code;
}
