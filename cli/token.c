/* `token`: who may speak to the daemon. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/http.h"
#include "cli/output.h"
#include "common/sys/file.h"

/* The wish as JSON, for the caller to free; NULL after words. */
static char *wish_of(const struct options *options)
{
    const char *role = options_get(options, "role");
    const char *device = options_get(options, "device");
    const char *name = options_get(options, "name");
    if (role == NULL) {
        cli_fail(CLI_USAGE, "token create needs --role viewer, operator, admin or agent");
        return NULL;
    }
    if ((strcmp(role, "agent") == 0) != (device != NULL)) {
        cli_fail(CLI_USAGE, device == NULL ? "an agent's token needs --device NAME"
                                           : "--device goes with --role agent only");
        return NULL;
    }
    if (name == NULL && device == NULL) {
        cli_fail(CLI_USAGE, "token create needs --name NAME");
        return NULL;
    }
    json_t *body = json_object();
    json_object_set_new(body, "name", json_string(name == NULL ? device : name));
    json_object_set_new(body, "role", json_string(role));
    if (device != NULL) {
        json_object_set_new(body, "device", json_string(device));
    }
    char *text = json_dumps(body, JSON_COMPACT);
    json_decref(body);
    return text;
}

/* Made before the token is: one that could not be kept would be lost. */
static int make_file(const char *path, int *ret_fd)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 && errno == EEXIST) {
        return cli_fail(CLI_USAGE, "--out: %s is there already, and is not overwritten", path);
    }
    if (fd < 0) {
        return cli_fail(CLI_USAGE, "--out: cannot make %s: %s", path, strerror(errno));
    }
    *ret_fd = fd;
    return CLI_OK;
}

static bool write_file(int fd, const char *token)
{
    struct buf line = { 0 };
    buf_printf(&line, "%s\n", token);
    struct str bytes = { (const char *)line.data, line.length };
    bool good = file_write_open(fd, bytes, "", NULL) == ERR_NONE && fsync(fd) == 0;
    explicit_bzero(line.data, line.length);
    buf_done(&line);
    return good;
}

static void tell_token(struct cli *cli, json_t *answer, const char *path)
{
    if (cli->json && path != NULL) {
        json_object_del(answer, "token");
        json_object_set_new(answer, "file", json_string(path));
    }
    if (cli->json) {
        output_json(answer);
    } else if (path != NULL) {
        cli_note("the token %s is in %s, which only its owner reads", json_text(answer, "name"),
                 path);
    } else {
        printf("%s\n", json_text(answer, "token"));
        cli_note("this is the only time it is shown; keep it in a file that only its owner reads "
                 "(--out FILE)");
    }
    if (json_is_true(json_object_get(answer, "is_first"))) {
        cli_note("it is the first token: from now on agents and clients need one (--token-file), "
                 "and those without are cut off; the daemon's Unix socket stays admin");
    }
}

/* After words, unless it is made. */
static int make_token(struct cli *cli, const char *wish, const char *path, int fd)
{
    struct http_exchange exchange = {
        .method = "POST",
        .path = "/api/v1/tokens",
        .body = str_of(wish),
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
        if (path != NULL && !write_file(fd, json_text(answer, "token"))) {
            code = cli_fail(CLI_FAILED, "cannot write %s: %s; the token is lost: revoke %s", path,
                            strerror(errno), json_text(answer, "name"));
        } else {
            tell_token(cli, answer, path);
        }
        json_decref(answer);
    }
    http_exchange_done(cli->http, &exchange);
    return code;
}

static int create(struct cli *cli)
{
    const char *path = options_get(&cli->options, "out");
    char *wish = wish_of(&cli->options);
    int fd = -1;
    int code = wish == NULL ? CLI_USAGE : path == NULL ? CLI_OK : make_file(path, &fd);
    if (code == CLI_OK) {
        code = make_token(cli, wish, path, fd);
        if (code != CLI_OK && path != NULL) {
            unlink(path);
        }
    }
    if (fd >= 0) {
        close(fd);
    }
    free(wish);
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

static int revoke_all(struct cli *cli)
{
    int first = CLI_OK;
    json_t *revoked = json_array();
    for (size_t i = 1; i < cli->options.arguments_count; i++) {
        struct buf path = { 0 };
        buf_append_text(&path, "/api/v1/tokens/");
        http_escape(&path, cli->options.arguments[i]);
        struct http_exchange exchange = { .method = "DELETE", .path = buf_text(&path) };
        http_perform(cli->http, &exchange);
        int code = CLI_OK;
        if (exchange.status / 100 != 2) {
            code = http_refused(cli->http, &exchange);
        } else if (cli->json) {
            json_array_append_new(revoked, json_string(cli->options.arguments[i]));
        } else {
            printf("%s is revoked\n", cli->options.arguments[i]);
        }
        first = first == CLI_OK ? code : first;
        http_exchange_done(cli->http, &exchange);
        buf_done(&path);
    }
    if (cli->json) {
        output_json(revoked);
    }
    json_decref(revoked);
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
    return is_revoke ? revoke_all(cli) : list(cli);
}

static const struct option options[] = {
    { .name = "role",
      .operand = "ROLE",
      .help = "What it allows; agent: to be one device.",
      .words = "viewer operator admin agent" },
    { .name = "device", .operand = "NAME", .help = "For an agent: the device that it is." },
    { .name = "name", .operand = "NAME", .help = "What it is called; default: the device's name." },
    { .name = "out",
      .operand = "PATH",
      .help = "Write the token into this new file, which only its owner can read." },
    { .name = NULL },
};

const struct verb verb_token = {
    .name = "token",
    .summary = "Create, list and revoke tokens",
    .usage = "create --role ROLE [--device NAME] [--name NAME] [--out PATH] | list | revoke NAME…",
    .text = "A new token is printed alone on stdout, or written to a file, and never shown again. "
            "Before the\nfirst one every local user is admin over TCP; from the first one on every "
            "agent and client needs\none. The daemon's Unix socket always is admin. The first "
            "token is an admin's, or made over it.",
    .example = "asterism --url unix:/var/lib/asterism/admin.sock token create --role admin "
               "--name me --out me.token\n"
               "asterism token create --role agent --device edge-1 --out edge-1.token\n"
               "asterism token revoke edge-1\n",
    .options = options,
    .operand = CLI_OPERAND_WORD,
    .words = "create list revoke",
    .arguments_min = 1,
    .arguments_max = OPTIONS_ARGUMENTS_MAX,
    .run = token,
};
