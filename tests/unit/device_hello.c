#include "tests/unit/device_hello.h"

struct msg device_hello(const char *name, uint32_t slots)
{
    static const struct str executors[] = { { "noop", 4 } };
    struct msg msg = { .kind = MSG_HELLO };
    msg.hello = (struct msg_hello){
        .device = str_of(name),
        .agent_version = STR("1"),
        .boot_id = STR("boot"),
        .process_id = 1,
        .journal_id = str_of(name),
        .profile = { .os = STR("linux"),
                     .arch = STR("x"),
                     .hostname = str_of(name),
                     .slots = slots,
                     .executors = executors,
                     .executors_count = 1 },
    };
    return msg;
}
