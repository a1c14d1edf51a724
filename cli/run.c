/* `run` and `submit`: a spec, or one command, into the daemon. */
#include <stdio.h>

#include "cli/command.h"
#include "cli/http.h"
#include "cli/output.h"
#include "cli/submit.h"
#include "cli/watch.h"

static int run(struct cli *cli)
{
    const struct options *given = &cli->options;
    bool is_command = given->command_count > 0;
    int64_t deadline_ms = 0;
    if (!watch_deadline(cli, &deadline_ms)) {
        return CLI_USAGE;
    }
    if (is_command ? given->arguments_count != 0 : given->arguments_count != 1) {
        return cli_fail(CLI_USAGE,
                        "run takes one FILE, or a command behind --; see  asterism help run");
    }
    static const char *const of_commands[] = { "on", "device", "env", "name", "stdin", "no-stdin" };
    for (size_t i = 0; i < sizeof of_commands / sizeof of_commands[0] && !is_command; i++) {
        if (options_has(given, of_commands[i])) {
            return cli_fail(CLI_USAGE, "--%s goes with a command behind --", of_commands[i]);
        }
    }
    if (is_command && options_has(given, "param")) {
        return cli_fail(CLI_USAGE, "--param goes with a spec");
    }
    if (is_command) {
        return command_run(cli, deadline_ms);
    }
    json_t *constellation = NULL;
    json_t *end = NULL;
    int code = submit_file(cli, given->arguments[0], &constellation);
    if (code == CLI_OK) {
        code = watch_constellation(cli, json_text(constellation, "id"), deadline_ms, &end);
    }
    if (cli->json && end != NULL) {
        output_json(end);
    }
    json_decref(end);
    json_decref(constellation);
    return code;
}

static int submit(struct cli *cli)
{
    json_t *constellation = NULL;
    int code = submit_file(cli, cli->options.arguments[0], &constellation);
    if (code == CLI_OK && cli->json) {
        output_json(constellation);
    } else if (code == CLI_OK) {
        printf("%s\n", json_text(constellation, "id"));
    }
    json_decref(constellation);
    return code;
}

static const struct option run_options[] = {
    { .name = "param",
      .letter = 'p',
      .operand = "NAME=VALUE",
      .help = "For a spec: the value of one of its params; may be given several times." },
    { .name = "on", .operand = "SELECTOR", .help = "For a command: which devices may run it." },
    { .name = "device", .operand = "NAME", .help = "For a command: this device runs it." },
    { .name = "env",
      .operand = "NAME=VALUE",
      .help = "For a command; may be given several times." },
    { .name = "name", .operand = "NAME", .help = "For a command: the constellation's name." },
    { .name = "stdin",
      .help = "For a command: read stdin to its end, even from a terminal or a silent pipe." },
    { .name = "no-stdin", .help = "For a command: leave stdin alone, as in a loop that reads it." },
    { .name = "timeout", .operand = "DURATION", .help = "Stop waiting after this long." },
    { .name = NULL },
};

static const struct option submit_options[] = {
    { .name = "param",
      .letter = 'p',
      .operand = "NAME=VALUE",
      .help = "The value of one of its params; may be given several times." },
    { .name = NULL },
};

const struct verb verb_run = {
    .name = "run",
    .summary = "Submit a spec, or one command, and follow it to its end",
    .usage = "FILE [-p NAME=VALUE] | [--on SELECTOR] -- COMMAND…",
    .text =
        "FILE is YAML or JSON; - is stdin. On a terminal the progress is drawn in place, in a "
        "pipe each\nchange is a line. Ctrl-C detaches; the constellation goes on. The exit code "
        "is that of the end:\n0 succeeded, 1 failed, 5 cancelled.\nA command's output comes to "
        "stdout and stderr; with -o json it is in the one document at the end\n(stdout, stderr; "
        "stdout_base64 if it is not UTF-8). A command is given our stdin if that is a file, or\na "
        "pipe in which something comes within a second: UTF-8 text of up to 512 KiB.",
    .example = "asterism run examples/fleet-report.yaml\n"
               "asterism run --on os=linux,role!=edge -- uname -a\n"
               "asterism run --device desktop -- wc -l < /etc/passwd\n"
               "asterism run --timeout 10m nightly.yaml -o json\n",
    .options = run_options,
    .operand = CLI_OPERAND_FILE,
    .arguments_min = 0,
    .arguments_max = 1,
    .takes_command = true,
    .run = run,
};

const struct verb verb_submit = {
    .name = "submit",
    .summary = "Submit a spec and print its id",
    .usage = "FILE [-p NAME=VALUE]",
    .text = "FILE is YAML or JSON; - is stdin. A submission that a lost connection interrupts is "
            "repeated\nunder one key, so that it counts once.",
    .example = "id=$(asterism submit nightly.yaml) && asterism wait \"$id\"\n"
               "asterism submit -p site=paris nightly.yaml\n",
    .options = submit_options,
    .operand = CLI_OPERAND_FILE,
    .arguments_min = 1,
    .arguments_max = 1,
    .run = submit,
};
