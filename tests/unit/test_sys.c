/* Clock, log lines, random bytes, digests and small files. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/sys/clock.h"
#include "common/sys/digest.h"
#include "common/sys/file.h"
#include "common/sys/log.h"
#include "common/sys/random.h"

static char directory[64];

static int make_directory(void **state)
{
    (void)state;
    snprintf(directory, sizeof directory, "/tmp/asterism-sys.XXXXXX");
    return mkdtemp(directory) == NULL;
}

static const char *path_of(const char *name)
{
    static char paths[4][128];
    static unsigned turn;
    char *path = paths[turn++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", directory, name);
    return path;
}

static int remove_directory(void **state)
{
    (void)state;
    static const char *const left[] = { "secret", "whole", "a/b/c", "a/b", "a" };
    for (size_t i = 0; i < sizeof left / sizeof left[0]; i++) {
        remove(path_of(left[i]));
    }
    return rmdir(directory);
}

static void write_text(const char *path, const char *text, size_t bytes, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);
    assert_true(fd >= 0);
    assert_int_equal(fchmod(fd, mode), 0);
    assert_int_equal(write(fd, text, bytes), bytes);
    close(fd);
}

static void wall_time_is_written_in_utc_with_milliseconds(void **state)
{
    (void)state;
    char text[CLOCK_TEXT_BYTES];
    clock_format_wall(1795367447123, text);
    assert_string_equal(text, "2026-11-22T17:10:47.123Z");
    clock_format_wall(0, text);
    assert_string_equal(text, "1970-01-01T00:00:00.000Z");
    clock_format_wall(-1, text);
    assert_string_equal(text, "1969-12-31T23:59:59.999Z");
    clock_format_wall(INT64_MAX, text);
    assert_true(strlen(text) < CLOCK_TEXT_BYTES);
}

static void the_boot_clock_never_goes_back(void **state)
{
    (void)state;
    int64_t last = clock_boot_us();
    for (int i = 0; i < 1000; i++) {
        int64_t now = clock_boot_us();
        assert_true(now >= last);
        last = now;
    }
    assert_true(clock_boot_ms() >= last / 1000);
}

static void a_log_line_holds_no_control_character_but_its_end(void **state)
{
    (void)state;
    struct log_line line;
    unsigned length = log_line_make(&line, "info ", "a.b", "x=1\ninfo forged=yes\x1b[2J\r\t\x7f");
    assert_string_equal(line.text, "info a.b x=1\\ninfo forged=yes\\x1b[2J\\r\\t\\x7f\n");
    assert_int_equal(length, strlen(line.text));
    log_line_make(&line, "<6>", "alone", "");
    assert_string_equal(line.text, "<6>alone\n");
}

static void a_long_log_line_is_cut_between_characters(void **state)
{
    (void)state;
    static char message[3 * LOG_LINE_BYTES_MAX + 1];
    for (size_t i = 0; i + 3 < sizeof message; i += 3) {
        message[i] = '\xe2';
        message[i + 1] = '\x82';
        message[i + 2] = '\xac';
    }
    for (size_t from = 0; from < 3; from++) {
        struct log_line line;
        char shift[4] = "abc";
        shift[from] = 0;
        unsigned length = log_line_make(&line, "", shift, message);
        assert_true(length < LOG_LINE_BYTES_MAX);
        assert_true(length > LOG_LINE_BYTES_MAX - 16);
        assert_true(str_is_utf8((struct str){ line.text, length }));
        assert_string_equal(line.text + length - 4, "…\n");
    }
}

static void a_value_is_quoted_only_if_it_must_be(void **state)
{
    (void)state;
    assert_string_equal(log_quote("plain-value/1.2"), "plain-value/1.2");
    assert_string_equal(log_quote(""), "\"\"");
    assert_string_equal(log_quote(NULL), "\"\"");
    assert_string_equal(log_quote("two words"), "\"two words\"");
    assert_string_equal(log_quote("a=\"b\""), "\"a=\\\"b\\\"\"");
    assert_string_equal(log_quote("a\nb"), "\"a\\nb\"");
    const char *first = log_quote("first");
    const char *second = log_quote("second");
    assert_string_equal(first, "first");
    assert_string_equal(second, "second");
    char big[5000];
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = 0;
    assert_true(strlen(log_quote(big)) < 1024);
    memset(big, '\x01', sizeof big - 1);
    assert_true(strlen(log_quote(big)) < 1024);
}

static void levels_have_names(void **state)
{
    (void)state;
    enum log_level level = LOG_LEVEL_INFO;
    assert_true(log_level_of("error", &level));
    assert_int_equal(level, LOG_LEVEL_ERROR);
    assert_false(log_level_of("loud", &level));
    assert_int_equal(level, LOG_LEVEL_ERROR);
}

static void what_is_below_the_level_is_not_written(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    int kept = dup(STDERR_FILENO);
    dup2(ends[1], STDERR_FILENO);
    log_set_level(LOG_LEVEL_WARN);
    log_info("not.written", "k=%d", 1);
    log_warn("is.written", "k=%s", log_quote("a b"));
    log_set_level(LOG_LEVEL_INFO);
    dup2(kept, STDERR_FILENO);
    close(kept);
    close(ends[1]);
    char text[256] = "";
    ssize_t got = read(ends[0], text, sizeof text - 1);
    close(ends[0]);
    assert_true(got > 0);
    assert_null(strstr(text, "not.written"));
    assert_non_null(strstr(text, "Z warn is.written k=\"a b\"\n"));
}

static void random_bytes_differ_and_fill_all_they_are_asked_for(void **state)
{
    (void)state;
    unsigned char a[600] = { 0 };
    unsigned char b[600] = { 0 };
    random_bytes(a, sizeof a);
    random_bytes(b, sizeof b);
    assert_memory_not_equal(a, b, sizeof a);
    assert_memory_not_equal(a + 568, b + 568, 32);
    assert_true(random_uint64() != random_uint64());
}

static void digests_are_the_published_ones(void **state)
{
    (void)state;
    uint8_t digest[DIGEST_BYTES];
    char hex[2 * DIGEST_BYTES + 1];
    digest_sha256("abc", 3, digest);
    digest_hex(digest, sizeof digest, hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    digest_sha256("", 0, digest);
    digest_hex(digest, sizeof digest, hex);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    struct digest *pieces = digest_new();
    digest_add(pieces, "a", 1);
    digest_add(pieces, "", 0);
    digest_add(pieces, "bc", 2);
    digest_end(pieces, digest);
    digest_free(pieces);
    digest_hex(digest, sizeof digest, hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    /* RFC 4231, test case 2. */
    digest_hmac_sha256("Jefe", 4, "what do ya want for nothing?", 28, digest);
    digest_hex(digest, sizeof digest, hex);
    assert_string_equal(hex, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    digest_hmac_sha256(NULL, 0, "", 0, digest);
    digest_hex(digest, sizeof digest, hex);
    assert_string_equal(hex, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

static void digests_are_written_in_hexadecimal_and_compared_whole(void **state)
{
    (void)state;
    static const uint8_t bytes[3] = { 0x00, 0xff, 0x1a };
    char hex[7];
    digest_hex(bytes, 3, hex);
    assert_string_equal(hex, "00ff1a");
    assert_true(digest_equal("abc", "abc", 3));
    assert_false(digest_equal("abc", "abd", 3));
}

static void a_file_is_read_whole_or_refused_by_its_size(void **state)
{
    (void)state;
    const char *path = path_of("whole");
    write_text(path, "0123456789", 10, 0600);
    struct buf bytes = { 0 };
    struct reason reason;
    buf_append_text(&bytes, ">");
    assert_int_equal(file_read(path, 10, &bytes, &reason), ERR_NONE);
    assert_string_equal(buf_text(&bytes), ">0123456789");
    assert_int_equal(file_read(path, 9, &bytes, &reason), ERR_LIMIT);
    assert_int_equal(bytes.length, 11);
    assert_int_equal(file_read(path_of("none"), 9, &bytes, &reason), ERR_NOT_FOUND);
    assert_non_null(strstr(reason.text, "none: No such file"));
    assert_int_equal(file_read(directory, 9, &bytes, &reason), ERR_INVALID);
    buf_done(&bytes);
}

static void a_secret_is_one_line_and_one_that_others_read_is_told(void **state)
{
    (void)state;
    const char *path = path_of("secret");
    char secret[FILE_SECRET_BYTES_MAX] = "kept";
    bool exposed = true;
    struct reason reason;
    write_text(path, "ast_abc\n", 8, 0600);
    assert_int_equal(file_read_secret(path, secret, &exposed, &reason), ERR_NONE);
    assert_string_equal(secret, "ast_abc");
    assert_false(exposed);
    write_text(path, "ast_abc\r\n", 9, 0644);
    assert_int_equal(file_read_secret(path, secret, &exposed, &reason), ERR_NONE);
    assert_string_equal(secret, "ast_abc");
    assert_true(exposed);
    const struct str bad[] = { STR(""),     STR("\n"),    STR("a\nb\n"),  STR("a b"),
                               STR("a\0b"), STR("a\x1b"), STR("\xc3\xa9") };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        write_text(path, bad[i].data, bad[i].length, 0600);
        assert_int_equal(file_read_secret(path, secret, NULL, &reason), ERR_INVALID);
        assert_string_equal(secret, "ast_abc");
    }
    char big[FILE_SECRET_BYTES_MAX + 1];
    memset(big, 'x', sizeof big);
    write_text(path, big, sizeof big, 0600);
    assert_int_equal(file_read_secret(path, secret, NULL, &reason), ERR_LIMIT);
}

static void directories_are_made_with_those_above_them(void **state)
{
    (void)state;
    struct reason reason;
    assert_int_equal(file_make_directories(path_of("a/b/c"), 0700, &reason), ERR_NONE);
    assert_int_equal(file_make_directories(path_of("a/b/c/"), 0700, &reason), ERR_NONE);
    struct stat is;
    assert_int_equal(stat(path_of("a/b/c"), &is), 0);
    assert_int_equal(is.st_mode & 0777, 0700);
    write_text(path_of("whole"), "x", 1, 0600);
    assert_int_not_equal(file_make_directories(path_of("whole"), 0700, &reason), ERR_NONE);
    assert_int_not_equal(file_make_directories(path_of("whole/x"), 0700, &reason), ERR_NONE);
}

static void bytes_are_written_whole_or_the_reason_names_the_file(void **state)
{
    (void)state;
    const char *path = path_of("whole");
    struct reason reason;
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(file_write_open(fd, STR("first "), path, &reason), ERR_NONE);
    assert_int_equal(file_write_open(fd, STR("second"), path, &reason), ERR_NONE);
    close(fd);
    struct buf bytes = { 0 };
    assert_int_equal(file_read(path, 100, &bytes, &reason), ERR_NONE);
    assert_string_equal(buf_text(&bytes), "first second");
    buf_done(&bytes);
    fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(file_write_open(fd, STR("x"), "here", &reason), ERR_IO);
    close(fd);
    assert_non_null(strstr(reason.text, "cannot write here: No space left"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wall_time_is_written_in_utc_with_milliseconds),
        cmocka_unit_test(the_boot_clock_never_goes_back),
        cmocka_unit_test(a_log_line_holds_no_control_character_but_its_end),
        cmocka_unit_test(a_long_log_line_is_cut_between_characters),
        cmocka_unit_test(a_value_is_quoted_only_if_it_must_be),
        cmocka_unit_test(levels_have_names),
        cmocka_unit_test(what_is_below_the_level_is_not_written),
        cmocka_unit_test(random_bytes_differ_and_fill_all_they_are_asked_for),
        cmocka_unit_test(digests_are_the_published_ones),
        cmocka_unit_test(digests_are_written_in_hexadecimal_and_compared_whole),
        cmocka_unit_test(a_file_is_read_whole_or_refused_by_its_size),
        cmocka_unit_test(a_secret_is_one_line_and_one_that_others_read_is_told),
        cmocka_unit_test(directories_are_made_with_those_above_them),
        cmocka_unit_test(bytes_are_written_whole_or_the_reason_names_the_file),
    };
    return cmocka_run_group_tests_name("sys", tests, make_directory, remove_directory);
}
