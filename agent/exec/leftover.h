/* Processes of our tasks that outlived the helper which should have killed them: found in /proc by
   the output file that their environment names. */
#ifndef AGENT_EXEC_LEFTOVER_H
#define AGENT_EXEC_LEFTOVER_H

/* Kills every process whose ASTERISM_OUTPUT lies below `root` (which ends with a slash), until
   there is none, for at most 2 s. */
void leftover_kill(const char *root);

#endif
