/* `drain` and `undrain`: devices that are given nothing more. */
#include "cli/cli.h"
#include "cli/output.h"
#include "cli/send.h"

static int change_each(struct cli *cli, const char *rest, const char *words)
{
    json_t *answers = json_array();
    int first = CLI_OK;
    for (size_t i = 0; i < cli->options.arguments_count; i++) {
        struct buf text = { 0 };
        json_t *answer = NULL;
        buf_append_text(&text, "/api/v1/devices/");
        http_escape(&text, cli->options.arguments[i]);
        buf_append_text(&text, rest);
        int code = send_change(cli, "POST", buf_text(&text), NULL, &answer);
        buf_clear(&text);
        if (code == CLI_OK && !cli->json) {
            output_safe(&text, str_of(cli->options.arguments[i]));
            buf_printf(&text, " %s", words);
            if (json_number(answer, "used") > 0 && *rest == '/' && rest[1] == 'd') {
                buf_printf(&text, "; %lld still run there", (long long)json_number(answer, "used"));
            }
            buf_append_text(&text, "\n");
            output_flush(&text);
        }
        if (answer != NULL) {
            json_array_append_new(answers, answer);
        }
        first = first == CLI_OK ? code : first;
        buf_done(&text);
    }
    if (cli->json) {
        output_json(answers);
    }
    json_decref(answers);
    return first;
}

static int drain(struct cli *cli)
{
    return change_each(cli, "/drain", "is given nothing more");
}

static int undrain(struct cli *cli)
{
    return change_each(cli, "/undrain", "is used again");
}

const struct verb verb_drain = {
    .name = "drain",
    .summary = "Give devices nothing more; what runs there goes on",
    .usage = "DEVICE…",
    .text = "It stays so until undrain, also over restarts.",
    .example = "asterism drain desktop\n",
    .operand = CLI_OPERAND_DEVICE,
    .arguments_min = 1,
    .arguments_max = OPTIONS_ARGUMENTS_MAX,
    .run = drain,
};

const struct verb verb_undrain = {
    .name = "undrain",
    .summary = "Use drained devices again",
    .usage = "DEVICE…",
    .example = "asterism undrain desktop\n",
    .operand = CLI_OPERAND_DEVICE,
    .arguments_min = 1,
    .arguments_max = OPTIONS_ARGUMENTS_MAX,
    .run = undrain,
};
