/* What both programs' networking stands on: the nest and its timer, addresses, queues, TLS. */
#include <curl/curl.h>
#include <event2/event.h>
#include <libwebsockets.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/net/nest.h"
#include "common/net/outbox.h"
#include "common/net/ws_client.h"
#include "common/net/ws_url.h"
#include "tests/unit/net_house.h"

static void an_address_is_understood_or_refused_in_words(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *host_port; /* NULL: refused */
        bool tls;
    } rows[] = {
        { "ws://127.0.0.1:7350", "127.0.0.1:7350", false },
        { "http://daemon.example", "daemon.example:80", false },
        { "wss://daemon.example/", "daemon.example:443", true },
        { "https://[::1]:7350", "[::1]:7350", true },
        { "", NULL, false },
        { "daemon.example:7350", NULL, false },
        { "ftp://daemon.example", NULL, false },
        { "ws://", NULL, false },
        { "ws://:80", NULL, false },
        { "ws://daemon.example:0", NULL, false },
        { "ws://daemon.example:65536", NULL, false },
        { "ws://daemon.example:", NULL, false },
        { "ws://daemon.example:80x", NULL, false },
        { "ws://daemon.example/path", NULL, false },
        { "ws://daemon.example?token=x", NULL, false },
        { "ws://daemon.example#x", NULL, false },
        { "ws://user:secret@daemon.example", NULL, false },
        { "ws://[::1", NULL, false },
        { "ws://[nonsense]:80", NULL, false },
        { "ws://da emon", NULL, false },
        { "ws://daemon\r\nX-Evil: 1", NULL, false },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct ws_url url = { 0 };
        struct reason reason = { "" };
        enum err err = ws_url_parse(rows[i].text, &url, &reason);
        if (rows[i].host_port == NULL) {
            assert_int_equal(err, ERR_INVALID);
            assert_memory_equal(reason.text, "server url: ", 12);
        } else {
            assert_int_equal(err, ERR_NONE);
            assert_string_equal(url.host_port, rows[i].host_port);
            assert_int_equal(url.tls, rows[i].tls);
        }
    }
}

static void a_queue_cuts_frames_between_envelopes_and_keeps_every_byte(void **state)
{
    (void)state;
    struct buf_pool pool = { 0 };
    struct outbox box = { 0 };
    struct buf all = { 0 };
    struct buf sent = { 0 };
    static char envelope[100000];
    unsigned frames = 0;
    for (unsigned i = 0; i < 3000; i++) {
        size_t bytes = i % 500 == 499 ? sizeof envelope : 1 + i * 37 % 3000;
        memset(envelope, (int)(i % 251), bytes);
        buf_append(&all, envelope, bytes);
        outbox_append(&box, &pool, (struct str){ envelope, bytes });
        uint8_t *frame;
        size_t length;
        /* Sent more slowly than it comes, then all of it. */
        while ((i % 40 == 39 || i == 2999) && outbox_next(&box, &frame, &length)) {
            assert_true(length <= OUTBOX_FRAME_BYTES_MAX || length == sizeof envelope);
            memset(frame - LWS_PRE, 0xee, LWS_PRE); /* the frame's header is written there */
            buf_append(&sent, frame, length);
            outbox_advance(&box, &pool);
            frames++;
            if (i != 2999) {
                break;
            }
        }
        assert_int_equal(outbox_queued(&box), all.length - sent.length);
    }
    assert_int_equal(sent.length, all.length);
    assert_memory_equal(sent.data, all.data, all.length);
    assert_true(frames < 100);
    assert_null(box.bytes.data); /* an empty queue holds no memory */
    outbox_done(&box, &pool);
    buf_pool_done(&pool);
    buf_done(&all);
    buf_done(&sent);
}

static int64_t boot_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void count_up(void *context)
{
    ++*(unsigned *)context;
}

static bool never(void *context)
{
    (void)context;
    return false;
}

static bool has_rung(void *context)
{
    return *(unsigned *)context > 0;
}

static void the_timer_rings_at_its_time_and_not_when_disarmed(void **state)
{
    (void)state;
    struct nest *nest;
    assert_int_equal(nest_new(&nest, NULL), ERR_NONE);
    unsigned rung = 0;
    struct nest_timer *timer = nest_timer_new(nest, count_up, &rung);
    int64_t at_ms = boot_ms() + 30;
    nest_timer_arm(timer, at_ms);
    nest_drain(nest, has_rung, &rung, HOUSE_LIMIT_MS);
    assert_int_equal(rung, 1);
    assert_true(boot_ms() >= at_ms);
    nest_timer_arm(timer, 0); /* long ago: at once */
    nest_run_once(nest, true);
    assert_int_equal(rung, 2);
    nest_timer_arm(timer, boot_ms() + 20);
    nest_timer_arm(timer, INT64_MAX);
    nest_drain(nest, never, NULL, 40);
    assert_int_equal(rung, 2);
    nest_timer_free(timer);
    nest_free(nest);
}

struct dial {
    unsigned opened;
    unsigned frames;
    unsigned closed;
    int code;
    char why[256];
};

static void on_opened(void *context)
{
    ((struct dial *)context)->opened++;
}

static void on_frame(void *context, struct str frame)
{
    (void)frame;
    ((struct dial *)context)->frames++;
}

static void on_writable(void *context)
{
    (void)context;
}

static void on_closed(void *context, int code, const char *why)
{
    struct dial *dial = context;
    dial->closed++;
    dial->code = code;
    snprintf(dial->why, sizeof dial->why, "%s", why);
}

static struct ws_client *client_of(struct house *house, struct dial *dial, const char *url,
                                   const char *ca_file)
{
    *dial = (struct dial){ 0 };
    struct ws_client_config config = { url, "/aip", "aip.v1", "agent-token", ca_file, 1000, 1000 };
    struct ws_client_callbacks callbacks = { dial, on_opened, on_frame, on_writable, on_closed };
    struct ws_client *client = NULL;
    struct reason reason = { "" };
    if (ws_client_new(house->nest, &config, &callbacks, &client, &reason) != ERR_NONE) {
        fail_msg("%s", reason.text);
    }
    return client;
}

static int setup(void **state)
{
    house_set_up(state);
    struct house *house = *state;
    house->wants_token = true;
    house->echoes = true;
    return 0;
}

struct tls_files {
    char cert[256];
    char key[256];
};

static void use_tls(struct house *house, struct tls_files *files, const char *names)
{
    house_certificate(house, "server", names);
    snprintf(files->cert, sizeof files->cert, "%s", house_path(house, "server.pem"));
    snprintf(files->key, sizeof files->key, "%s", house_path(house, "server.key"));
    house->config.cert_file = files->cert;
    house->config.key_file = files->key;
}

static void over_tls_only_the_right_authority_and_name_are_trusted(void **state)
{
    struct house *house = *state;
    struct tls_files files;
    use_tls(house, &files, "IP:127.0.0.1");
    house_open(house);
    house_certificate(house, "stranger", "IP:127.0.0.1,DNS:localhost");
    char stranger[256];
    snprintf(stranger, sizeof stranger, "%s", house_path(house, "stranger.pem"));
    char url[64];
    char by_name[64];
    char plain[64];
    snprintf(url, sizeof url, "wss://127.0.0.1:%u", net_port(house->net));
    snprintf(by_name, sizeof by_name, "wss://localhost:%u", net_port(house->net));
    snprintf(plain, sizeof plain, "ws://127.0.0.1:%u", net_port(house->net));

    struct dial dial;
    struct ws_client *client = client_of(house, &dial, url, files.cert);
    ws_client_dial(client);
    house_until_count(house, &dial.opened, 1);
    assert_int_equal(ws_client_send(client, STR("hello")), ERR_NONE);
    house_until_count(house, &dial.frames, 1);
    ws_client_free(client);

    const struct {
        const char *url;
        const char *ca_file;
        const char *words;
    } refused[] = {
        { url, stranger, "no authority that is trusted here vouches for the server's certificate" },
        { url, NULL, "no authority that is trusted here" },
        { by_name, files.cert, "the server's certificate does not name localhost" },
        { plain, NULL, "wss://" },
    };
    house_until_count(house, &house->closed, 1);
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        client = client_of(house, &dial, refused[i].url, refused[i].ca_file);
        ws_client_dial(client);
        house_until_count(house, &dial.closed, 1);
        assert_int_equal(dial.opened, 0);
        assert_int_equal(dial.code, 0);
        if (strstr(dial.why, refused[i].words) == NULL) {
            fail_msg("\"%s\" does not say \"%s\"", dial.why, refused[i].words);
        }
        ws_client_free(client);
    }
    assert_int_equal(house->opened, 1);
}

static void over_tls_an_ipv6_address_must_be_in_the_certificate(void **state)
{
    struct house *house = *state;
    struct tls_files files;
    use_tls(house, &files, "IP:::1");
    house->config.listen = "[::1]:0";
    int fd = socket(AF_INET6, SOCK_STREAM, 0);
    struct sockaddr_in6 address = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
    bool has_ipv6 = fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0;
    close(fd);
    if (!has_ipv6) {
        skip();
    }
    house_open(house);
    char url[64];
    snprintf(url, sizeof url, "wss://[::1]:%u", net_port(house->net));
    struct dial dial;
    struct ws_client *client = client_of(house, &dial, url, files.cert);
    ws_client_dial(client);
    house_until_count(house, &dial.opened, 1);
    ws_client_free(client);
    net_free(house->net);

    use_tls(house, &files, "IP:::2");
    char other[256];
    snprintf(other, sizeof other, "%s/./server.pem", house->folder); /* not the cached authority */
    house_open(house);
    snprintf(url, sizeof url, "wss://[::1]:%u", net_port(house->net));
    client = client_of(house, &dial, url, other);
    ws_client_dial(client);
    house_until_count(house, &dial.closed, 1);
    assert_string_equal(dial.why, "the server's certificate does not name ::1");
    ws_client_free(client);
}

static void a_certificate_that_does_not_serve_is_explained(void **state)
{
    struct house *house = *state;
    struct tls_files files;
    use_tls(house, &files, "IP:127.0.0.1");
    house_certificate(house, "other", "IP:127.0.0.1");
    house_write(house, "empty.pem", "nothing\n");
    char other[256];
    char empty[256];
    snprintf(other, sizeof other, "%s", house_path(house, "other.key"));
    snprintf(empty, sizeof empty, "%s", house_path(house, "empty.pem"));
    const struct {
        const char *cert;
        const char *key;
        const char *words;
    } rows[] = {
        { files.cert, other, "does not belong" },
        { empty, files.key, "cannot be read as a PEM certificate" },
        { files.cert, empty, "cannot be read as a PEM key" },
        { "/nowhere/cert.pem", files.key, "cannot be read as a PEM certificate" },
        { files.cert, NULL, "needs a certificate file and a key file" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct net_config config = house->config;
        struct net_handlers none = { 0 };
        struct net *net = NULL;
        struct reason reason = { "" };
        config.cert_file = rows[i].cert;
        config.key_file = rows[i].key;
        assert_int_equal(net_new(house->nest, &config, &none, &net, &reason), ERR_INVALID);
        assert_non_null(strstr(reason.text, rows[i].words));
    }
    struct ws_client_config config = { "wss://localhost", "/aip", "aip.v1", NULL, empty, 1, 1 };
    struct ws_client_callbacks callbacks = { 0 };
    struct ws_client *client = NULL;
    struct reason reason = { "" };
    assert_int_equal(ws_client_new(house->nest, &config, &callbacks, &client, &reason),
                     ERR_INVALID);
    assert_non_null(strstr(reason.text, "empty.pem"));
    config.ca_file = NULL;
    config.token = "two\r\nlines";
    assert_int_equal(ws_client_new(house->nest, &config, &callbacks, &client, &reason),
                     ERR_INVALID);
}

/* libcurl blocks, so it runs beside the loop. */
struct fetch {
    char url[64];
    const char *ca_file;
    CURLcode result;
    long status;
    long version;
    int done[2]; /* a pipe */
};

/* NOLINTNEXTLINE(readability-non-const-parameter): the type is curl_write_callback's */
static size_t ignore(char *data, size_t size, size_t count, void *context)
{
    (void)data;
    (void)context;
    return size * count;
}

static void *fetch_twice(void *context)
{
    struct fetch *fetch = context;
    CURL *curl = curl_easy_init();
    struct curl_slist *headers = curl_slist_append(NULL, "Authorization: Bearer viewer-token");
    curl_easy_setopt(curl, CURLOPT_URL, fetch->url);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_CAINFO, fetch->ca_file);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, ignore);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)HOUSE_LIMIT_MS);
    fetch->result = curl_easy_perform(curl);
    if (fetch->result == CURLE_OK) {
        fetch->result = curl_easy_perform(curl);
    }
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &fetch->status);
    curl_easy_getinfo(curl, CURLINFO_HTTP_VERSION, &fetch->version);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    if (write(fetch->done[1], "", 1) != 1) {
        abort();
    }
    return NULL;
}

static void fetched(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    count_up(context);
}

static void https_is_spoken_as_http_1_1(void **state)
{
    struct house *house = *state;
    struct tls_files files;
    use_tls(house, &files, "IP:127.0.0.1");
    house_open(house);
    struct fetch fetch = { .ca_file = files.cert };
    snprintf(fetch.url, sizeof fetch.url, "https://127.0.0.1:%u/known", net_port(house->net));
    assert_int_equal(pipe(fetch.done), 0);
    unsigned done = 0;
    struct event *event = event_new(nest_base(house->nest), fetch.done[0], EV_READ, fetched, &done);
    event_add(event, NULL);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, fetch_twice, &fetch), 0);
    house_until_count(house, &done, 1);
    pthread_join(thread, NULL);
    event_free(event);
    close(fetch.done[0]);
    close(fetch.done[1]);
    assert_int_equal(fetch.result, CURLE_OK);
    assert_int_equal(fetch.status, 200);
    assert_int_equal(fetch.version, CURL_HTTP_VERSION_1_1);
    assert_int_equal(house->requests, 2);
}

static void a_dial_that_leads_nowhere_ends_with_words(void **state)
{
    struct house *house = *state;
    house_open(house);
    char url[64];
    snprintf(url, sizeof url, "ws://127.0.0.1:%u", net_port(house->net));
    net_stop_listening(house->net);
    static const char *const nowhere = "ws://no-such-host.invalid:1";
    const char *const urls[] = { url, nowhere };
    for (size_t i = 0; i < 2; i++) {
        struct dial dial;
        struct ws_client *client = client_of(house, &dial, urls[i], NULL);
        ws_client_dial(client);
        assert_int_equal(dial.closed, 0); /* never from inside */
        house_until_count(house, &dial.closed, 1);
        assert_true(strlen(dial.why) > 10);
        assert_int_equal(dial.opened, 0);
        ws_client_free(client);
    }
    /* Freed, or closed, while it is dialling. */
    for (size_t i = 0; i < 2; i++) {
        struct dial dial;
        struct ws_client *client = client_of(house, &dial, urls[i], NULL);
        ws_client_dial(client);
        nest_run_once(house->nest, false);
        ws_client_free(client);
        client = client_of(house, &dial, urls[i], NULL);
        ws_client_dial(client);
        ws_client_close(client, 1000, "changed my mind");
        house_until_count(house, &dial.closed, 1);
        assert_string_equal(dial.why, "changed my mind");
        ws_client_free(client);
    }
}

static void a_name_is_dialled_at_each_of_its_addresses(void **state)
{
    struct house *house = *state;
    house_open(house); /* on 127.0.0.1 only; localhost may be ::1 first */
    char url[64];
    snprintf(url, sizeof url, "ws://localhost:%u", net_port(house->net));
    struct dial dial;
    struct ws_client *client = client_of(house, &dial, url, NULL);
    ws_client_dial(client);
    house_until_count(house, &dial.opened, 1);
    ws_client_free(client);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, house_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_is_understood_or_refused_in_words),
        cmocka_unit_test(a_queue_cuts_frames_between_envelopes_and_keeps_every_byte),
        cmocka_unit_test(the_timer_rings_at_its_time_and_not_when_disarmed),
        TEST(over_tls_only_the_right_authority_and_name_are_trusted),
        TEST(over_tls_an_ipv6_address_must_be_in_the_certificate),
        TEST(a_certificate_that_does_not_serve_is_explained),
        TEST(https_is_spoken_as_http_1_1),
        TEST(a_dial_that_leads_nowhere_ends_with_words),
        TEST(a_name_is_dialled_at_each_of_its_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
