/* The agent's loop: frames, executors and signals in, one turn of the engine, one commit of the journal,
   then everything outbound. */
#ifndef AGENT_LOOP_H
#define AGENT_LOOP_H

#include "agent/config.h"

/* Runs until SIGTERM or SIGINT and an orderly end (ERR_NONE), or until it cannot go on: the reason says
   why, and whoever supervises the agent starts it again. */
enum err agent_run(const struct agent_settings *settings, struct reason *reason);

#endif
