/* A process that runs: what exec_run.c drives and run_conclude.c judges at its end. */
#ifndef AGENT_EXEC_RUN_H
#define AGENT_EXEC_RUN_H

#include "agent/exec/attempt.h"
#include "agent/exec/stream.h"

enum {
    /* How long pipes may stay open when nothing that we know of holds them. */
    RUN_DRAIN_MS = 2000,
};

struct run {
    struct attempt attempt;          /* first: the two are one address */
    struct stream_reader streams[2]; /* stdout, stderr */
    /* What it waits for: the run timeout, then the kill, then (dead) the end of the pipes. */
    struct event timer;
    struct event silence; /* fires when it has put out nothing for silence_ms */
    int64_t timeout_ms;   /* 0: none */
    int64_t silence_ms;   /* 0: none */
    int64_t grace_ms;
    int64_t kill_at_ms; /* boot time, while stopping */
    char *stop_reason;
    enum outcome stop_outcome;
    int32_t pid; /* 0: not started, or dead */
    int32_t status;
    bool output_json;
    bool is_stopping;
    bool was_asked; /* by SIGTERM, and its grace has run out */
    bool is_dead;
    bool was_signalled; /* our signal reached it alive */
    bool has_survivors; /* a process of it may live yet, in its directory */
};

static inline struct run *run_of(struct attempt *attempt)
{
    return (struct run *)(void *)attempt;
}

/* Decides the outcome of a dead run, reads its value, queues its end. */
void run_conclude(struct run *run);

#endif
