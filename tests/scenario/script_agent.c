/* What agents say. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/mem.h"
#include "tests/scenario/script.h"

static uint64_t fence_of(const struct script *script, const char *text)
{
    const struct world *world = &script->world;
    char key[64];
    snprintf(key, sizeof key, "%s", text);
    char *mark = strchr(key, '#');
    if (mark == NULL) {
        return strtoull(text, NULL, 10);
    }
    *mark = 0;
    uint32_t attempt = (uint32_t)strtoul(mark + 1, NULL, 10);
    for (size_t i = 0; i < world->attempts_count; i++) {
        if (world->attempts[i].number == attempt &&
            strcmp(world_key(world, world->attempts[i].task_id), key) == 0) {
            return world->attempts[i].fence;
        }
    }
    return 1; /* never given out */
}

static bool send_message(struct script *script, const struct msg *msg)
{
    struct event event = { .kind = EVENT_MESSAGE };
    event.message.channel = world_device(&script->world, script->words[1])->channel;
    event.message.msg = msg;
    const char *bound = script_option(script, "bound");
    event.message.bound_device = str_of(bound == NULL ? "" : bound);
    event.message.receipt_is_ahead = script_flag(script, "ahead");
    return script_turns(script, &event);
}

static size_t read_held(struct script *script, struct msg_held *held)
{
    static const char *const states[] = { "?", "accepted", "running", "finished", "died" };
    const char *value = script_option(script, "held");
    char list[512];
    snprintf(list, sizeof list, "%s", value == NULL ? "" : value);
    size_t count = 0;
    char *rest = NULL;
    for (char *word = strtok_r(list, ",", &rest); word != NULL; word = strtok_r(NULL, ",", &rest)) {
        char *colon = strchr(word, ':');
        CHECK(colon != NULL);
        *colon = 0;
        held[count].fence = fence_of(script, word);
        for (int state = HELD_ACCEPTED; state <= HELD_DIED; state++) {
            if (strcmp(states[state], colon + 1) == 0) {
                held[count].state = (enum held_state)state;
            }
        }
        CHECK(held[count].state != 0);
        count++;
    }
    return count;
}

bool command_hello(struct script *script)
{
    static uint64_t channels = 0;
    struct world_device *device = world_device(&script->world, script->words[1]);
    uint64_t before = device->channel;
    device->channel = ++channels;
    struct msg_pair labels[WORDS_MAX];
    size_t labels_count = 0;
    static const char *const known[] = { "slots", "journal", "boot", "process", "session",
                                         "bound", "held",    "has",  "tool" };
    for (size_t i = 2; i < script->words_count; i++) {
        char *equals = strchr(script->words[i], '=');
        bool is_option = equals == NULL;
        for (size_t k = 0; k < sizeof known / sizeof known[0]; k++) {
            is_option = is_option || strncmp(script->words[i], known[k], strlen(known[k])) == 0;
        }
        if (!is_option) {
            labels[labels_count].key =
                (struct str){ script->words[i], (size_t)(equals - script->words[i]) };
            labels[labels_count++].value = str_of(equals + 1);
        }
    }
    const char *journal = script_option(script, "journal");
    const char *boot = script_option(script, "boot");
    const char *session = script_option(script, "session");
    static const struct str executors[] = { { "noop", 4 } };
    const char *has = script_option(script, "has");
    const char *tool = script_option(script, "tool");
    struct str tools = str_of(tool == NULL ? "" : tool);
    struct msg_resource resource = { { NULL, 0 }, 0 };
    if (has != NULL) {
        const struct plan_resource *read = script_resource(script, has);
        resource = (struct msg_resource){ read->name, read->amount_milli };
    }
    struct msg_held held[WORDS_MAX];
    struct msg msg = { .kind = MSG_HELLO };
    msg.hello = (struct msg_hello){
        .device = str_of(device->name),
        .agent_version = STR("1"),
        .boot_id = str_of(boot == NULL ? "boot" : boot),
        .process_id = (uint64_t)script_number(script, "process", 1),
        .journal_id = str_of(journal == NULL ? device->name : journal),
        .session = session != NULL && strcmp(session, "last") == 0
                       ? device->session
                       : (uint64_t)script_number(script, "session", (int64_t)device->session),
        .profile = { .os = STR("linux"),
                     .arch = STR("x"),
                     .hostname = str_of(device->name),
                     .cpus = 1,
                     .slots = (uint32_t)script_number(script, "slots", 4),
                     .executors = executors,
                     .executors_count = 1,
                     .labels = labels,
                     .labels_count = labels_count,
                     .tools = &tools,
                     .tools_count = tool != NULL,
                     .resources = &resource,
                     .resources_count = has != NULL },
        .held = held,
        .held_count = read_held(script, held),
    };
    bool good = send_message(script, &msg);
    struct device_view view;
    if (engine_find_device(script->world.engine, str_of(device->name), script->world.now, &view) &&
        view.channel == before) {
        device->channel = before; /* refused: the incumbent stays */
    }
    return good;
}

bool command_started(struct script *script)
{
    struct msg msg = { .kind = MSG_STARTED };
    msg.started.fence = fence_of(script, script->words[2]);
    msg.started.wall_ms = script->world.now.wall_ms;
    return send_message(script, &msg);
}

bool command_output(struct script *script)
{
    struct msg msg = { .kind = MSG_OUTPUT };
    msg.output.fence = fence_of(script, script->words[2]);
    msg.output.stream = STREAM_STDOUT;
    msg.output.offset = (uint64_t)script_number(script, "at", 0);
    size_t bytes = strtoul(script->words[3], NULL, 10);
    msg.output.data = (struct str){ arena_alloc(&script->world.arena, bytes), bytes };
    return send_message(script, &msg);
}

bool command_finished(struct script *script)
{
    struct msg msg = { .kind = MSG_FINISHED };
    msg.finished.fence = fence_of(script, script->words[2]);
    for (int outcome = OUTCOME_EXITED; outcome <= OUTCOME_DISCONNECTED; outcome++) {
        if (strcmp(outcome_name((enum outcome)outcome), script->words[3]) == 0) {
            msg.finished.outcome = (enum outcome)outcome;
        }
    }
    CHECK(msg.finished.outcome != 0);
    int32_t code = script->words_count > 4 ? (int32_t)strtol(script->words[4], NULL, 10) : 0;
    msg.finished.exit_code = msg.finished.outcome == OUTCOME_SIGNALLED ? 0 : code;
    msg.finished.signal = msg.finished.outcome == OUTCOME_SIGNALLED ? code : 0;
    msg.finished.stdout_bytes = (uint64_t)script_number(script, "out", 0);
    msg.finished.duration_ms = script_number(script, "took", 0);
    const char *reason = script_option(script, "reason");
    msg.finished.reason = str_of(reason == NULL ? "" : reason);
    return send_message(script, &msg);
}

bool command_simple_message(struct script *script)
{
    struct msg msg = { .kind = MSG_PING };
    if (strcmp(script->words[0], "ready") == 0) {
        msg.kind = MSG_READY;
        msg.ready.session = world_device(&script->world, script->words[1])->session;
    } else if (strcmp(script->words[0], "goodbye") == 0) {
        msg.kind = MSG_GOODBYE;
        msg.goodbye.reason = STR("goodbye");
    }
    return send_message(script, &msg);
}

bool command_close(struct script *script)
{
    struct event event = { .kind = EVENT_CHANNEL_CLOSED };
    event.channel_closed.channel = world_device(&script->world, script->words[1])->channel;
    event.channel_closed.reason = STR("cut");
    return script_turns(script, &event);
}
