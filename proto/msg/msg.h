/* The messages of the Asterism Interaction Protocol as plain structs: what the engines see. The
   bytes on the wire are made and read by proto/wire.h; what each message means stands in
   proto/README.md. Every pointer in a message is borrowed: it lives as long as the arena it was
   decoded into, or the turn it was made in. */
#ifndef PROTO_MSG_MSG_H
#define PROTO_MSG_MSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/str.h"

/* The limits of the protocol. A sender keeps them as a receiver does. */
enum {
    MSG_ENVELOPE_BYTES_MAX = 1024 * 1024,
    MSG_FRAME_BYTES_MAX = 4 * 1024 * 1024,
    MSG_FRAME_ENVELOPES_MAX = 65536,
    MSG_CHUNK_BYTES_MAX = 64 * 1024,       /* data of one Output */
    MSG_OUTPUT_WINDOW_BYTES = 1024 * 1024, /* unacknowledged output an attempt may have */
    MSG_RESULT_BYTES_MAX = 64 * 1024,      /* a task's `output` value */
    MSG_BODY_BYTES_MAX = 768 * 1024,       /* one task's body */
    MSG_INPUT_BYTES_MAX = 512 * 1024,      /* what placeholders may fill in, a task */
    MSG_NAME_BYTES_MAX = 128,  /* device, label key or value, executor, tool, task key */
    MSG_TEXT_BYTES_MAX = 1024, /* a reason, a version, a profile field, a task's name, an env key */
    MSG_ID_BYTES_MAX = 64,     /* boot id, journal id, start id, HMAC */
    MSG_PATH_BYTES_MAX = 4096,
    MSG_HELD_MAX = 4096,
    MSG_LABELS_MAX = 64,
    MSG_EXECUTORS_MAX = 32,
    MSG_TOOLS_MAX = 256,
    MSG_RESOURCES_MAX = 64,
    MSG_FEATURES_MAX = 32,
    MSG_ARGS_MAX = 4096,
    MSG_ENV_MAX = 1024,
    MSG_BATCH_MAX = 4096, /* tasks in an Assign, fences in a Cancel or an Ack */
    MSG_SLOTS_MAX = 4096,
    MSG_EPOCH_MAX = (1 << 23) - 1, /* the high bits of a fence */
};

/* Fences, sessions, offsets and sizes stay within a signed 64-bit integer, as they are stored. */
#define MSG_NUMBER_MAX      ((uint64_t)INT64_MAX)
#define MSG_DURATION_MS_MAX ((int64_t)3652 * 24 * 3600 * 1000) /* ten years */
#define MSG_WALL_MS_MAX     INT64_C(253402300799999)           /* the end of the year 9999 */

/* The field numbers of the envelope's oneof in aip.proto; never reused. */
enum msg_kind {
    MSG_NONE = 0,
    MSG_HELLO = 1,
    MSG_WELCOME = 2,
    MSG_READY = 3,
    MSG_PING = 4,
    MSG_PONG = 5,
    MSG_ASSIGN = 6,
    MSG_STARTED = 7,
    MSG_OUTPUT = 8,
    MSG_FINISHED = 9,
    MSG_ACK = 10,
    MSG_CANCEL = 11,
    MSG_ERROR = 12,
    MSG_GOODBYE = 13,
    /* 14 Progress, 15 Telemetry and 16 Drain are reserved. */
};

struct msg_pair {
    struct str key;
    struct str value;
};

/* What a device has of something that tasks take amounts of. */
struct msg_resource {
    struct str name;
    int64_t amount_milli; /* thousandths */
};

/* What a device says of itself. */
struct msg_profile {
    struct str os;   /* "linux" */
    struct str arch; /* uname -m */
    struct str hostname;
    uint32_t cpus;
    uint64_t memory_bytes;
    uint32_t slots; /* attempts it will hold at a time, 1 … MSG_SLOTS_MAX */
    const struct str *executors;
    size_t executors_count;
    const struct str *tools;
    size_t tools_count;
    const struct msg_pair *labels;
    size_t labels_count;
    const struct msg_resource *resources; /* those that are not said: cpu and memory as above */
    size_t resources_count;
};

enum held_state {
    HELD_ACCEPTED = 1, /* journalled, not started */
    HELD_RUNNING = 2,
    HELD_FINISHED = 3, /* its Finished waits for an Ack */
    HELD_DIED = 4,     /* was running when the agent's process died */
};

struct msg_held {
    uint64_t fence;
    enum held_state state;
};

/* Proof of what a daemon had promised: comes with each Welcome, goes back in the next Hello. */
struct msg_receipt {
    uint64_t epoch;
    struct str start_id; /* 16 random bytes of that start of the daemon */
    uint64_t fence;      /* the highest that was given out, to whomever */
    struct str hmac;     /* SHA-256 HMAC of the above under the database's secret */
};

struct msg_hello {
    struct str device;
    struct str agent_version;
    struct str boot_id;         /* of the machine */
    uint64_t process_id;        /* random at each start of the agent, not a pid */
    struct str journal_id;      /* made with the journal, never changes */
    uint64_t session;           /* the last one that was made durable; 0 none */
    struct msg_receipt receipt; /* start_id empty: none */
    struct msg_profile profile;
    const struct msg_held *held;
    size_t held_count;
    const struct str *features; /* optional features that it understands */
    size_t features_count;
};

enum verdict {
    VERDICT_KEEP = 1,   /* go on; a finished one: send Finished (again) */
    VERDICT_CANCEL = 2, /* stop it, then report its end */
    VERDICT_DROP = 3,   /* forget it at once: stop it if it runs, report nothing */
};

struct msg_verdict {
    uint64_t fence;
    enum verdict verdict;
    uint64_t stdout_offset; /* output up to here is stored: go on from there */
    uint64_t stderr_offset;
};

struct msg_welcome {
    uint64_t session; /* rises for ever */
    uint64_t epoch;
    struct msg_receipt receipt;
    int64_t lease_ms;
    int64_t ping_ms; /* how often to ping */
    struct str daemon_version;
    const struct msg_verdict *verdicts; /* one for each held attempt */
    size_t verdicts_count;
    const struct str *features; /* those of Hello that the daemon will use */
    size_t features_count;
};

struct msg_ready {
    uint64_t session; /* of the Welcome; durable now */
};

struct msg_ping {
    uint64_t id;
};

struct msg_pong {
    uint64_t id;
    bool probe; /* not an answer: the daemon asks for a Ping at once */
};

enum executor {
    EXECUTOR_RUN = 1,   /* argv, no shell */
    EXECUTOR_SHELL = 2, /* /bin/sh -c text */
    EXECUTOR_NOOP = 3,
    EXECUTOR_SLEEP = 4,
};

enum on_disconnect {
    ON_DISCONNECT_CONTINUE = 0,
    ON_DISCONNECT_STOP = 1,
};

/* What a task does, apart from when and where. Stored as an encoded TaskBody; inside, placeholders
   stand as they were written until the evaluator has filled them in. */
struct msg_body {
    enum executor executor;
    const struct str *argv; /* run */
    size_t argv_count;
    struct str shell; /* shell */
    int64_t sleep_ms; /* sleep */
    const struct msg_pair *env;
    size_t env_count;
    bool has_cwd;
    struct str cwd;
    bool has_stdin;
    struct str stdin_data;
    int64_t run_timeout_ms;    /* 0: none */
    int64_t kill_grace_ms;     /* SIGTERM to SIGKILL */
    uint64_t output_bytes_max; /* a stream; the rest is dropped and counted */
    bool output_json;          /* stdout is the task's output value */
    enum on_disconnect on_disconnect;
    int64_t silence_timeout_ms; /* without a byte of output; 0: none */
    bool
        once; /* never to be run twice: its start and its end reach the disk before they are told */
};

struct msg_task {
    uint64_t fence;
    uint32_t attempt; /* from 1 */
    struct str name;  /* CONSTELLATION/KEY, for ASTERISM_TASK */
    struct str body;  /* an encoded TaskBody */
};

struct msg_assign {
    const struct msg_task *tasks;
    size_t tasks_count;
};

struct msg_started {
    uint64_t fence;
    int64_t wall_ms;
};

enum stream {
    STREAM_STDOUT = 1,
    STREAM_STDERR = 2,
};

struct msg_output {
    uint64_t fence;
    enum stream stream;
    uint64_t offset;
    struct str data; /* at most MSG_CHUNK_BYTES_MAX, any bytes */
};

enum outcome {
    OUTCOME_EXITED = 1,       /* exit_code */
    OUTCOME_SIGNALLED = 2,    /* signal; by nobody here */
    OUTCOME_TIMED_OUT = 3,    /* run_timeout_ms passed; stopped by the agent */
    OUTCOME_CANCELLED = 4,    /* stopped as asked */
    OUTCOME_START_FAILED = 5, /* nothing ran; the reason says why */
    OUTCOME_DISCONNECTED = 6, /* stopped by on_disconnect: stop */
};

struct msg_finished {
    uint64_t fence;
    enum outcome outcome;
    int32_t exit_code;
    int32_t signal;
    struct str reason;       /* in words, unless it exited with 0 */
    int64_t started_wall_ms; /* 0: never started */
    int64_t duration_ms;
    uint64_t stdout_bytes; /* sent; the daemon must hold as many before it acknowledges */
    uint64_t stderr_bytes;
    bool output_truncated;
    struct str result; /* the task's output value as JSON, or empty */
};

struct msg_ack_output {
    uint64_t fence;
    enum stream stream;
    uint64_t offset; /* all before it is stored */
};

struct msg_ack {
    const uint64_t *finished; /* results that are stored, or not wanted: forget them */
    size_t finished_count;
    const struct msg_ack_output *outputs;
    size_t outputs_count;
};

struct msg_cancel {
    const uint64_t *fences;
    size_t fences_count;
    struct str reason;
};

/* Sent before a close that is the other side's fault, and by the daemon for a refused Hello. */
enum msg_error_code {
    MSG_ERROR_PROTOCOL = 1,  /* bytes or order that the protocol does not allow */
    MSG_ERROR_LIMIT = 2,     /* a limit was passed */
    MSG_ERROR_IDENTITY = 3,  /* not the device that the token is for */
    MSG_ERROR_DUPLICATE = 4, /* the device is live on another connection */
    MSG_ERROR_VERSION = 5,   /* nothing in common to speak */
    MSG_ERROR_OVERLOAD = 6,  /* too many devices, or too slow */
    MSG_ERROR_LEASE = 7,     /* no ping within the lease */
    MSG_ERROR_DISPLACED = 8, /* another connection of this device took over */
    MSG_ERROR_RECEIPT = 9,   /* a receipt of a newer state than this database: it was restored */
    MSG_ERROR_SHUTDOWN = 10, /* the daemon stops; come back */
};

struct msg_error {
    enum msg_error_code code;
    struct str reason;
};

struct msg_goodbye {
    struct str reason;
};

struct msg {
    enum msg_kind kind;
    union {
        struct msg_hello hello;
        struct msg_welcome welcome;
        struct msg_ready ready;
        struct msg_ping ping;
        struct msg_pong pong;
        struct msg_assign assign;
        struct msg_started started;
        struct msg_output output;
        struct msg_finished finished;
        struct msg_ack ack;
        struct msg_cancel cancel;
        struct msg_error error;
        struct msg_goodbye goodbye;
    };
};

const char *msg_kind_name(enum msg_kind kind);
const char *msg_error_name(enum msg_error_code code); /* "protocol", "limit", … */
const char *outcome_name(enum outcome outcome);       /* "exited", "timed_out", … */
const char *executor_name(enum executor executor);    /* as written in a spec: "run", … */
const char *held_state_name(enum held_state state);

#endif
