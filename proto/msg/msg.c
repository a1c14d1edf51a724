#include "proto/msg/msg.h"

const char *msg_kind_name(enum msg_kind kind)
{
    static const char *const names[] = {
        [MSG_NONE] = "none",         [MSG_HELLO] = "Hello",     [MSG_WELCOME] = "Welcome",
        [MSG_READY] = "Ready",       [MSG_PING] = "Ping",       [MSG_PONG] = "Pong",
        [MSG_ASSIGN] = "Assign",     [MSG_STARTED] = "Started", [MSG_OUTPUT] = "Output",
        [MSG_FINISHED] = "Finished", [MSG_ACK] = "Ack",         [MSG_CANCEL] = "Cancel",
        [MSG_ERROR] = "Error",       [MSG_GOODBYE] = "Goodbye",
    };
    return (unsigned)kind < sizeof names / sizeof names[0] ? names[kind] : "unknown";
}

const char *msg_error_name(enum msg_error_code code)
{
    static const char *const names[] = {
        [0] = "unknown",
        [MSG_ERROR_PROTOCOL] = "protocol",
        [MSG_ERROR_LIMIT] = "limit",
        [MSG_ERROR_IDENTITY] = "identity",
        [MSG_ERROR_DUPLICATE] = "duplicate",
        [MSG_ERROR_VERSION] = "version",
        [MSG_ERROR_OVERLOAD] = "overload",
        [MSG_ERROR_LEASE] = "lease",
        [MSG_ERROR_DISPLACED] = "displaced",
        [MSG_ERROR_RECEIPT] = "receipt",
        [MSG_ERROR_SHUTDOWN] = "shutdown",
    };
    return (unsigned)code < sizeof names / sizeof names[0] ? names[code] : "unknown";
}

const char *outcome_name(enum outcome outcome)
{
    static const char *const names[] = {
        [0] = "none",
        [OUTCOME_EXITED] = "exited",
        [OUTCOME_SIGNALLED] = "signalled",
        [OUTCOME_TIMED_OUT] = "timed_out",
        [OUTCOME_CANCELLED] = "cancelled",
        [OUTCOME_START_FAILED] = "start_failed",
        [OUTCOME_DISCONNECTED] = "disconnected",
    };
    return (unsigned)outcome < sizeof names / sizeof names[0] ? names[outcome] : "unknown";
}

const char *executor_name(enum executor executor)
{
    static const char *const names[] = {
        [0] = "none",
        [EXECUTOR_RUN] = "run",
        [EXECUTOR_SHELL] = "shell",
        [EXECUTOR_NOOP] = "noop",
        [EXECUTOR_SLEEP] = "sleep",
    };
    return (unsigned)executor < sizeof names / sizeof names[0] ? names[executor] : "unknown";
}

const char *held_state_name(enum held_state state)
{
    static const char *const names[] = {
        [0] = "none",
        [HELD_ACCEPTED] = "accepted",
        [HELD_RUNNING] = "running",
        [HELD_FINISHED] = "finished",
        [HELD_DIED] = "died",
    };
    return (unsigned)state < sizeof names / sizeof names[0] ? names[state] : "unknown";
}
