/* What the daemon said no to, as words on stderr and as an exit code; and JSON's small helpers. */
#include <string.h>

#include "cli/cli.h"
#include "cli/http.h"

int http_exit_of(int status)
{
    switch (status) {
    case 400:
    case 411:
    case 413:
    case 415:
    case 422:
        return CLI_USAGE;
    default:
        return status == 0 || status >= 500 ? CLI_UNREACHABLE : CLI_REFUSED;
    }
}

int http_refused(const struct http *http, const struct http_exchange *exchange)
{
    if (exchange->status == 0) {
        return cli_fail(CLI_UNREACHABLE, "cannot reach the daemon at %s: %s", http_url(http),
                        exchange->words);
    }
    int code = http_exit_of(exchange->status);
    json_t *problem = json_loadb((const char *)exchange->answer.data, exchange->answer.length,
                                 JSON_REJECT_DUPLICATES, NULL);
    const char *detail = json_text(problem, "detail");
    if (*detail == 0) {
        detail = json_text(problem, "title");
    }
    if (*detail != 0) {
        cli_fail(code, "%s", detail);
    } else {
        cli_fail(code, "the daemon at %s answered with HTTP status %d", http_url(http),
                 exchange->status);
    }
    size_t at = 0;
    const json_t *error = NULL;
    json_array_foreach(json_object_get(problem, "errors"), at, error)
    {
        const char *words = json_text(error, "detail");
        if (*words != 0 && strstr(detail, words) == NULL) {
            cli_note("  %s", words);
        }
    }
    if (exchange->status == 401) {
        cli_note("give a token by --token-file or ASTERISM_TOKEN_FILE");
    }
    json_decref(problem);
    return code;
}

int http_get(struct http *http, const char *path, json_t **ret_json)
{
    struct http_exchange exchange = { .method = "GET", .path = path };
    http_perform(http, &exchange);
    int code = CLI_OK;
    if (http_interrupted(http) && exchange.status == 0) {
        code = CLI_INTERRUPTED;
    } else if (exchange.status != 200) {
        code = http_refused(http, &exchange);
    } else {
        json_error_t error;
        json_t *json = json_loadb((const char *)exchange.answer.data, exchange.answer.length,
                                  JSON_REJECT_DUPLICATES, &error);
        if (json_is_object(json)) {
            *ret_json = json;
        } else {
            json_decref(json);
            code = cli_fail(CLI_UNREACHABLE, "%s does not answer as an Asterism daemon: %s",
                            http_url(http), error.text);
        }
    }
    http_exchange_done(http, &exchange);
    return code;
}

void http_escape(struct buf *to, const char *text)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "-_.~";
    for (; *text != 0; text++) {
        if (strchr(plain, *text) != NULL) {
            buf_append(to, text, 1);
        } else {
            buf_printf(to, "%%%02X", (unsigned char)*text);
        }
    }
}

const char *json_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text == NULL ? "" : text;
}

int64_t json_number(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_real(value) ? (int64_t)json_real_value(value) : json_integer_value(value);
}
