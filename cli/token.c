/* `token`: who may speak to the daemon. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/http.h"
#include "cli/output.h"

static int create(struct cli *cli)
{
    const char *role = options_get(&cli->options, "role");
    const char *device = options_get(&cli->options, "device");
    const char *name = options_get(&cli->options, "name");
    if (role == NULL) {
        return cli_fail(CLI_USAGE, "token create needs --role viewer, operator, admin or agent");
    }
    if ((strcmp(role, "agent") == 0) != (device != NULL)) {
        return cli_fail(CLI_USAGE, device == NULL ? "an agent's token needs --device NAME"
                                                  : "--device goes with --role agent only");
    }
    if (name == NULL && device == NULL) {
        return cli_fail(CLI_USAGE, "token create needs --name NAME");
    }
    json_t *body = json_object();
    json_object_set_new(body, "name", json_string(name == NULL ? device : name));
    json_object_set_new(body, "role", json_string(role));
    if (device != NULL) {
        json_object_set_new(body, "device", json_string(device));
    }
    char *text = json_dumps(body, JSON_COMPACT);
    json_decref(body);
    struct http_exchange exchange = {
        .method = "POST",
        .path = "/api/v1/tokens",
        .body = str_of(text),
        .content_type = "application/json",
    };
    http_perform(cli->http, &exchange);
    int code = CLI_OK;
    if (exchange.status / 100 != 2) {
        code = http_refused(cli->http, &exchange);
        if (exchange.status == 401 || exchange.status == 403) {
            cli_note("on the daemon's machine the socket is always admin:  --url "
                     "unix:DATA-DIR/admin.sock");
        }
    } else {
        json_t *answer =
            json_loadb((const char *)exchange.answer.data, exchange.answer.length, 0, NULL);
        if (cli->json) {
            output_json(answer);
        } else {
            printf("%s\n", json_text(answer, "token"));
            cli_note(
                "this is the only time it is shown; keep it in a file that only its owner reads");
        }
        json_decref(answer);
    }
    http_exchange_done(cli->http, &exchange);
    free(text);
    return code;
}

static int list(struct cli *cli)
{
    json_t *answer = NULL;
    int code = http_get(cli->http, "/api/v1/tokens", &answer);
    if (code == CLI_OK && cli->json) {
        output_json(answer);
    } else if (code == CLI_OK) {
        struct table table = { 0 };
        struct buf text = { 0 };
        table_row(&table, 6,
                  (const char *const[]){ "ID", "NAME", "ROLE", "DEVICE", "CREATED", "REVOKED" });
        size_t at = 0;
        const json_t *token = NULL;
        json_array_foreach(json_object_get(answer, "tokens"), at, token)
        {
            char id[32];
            snprintf(id, sizeof id, "%lld", (long long)json_number(token, "id"));
            table_row(
                &table, 6,
                (const char *const[]){ *json_text(token, "id") != 0 ? json_text(token, "id") : id,
                                       json_text(token, "name"), json_text(token, "role"),
                                       json_text(token, "device"), json_text(token, "created_at"),
                                       json_text(token, "revoked_at") });
        }
        table_render(&table, cli->colour, SIZE_MAX, &text);
        output_flush(&text);
        buf_done(&text);
        table_done(&table);
    }
    json_decref(answer);
    return code;
}

static int revoke(struct cli *cli)
{
    int first = CLI_OK;
    for (size_t i = 1; i < cli->options.arguments_count; i++) {
        struct buf path = { 0 };
        buf_append_text(&path, "/api/v1/tokens/");
        http_escape(&path, cli->options.arguments[i]);
        struct http_exchange exchange = { .method = "DELETE", .path = buf_text(&path) };
        http_perform(cli->http, &exchange);
        int code = CLI_OK;
        if (exchange.status / 100 != 2) {
            code = http_refused(cli->http, &exchange);
        } else if (!cli->json) {
            printf("%s is revoked\n", cli->options.arguments[i]);
        }
        first = first == CLI_OK ? code : first;
        http_exchange_done(cli->http, &exchange);
        buf_done(&path);
    }
    return first;
}

static int token(struct cli *cli)
{
    const char *what = cli->options.arguments[0];
    size_t more = cli->options.arguments_count - 1;
    bool is_revoke = strcmp(what, "revoke") == 0;
    if (is_revoke ? more == 0 : more > 0) {
        return cli_fail(
            CLI_USAGE,
            is_revoke ? "token revoke needs a NAME or ID" : "token %s takes no arguments", what);
    }
    if (strcmp(what, "create") == 0) {
        return create(cli);
    }
    return is_revoke ? revoke(cli) : list(cli);
}

static const struct option options[] = {
    { .name = "role",
      .operand = "ROLE",
      .help = "What it allows; agent: to be one device.",
      .words = "viewer operator admin agent" },
    { .name = "device", .operand = "NAME", .help = "For an agent: the device that it is." },
    { .name = "name", .operand = "NAME", .help = "What it is called; default: the device's name." },
    { .name = NULL },
};

const struct verb verb_token = {
    .name = "token",
    .summary = "Create, list and revoke tokens",
    .usage = "create --role ROLE [--device NAME] [--name NAME] | list | revoke NAME…",
    .text = "A new token is printed alone on stdout, and never again. Before the first one every "
            "local user\nis admin over TCP; the daemon's Unix socket always is.",
    .example = "asterism token create --role agent --device edge-1 > edge-1.token\n"
               "asterism --url unix:/var/lib/asterism/admin.sock token create --role admin "
               "--name me\n"
               "asterism token revoke edge-1\n",
    .options = options,
    .operand = CLI_OPERAND_WORD,
    .words = "create list revoke",
    .arguments_min = 1,
    .arguments_max = OPTIONS_ARGUMENTS_MAX,
    .run = token,
};
