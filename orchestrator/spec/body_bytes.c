#include "orchestrator/spec/body_bytes.h"

enum {
    FIXED_BYTES = 256, /* the numbers, with their tags */
    TEXT_BYTES = 16,   /* the tags and the lengths around one text or pair */
};

size_t body_bytes(const struct msg_body *body)
{
    size_t bytes = FIXED_BYTES + body->shell.length + body->cwd.length + body->stdin_data.length;
    for (size_t i = 0; i < body->argv_count; i++) {
        bytes += TEXT_BYTES + body->argv[i].length;
    }
    for (size_t i = 0; i < body->env_count; i++) {
        bytes += TEXT_BYTES + body->env[i].key.length + body->env[i].value.length;
    }
    return bytes;
}
