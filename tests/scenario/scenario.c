/* Runs every script that is named on the command line as one test; `--print FILE` shows one with the
   trace that comes of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "tests/scenario/world.h"

static void the_engine_does_what_the_script_says(void **state)
{
    struct buf complaint = { 0 };
    if (!script_run(*state, false, &complaint)) {
        fprintf(stderr, "%s\n", buf_text(&complaint));
        buf_done(&complaint);
        fail();
    }
    buf_done(&complaint);
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "--print") == 0) {
        struct buf complaint = { 0 };
        bool good = script_run(argv[2], true, &complaint);
        fputs(buf_text(&complaint), stderr);
        buf_done(&complaint);
        return !good;
    }
    size_t count = (size_t)argc - 1;
    struct CMUnitTest *tests = mem_array(count, sizeof *tests);
    for (size_t i = 0; i < count; i++) {
        const char *name = strrchr(argv[i + 1], '/');
        tests[i].name = name == NULL ? argv[i + 1] : name + 1;
        tests[i].test_func = the_engine_does_what_the_script_says;
        tests[i].initial_state = argv[i + 1];
    }
    int failed = _cmocka_run_group_tests("scenarios", tests, count, NULL, NULL);
    mem_free(tests);
    return failed;
}
