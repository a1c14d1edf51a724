#include "cli/send.h"

#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/follow.h"
#include "common/sys/clock.h"
#include "common/sys/digest.h"
#include "common/sys/random.h"

/* A pause that Ctrl-C cuts short. */
static void pause_before_retry(struct http *http, int64_t *pause_ms)
{
    int64_t until = clock_boot_ms() + follow_pause(pause_ms);
    for (int64_t left = 1; left > 0 && !http_interrupted(http);) {
        left = until - clock_boot_ms();
        http_poll(http, left > 0 ? (int)left : 0);
    }
}

void send_once(struct cli *cli, struct http_exchange *exchange, const char *doing)
{
    uint8_t random[16];
    char key[2 * sizeof random + 1];
    random_bytes(random, sizeof random);
    digest_hex(random, sizeof random, key);
    exchange->idempotency_key = key;
    http_watch_signals(cli->http);
    bool reached = false;
    int64_t pause_ms = 0;
    for (int i = 0; i < SEND_TRIES_MAX; i++) {
        http_perform(cli->http, exchange);
        reached = reached || exchange->reached;
        if (exchange->status != 0 || !reached || http_interrupted(cli->http)) {
            break;
        }
        if (i == 0) {
            cli_note("lost the daemon while %s (%s); trying again", doing, exchange->words);
        }
        pause_before_retry(cli->http, &pause_ms);
    }
    exchange->idempotency_key = NULL;
}

int send_change(struct cli *cli, const char *method, const char *path, const json_t *body,
                json_t **ret_answer)
{
    char *text = body == NULL ? NULL : json_dumps(body, JSON_COMPACT);
    struct http_exchange exchange = {
        .method = method,
        .path = path,
        .body = str_of(text),
        .content_type = text == NULL ? NULL : "application/json",
    };
    send_once(cli, &exchange, "changing it");
    int code = CLI_OK;
    if (exchange.status == 0 && http_interrupted(cli->http)) {
        cli_note("interrupted; asterism show tells whether it was done");
        code = CLI_INTERRUPTED;
    } else if (exchange.status / 100 != 2) {
        code = http_refused(cli->http, &exchange);
    } else if (ret_answer != NULL) {
        *ret_answer =
            json_loadb((const char *)exchange.answer.data, exchange.answer.length, 0, NULL);
    }
    http_exchange_done(cli->http, &exchange);
    free(text);
    return code;
}

int send_whole_id(struct cli *cli, const char *text, char ret_id[TASKS_NAME_BYTES_MAX])
{
    struct tasks_name name = { .id = "" };
    int code = tasks_name_of(text, &name);
    if (code == CLI_OK && *name.key != 0) {
        return cli_fail(CLI_USAGE, "\"%s\" names a task; a constellation is wanted", text);
    }
    if (code == CLI_OK && strcmp(text, "@last") == 0) {
        return tasks_full_id(cli->http, text, ret_id);
    }
    if (code == CLI_OK) {
        memcpy(ret_id, name.id, strlen(name.id) + 1);
    }
    return code;
}

static bool has_text(const json_t *list, const char *text)
{
    size_t at = 0;
    const json_t *item = NULL;
    json_array_foreach(list, at, item)
    {
        if (strcmp(json_string_value(item), text) == 0) {
            return true;
        }
    }
    return false;
}

int send_names(struct cli *cli, size_t from, char ret_id[TASKS_NAME_BYTES_MAX], json_t *keys)
{
    struct tasks_name first = { .id = "" };
    for (size_t i = from; i < cli->options.arguments_count; i++) {
        const char *text = cli->options.arguments[i];
        struct tasks_name name = { .id = "" };
        bool is_key = i > from && strchr(text, '/') == NULL;
        int code = is_key ? CLI_OK : tasks_name_of(text, &name);
        if (code != CLI_OK) {
            return code;
        }
        if (i == from) {
            first = name;
        } else if (!is_key && strcmp(first.id, name.id) != 0) {
            return cli_fail(CLI_USAGE, "%s is of another constellation than %s", text, first.id);
        }
        const char *key = is_key ? text : name.key;
        if (*key != 0 && !has_text(keys, key)) {
            json_array_append_new(keys, json_string(key));
        }
    }
    return send_whole_id(cli, first.id, ret_id);
}
