/* `export` and `schema`: texts of the daemon's that are made to be kept in files. */
#include <inttypes.h>

#include "cli/cli.h"
#include "cli/http.h"
#include "cli/output.h"
#include "cli/tasks.h"

/* As it came: it is JSON, laid out to be read. */
static int print(struct cli *cli, const char *path)
{
    struct http_exchange exchange = { .method = "GET", .path = path };
    http_perform(cli->http, &exchange);
    int code = CLI_OK;
    if (exchange.status != 200) {
        code = http_refused(cli->http, &exchange);
    } else {
        output_flush(&exchange.answer);
    }
    http_exchange_done(cli->http, &exchange);
    return code;
}

static int export(struct cli *cli)
{
    const char *revision = options_get(&cli->options, "revision");
    uint64_t number = 0;
    if (revision != NULL &&
        (!str_to_uint64(str_of(revision), UINT32_MAX, &number) || number == 0)) {
        return cli_fail(CLI_USAGE, "\"%s\" is not the number of a revision", revision);
    }
    struct buf path = { 0 };
    tasks_path(&path, cli->options.arguments[0], revision == NULL ? "/export" : "/plan");
    if (revision != NULL) {
        buf_printf(&path, "?revision=%" PRIu64, number);
    }
    int code = print(cli, buf_text(&path));
    buf_done(&path);
    return code;
}

static int schema(struct cli *cli)
{
    struct buf path = { 0 };
    const char *name = cli->options.arguments_count == 0 ? "spec" : cli->options.arguments[0];
    if (!options_word_in("spec edit", name)) {
        return cli_fail(CLI_USAGE, "there is a schema of: spec edit");
    }
    buf_printf(&path, "/api/v1/schema/%s", name);
    int code = print(cli, buf_text(&path));
    buf_done(&path);
    return code;
}

static const struct option export_options[] = {
    { .name = "revision",
      .operand = "N",
      .help = "As the plan was at that revision. Default: as it is." },
    { .name = NULL },
};

const struct verb verb_export = {
    .name = "export",
    .summary = "Print the plan of a constellation as a spec",
    .usage = "ID",
    .text = "Submitted again, it gives the same plan.",
    .example = "asterism export nightly-7k2m > nightly.json\n"
               "asterism export nightly-7k2m --revision 1 | asterism run -\n",
    .options = export_options,
    .operand = CLI_OPERAND_ID,
    .arguments_min = 1,
    .arguments_max = 1,
    .run = export,
};

const struct verb verb_schema = {
    .name = "schema",
    .summary = "Print the JSON Schema of a spec or of an edit",
    .usage = "[spec | edit]",
    .text = "For editors, and for tools that let a program write them.",
    .example = "asterism schema edit > edit.schema.json\n",
    .operand = CLI_OPERAND_WORD,
    .words = "spec edit",
    .arguments_max = 1,
    .run = schema,
};
