/* See api_house.h: the house and its device. Its clients are in api_client.c. */
#include "tests/unit/api_house.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "common/net/nest.h"
#include "common/sys/clock.h"
#include "common/sys/random.h"
#include "orchestrator/answer.h"
#include "orchestrator/parts.h"

enum { CONNECTIONS_MAX = 2 * (API_MUTATIONS_MAX + 1) }; /* more than a test may open */

static struct moment now(void *context)
{
    const struct house *house = context;
    return (struct moment){ clock_boot_ms() + house->skew_ms, clock_wall_ms() + house->skew_ms };
}

static void post(void *context, const struct event *event)
{
    struct house *house = context;
    if (house->in_turn) { /* as the daemon does */
        engine_step(house->engine, event, &house->effects);
        return;
    }
    assert_true(house->events_count < HOUSE_EVENTS_MAX);
    house->events[house->events_count++] = *event;
}

static void wake(void *context)
{
    ((struct house *)context)->is_woken = true;
}

static void tokens_changed(void *context)
{
    ((struct house *)context)->tokens_changed++;
}

static void metrics(void *context, struct api_metrics *ret_metrics)
{
    const struct house *house = context;
    *ret_metrics = (struct api_metrics){ .turns_total = house->turns,
                                         .start_wall_ms = 1000,
                                         .certificate_wall_ms = house->certificate_wall_ms };
    api_histogram_add(&ret_metrics->turn, 700);
}

static void identify(void *context, struct str token, bool over_unix, unsigned uid,
                     struct net_identity *ret_identity)
{
    api_identify(((struct house *)context)->api, token, over_unix, uid, ret_identity);
}

static void channel_opened(void *context, uint64_t channel, const struct net_identity *identity,
                           const char *peer)
{
    (void)context;
    (void)channel;
    (void)identity;
    (void)peer;
}

static void channel_frame(void *context, uint64_t channel, struct str frame)
{
    (void)context;
    (void)channel;
    (void)frame;
}

static void channel_closed(void *context, uint64_t channel, const char *why)
{
    (void)context;
    (void)channel;
    (void)why;
}

static void request(void *context, const struct net_request *net_request)
{
    struct house *house = context;
    assert_false(house->in_turn);
    house->requests++;
    if (house->let_in != NULL) {
        house->let_in(house, net_request);
    } else {
        api_request(house->api, net_request);
    }
}

static void request_gone(void *context, uint64_t id)
{
    api_request_gone(((struct house *)context)->api, id);
}

static void stream_drained(void *context, uint64_t id)
{
    api_stream_drained(((struct house *)context)->api, id);
}

static void open_net(struct house *house)
{
    struct net_config config = {
        .listen = "127.0.0.1:0",
        .unix_path = house->unix_path,
        .body_bytes_max = 8 * 1024 * 1024,
        .frame_bytes_max = MSG_FRAME_BYTES_MAX,
        .channel_queue_bytes_max = 1024 * 1024,
        .stream_queue_bytes_max = 1024 * 1024,
        .connections_max = CONNECTIONS_MAX,
        .request_timeout_ms = 30000,
        .frame_timeout_ms = 30000,
    };
    struct net_handlers handlers = {
        .context = house,
        .identify = identify,
        .channel_opened = channel_opened,
        .channel_frame = channel_frame,
        .channel_closed = channel_closed,
        .request = request,
        .request_gone = request_gone,
        .stream_drained = stream_drained,
    };
    struct reason reason = { "" };
    if (net_new(house->nest, &config, &handlers, &house->net, &reason) != ERR_NONE) {
        fail_msg("net: %s", reason.text);
    }
}

static void open_api(struct house *house)
{
    struct api_config config = {
        .store = house->store,
        .engine = house->engine,
        .net = house->net,
        .nest = house->nest,
        .start = house->start,
        .host = { house, post, wake, now, tokens_changed, metrics, NULL },
        .wake_slice = house->wake_slice,
    };
    struct reason reason = { "" };
    assert_int_equal(api_new(&config, &house->api, &reason), ERR_NONE);
}

struct house *house_new(void)
{
    return house_new_slow(0);
}

static void move_in(struct house *house)
{
    char data_dir[96];
    snprintf(data_dir, sizeof(data_dir), "%s/data", house->directory);
    struct reason reason = { "" };
    assert_int_equal(nest_new(&house->nest, &reason), ERR_NONE);
    struct store_seed seed = { .wall_ms = clock_wall_ms() };
    random_bytes(seed.random, sizeof(seed.random));
    if (store_sqlite_open(data_dir, &seed, &house->store, &house->start, &reason) != ERR_NONE) {
        fail_msg("store: %s", reason.text);
    }
    struct engine_config config = {
        .epoch = house->start.epoch,
        .seed = 7,
        .lease_ms = 60000,
        .ping_ms = 20000,
        .lost_after_ms = 300000,
        .next_constellation_id = house->start.next_constellation_id,
        .next_task_id = house->start.next_task_id,
        .next_edge_id = house->start.next_edge_id,
        .next_hold_id = house->start.next_hold_id,
    };
    house->engine = engine_new(&config);
    house->conditions = condition_engine_new(&reason);
    assert_non_null(house->conditions);
    assert_int_equal(store_load(house->store, house->engine, &reason), ERR_NONE);
    assert_int_equal(engine_load_end(house->engine, now(house), &reason), ERR_NONE);
    open_net(house);
    open_api(house);
}

struct house *house_new_slow(size_t wake_slice)
{
    struct house *house = mem_alloc(sizeof(*house));
    strcpy(house->directory, "/tmp/asterism-api-XXXXXX");
    assert_non_null(mkdtemp(house->directory));
    snprintf(house->unix_path, sizeof(house->unix_path), "%s/admin.sock", house->directory);
    house->wake_slice = wake_slice;
    move_in(house);
    return house;
}

void house_reopen(struct house *house)
{
    net_free(house->net);
    api_free(house->api);
    open_net(house);
    open_api(house);
}

static void move_out(struct house *house)
{
    net_free(house->net);
    api_free(house->api);
    engine_free(house->engine);
    condition_engine_free(house->conditions);
    arena_done(&house->arena);
    store_free(house->store);
    nest_free(house->nest);
    effects_done(&house->effects);
}

void house_restart(struct house *house)
{
    house->in_turn = true; /* nobody is answered */
    move_out(house);
    house->in_turn = false;
    house->effects = (struct effects){ 0 };
    house->events_count = 0;
    house->fences_count = 0;
    house->is_woken = false;
    move_in(house);
}

void house_free(struct house *house)
{
    move_out(house);
    char command[128];
    snprintf(command, sizeof(command), "rm -rf '%s'", house->directory);
    assert_int_equal(system(command), 0); // NOLINT(cert-env33-c): a directory that we made
    mem_free(house);
}

void house_post(struct house *house, const struct event *event)
{
    post(house, event);
}

static void must(enum err err, const struct reason *reason)
{
    if (err != ERR_NONE) {
        fail_msg("%s: %s", err_name(err), reason->text);
    }
}

static void step(struct house *house, enum event_kind kind)
{
    struct event event = { .kind = kind, .now = now(house) };
    engine_step(house->engine, &event, &house->effects);
}

/* As the daemon does. */
static void answer_questions(struct house *house)
{
    struct reason reason = { "" };
    struct answering answering = {
        .store = house->store,
        .conditions = house->conditions,
        .arena = &house->arena,
    };
    size_t answered = 0;
    for (size_t i = 0; i < house->effects.count; i++) {
        enum effect_kind kind = house->effects.list[i].kind;
        if (kind != EFFECT_EVALUATE && kind != EFFECT_PREPARE) {
            continue;
        }
        struct event event;
        must(answer_question(&answering, &house->effects, i, &event, &reason), &reason);
        bool put_off = kind == EFFECT_PREPARE ? event.prepared.put_off : event.evaluated.put_off;
        house->put_off += put_off;
        answered += !put_off;
        house->answered_max = answered > house->answered_max ? answered : house->answered_max;
        event.now = now(house);
        engine_step(house->engine, &event, &house->effects);
    }
}

void house_turn(struct house *house)
{
    struct reason reason = { "" };
    house->in_turn = true;
    house->is_woken = false;
    house->turns++;
    must(store_begin(house->store, &reason), &reason);
    must(api_turn(house->api, &house->effects, &reason), &reason);
    for (size_t i = 0; i < house->events_count; i++) {
        engine_step(house->engine, &house->events[i], &house->effects);
    }
    house->events_count = 0;
    bool made = false;
    must(parts_make_one(house->store, house->engine, &house->effects, now(house), &house->arena,
                        &made, &reason),
         &reason);
    step(house, EVENT_TICK);
    answer_questions(house);
    step(house, EVENT_DISPATCH);
    must(store_apply(house->store, &house->effects, &reason), &reason);
    for (size_t i = 0; i < house->effects.count; i++) {
        const struct effect *effect = &house->effects.list[i];
        if (effect->kind == EFFECT_REPLY) {
            must(api_reply(house->api, effect, &reason), &reason);
        } else if (effect->kind == EFFECT_ASSIGN) {
            assert_true(house->fences_count < HOUSE_ASSIGNS_MAX);
            house->fences[house->fences_count++] = effect->assign.fence;
        }
    }
    must(store_apply(house->store, &house->effects, &reason), &reason);
    must(store_commit(house->store, &reason), &reason);
    api_committed(house->api, &house->effects);
    for (size_t i = 0; i < house->effects.count; i++) {
        if (house->effects.list[i].kind == EFFECT_PLAN_DONE) {
            api_plan_done(house->api, house->effects.list[i].plan);
        }
    }
    engine_turn_end(house->engine);
    effects_clear(&house->effects);
    arena_clear(&house->arena);
    house->in_turn = false;
}

bool house_is_due(struct house *house)
{
    return !house->is_held && (house->is_woken || house->events_count > 0 ||
                               engine_next_deadline(house->engine) <= now(house).boot_ms);
}

void house_pass(struct house *house)
{
    nest_run_once(house->nest, false);
    if (house_is_due(house)) {
        house_turn(house);
    }
    if (api_next_deadline(house->api) <= now(house).boot_ms) {
        api_tick(house->api, now(house));
    }
}

/* --- A device. --- */

void house_message(struct house *house, struct msg *msg)
{
    struct event event = { .kind = EVENT_MESSAGE, .now = now(house) };
    event.message.channel = 1;
    event.message.msg = msg;
    event.message.bound_device = STR("");
    house_post(house, &event);
    house_turn(house);
}

void house_close_channel(struct house *house)
{
    struct event event = { .kind = EVENT_CHANNEL_CLOSED, .now = now(house) };
    event.channel_closed.channel = 1;
    event.channel_closed.reason = STR("gone");
    house_post(house, &event);
    house_turn(house);
}

void house_connect_device(struct house *house)
{
    house_connect_journal(house, "journal");
}

void house_connect_journal(struct house *house, const char *journal_id)
{
    static const struct str executors[] = { { "run", 3 }, { "noop", 4 } };
    static const struct msg_pair labels[] = { { { "os", 2 }, { "linux", 5 } } };
    struct msg hello = { .kind = MSG_HELLO };
    hello.hello = (struct msg_hello){
        .device = STR("desktop"),
        .agent_version = STR("1"),
        .boot_id = STR("boot"),
        .process_id = 5,
        .journal_id = str_of(journal_id),
        .profile = {
            .os = STR("linux"),
            .arch = STR("x86_64"),
            .hostname = STR("host"),
            .cpus = 2,
            .memory_bytes = 1024,
            .slots = 4,
            .executors = executors,
            .executors_count = 2,
            .labels = labels,
            .labels_count = 1,
        },
    };
    house_message(house, &hello);
    struct device_view view;
    assert_true(engine_find_device(house->engine, STR("desktop"), now(house), &view));
    house->session = view.record->session;
    struct msg ready = { .kind = MSG_READY, .ready = { house->session } };
    house_message(house, &ready);
}

uint64_t house_take_fence(struct house *house)
{
    assert_true(house->fences_count > 0);
    uint64_t fence = house->fences[0];
    house->fences_count--;
    memmove(house->fences, house->fences + 1, house->fences_count * sizeof(house->fences[0]));
    return fence;
}

void house_started(struct house *house, uint64_t fence)
{
    struct msg msg = { .kind = MSG_STARTED, .started = { fence, now(house).wall_ms } };
    house_message(house, &msg);
}

void house_output(struct house *house, uint64_t fence, enum stream stream, uint64_t offset,
                  struct str data)
{
    struct msg msg = { .kind = MSG_OUTPUT, .output = { fence, stream, offset, data } };
    house_message(house, &msg);
}

void house_finished(struct house *house, uint64_t fence, int exit_code, uint64_t stdout_bytes)
{
    struct msg msg = { .kind = MSG_FINISHED };
    msg.finished = (struct msg_finished){
        .fence = fence,
        .outcome = OUTCOME_EXITED,
        .exit_code = exit_code,
        .reason = exit_code == 0 ? (struct str){ NULL, 0 } : STR("exited with a fault"),
        .started_wall_ms = now(house).wall_ms - 5,
        .duration_ms = 5,
        .stdout_bytes = stdout_bytes,
        .result = exit_code == 0 ? STR("{\"rows\":3}") : (struct str){ NULL, 0 },
    };
    house_message(house, &msg);
}
