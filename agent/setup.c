/* Making an agent from its settings, and taking it apart again. */
#include <event2/event.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>

#include "agent/agent.h"
#include "agent/profile.h"
#include "common/base/mem.h"
#include "common/sys/log.h"
#include "common/sys/random.h"
#include "proto/wire.h"

enum { DECODED_BYTES_MAX = 16 * 1024 * 1024 }; /* what one envelope may expand to */

enum err agent_client_new(struct agent *agent, struct reason *reason)
{
    struct ws_client_config config = {
        .url = agent->settings->server,
        .path = "/aip",
        .subprotocol = WIRE_SUBPROTOCOL,
        .token = agent->token[0] == '\0' ? NULL : agent->token,
        .ca_file = agent->settings->ca_file,
        .frame_bytes_max = MSG_FRAME_BYTES_MAX,
        .queue_bytes_max = AGENT_QUEUE_BYTES_MAX,
    };
    struct ws_client_callbacks callbacks = agent_ws_callbacks(agent);
    return ws_client_new(agent->nest, &config, &callbacks, &agent->client, reason);
}

static enum err token_read(struct agent *agent, struct reason *reason)
{
    if (agent->settings->token_file == NULL) {
        return ERR_NONE;
    }
    bool exposed = false;
    enum err err = file_read_secret(agent->settings->token_file, agent->token, &exposed, reason);
    if (err == ERR_NONE && exposed) {
        log_warn("token.exposed", "file=%s", log_quote(agent->settings->token_file));
    }
    return err;
}

struct loading {
    struct agent *agent;
    uint64_t fences[MSG_HELD_MAX];
    size_t count;
};

static enum err load_one(void *context, const struct agent_record *record, struct reason *reason)
{
    struct loading *loading = context;
    enum err err = agent_engine_load(loading->agent->engine, record, reason);
    if (err == ERR_NONE) {
        loading->fences[loading->count++] = record->fence;
    }
    return err;
}

/* The journal first: its lock is what keeps a second agent from our work directories. */
static enum err engine_make(struct agent *agent, struct loading *loading, struct reason *reason)
{
    struct agent_engine_config config = { .seed = random_uint64() };
    struct msg_hello *hello = &config.hello;
    enum err err = agent_boot_id_read(&agent->arena, &hello->boot_id, reason);
    if (err == ERR_NONE) {
        err = journal_open(agent->settings->data_dir, hello->boot_id.data, &agent->journal, reason);
    }
    if (err != ERR_NONE) {
        return err;
    }
    struct journal_identity identity = journal_identity(agent->journal);
    hello->device = str_of(agent->settings->device);
    hello->agent_version = STR(ASTERISM_VERSION);
    do {
        hello->process_id = random_uint64();
    } while (hello->process_id == 0);
    hello->journal_id = identity.journal_id;
    hello->session = identity.session;
    hello->receipt = identity.receipt;
    agent_profile_read(agent->settings, &agent->arena, &hello->profile);
    agent->engine = agent_engine_new(&config);
    loading->agent = agent;
    err = journal_each(agent->journal, load_one, loading, reason);
    agent_engine_turn_end(agent->engine);
    return err;
}

static enum err exec_make(struct agent *agent, const struct loading *loading, struct reason *reason)
{
    char *work_dir = mem_format("%s/work", agent->settings->data_dir);
    enum err err = file_make_directories(work_dir, 0700, reason);
    struct exec_config config = { .work_dir = work_dir,
                                  .spares = (unsigned)agent->settings->slots };
    struct exec_callbacks callbacks = agent_exec_callbacks(agent);
    if (err == ERR_NONE) {
        err = exec_new(nest_base(agent->nest), &config, &callbacks, &agent->exec, reason);
    }
    if (err == ERR_NONE) {
        exec_forget_others(agent->exec, loading->fences, loading->count);
    }
    mem_free(work_dir);
    return err;
}

static enum err wiring_make(struct agent *agent, struct reason *reason)
{
    static const int numbers[] = { SIGTERM, SIGINT };
    agent->frame_arena.bytes_max = DECODED_BYTES_MAX;
    agent->timer = nest_timer_new(agent->nest, agent_on_wake, agent);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        agent->signals[i] =
            evsignal_new(nest_base(agent->nest), numbers[i], agent_on_signal, agent);
        if (agent->signals[i] == NULL || event_add(agent->signals[i], NULL) != 0) {
            return reason_set(reason, ERR_IO, "cannot watch for signals");
        }
    }
    return agent_client_new(agent, reason);
}

static void agent_done(struct agent *agent)
{
    exec_free(agent->exec);
    ws_client_free(agent->client);
    for (size_t i = 0; i < sizeof agent->signals / sizeof agent->signals[0]; i++) {
        if (agent->signals[i] != NULL) {
            event_free(agent->signals[i]);
        }
    }
    if (agent->timer != NULL) {
        nest_timer_free(agent->timer);
    }
    if (agent->nest != NULL) {
        nest_free(agent->nest);
    }
    agent_engine_free(agent->engine);
    journal_close(agent->journal);
    agent_effects_done(&agent->effects);
    arena_done(&agent->frame_arena);
    arena_done(&agent->body_arena);
    arena_done(&agent->arena);
    buf_done(&agent->out);
    buf_done(&agent->spool);
    explicit_bzero(agent->token, sizeof agent->token);
    mem_free(agent);
}

enum err agent_run(const struct agent_settings *settings, struct reason *reason)
{
    struct agent *agent = mem_alloc(sizeof *agent);
    struct loading *loading = mem_alloc(sizeof *loading);
    agent->settings = settings;
    enum err err = token_read(agent, reason);
    if (err == ERR_NONE) {
        err = engine_make(agent, loading, reason);
    }
    if (err == ERR_NONE) {
        err = nest_new(&agent->nest, reason);
    }
    if (err == ERR_NONE) {
        err = wiring_make(agent, reason);
    }
    if (err == ERR_NONE) {
        err = exec_make(agent, loading, reason);
    }
    size_t held = loading->count;
    mem_free(loading);
    if (err == ERR_NONE) {
        log_info("agent.start", "device=%s server=%s data_dir=%s slots=%" PRId64 " held=%zu",
                 log_quote(settings->device), log_quote(settings->server),
                 log_quote(settings->data_dir), settings->slots, held);
        err = agent_loop(agent, reason);
    }
    agent_done(agent);
    return err;
}
