/* What the agent must not forget: who it is, its last session, and the attempts that it holds. One
   SQLite file in the data directory, one transaction a turn of the loop. Floor 2.

   What is on the disk itself, and not only safe from a kill: sessions, and with each of them all that
   was written before. The rest is written without fsync: after a power cut the last moments may be
   missing, and what they held counts as lost. */
#ifndef AGENT_JOURNAL_JOURNAL_H
#define AGENT_JOURNAL_JOURNAL_H

#include "agent/engine/agent_effect.h"
#include "common/base/err.h"

struct journal;

enum { JOURNAL_ID_BYTES = 16 };

/* Points into the journal. */
struct journal_identity {
    struct str journal_id; /* random, made with the journal, never changed */
    uint64_t session;      /* 0: none yet */
    struct msg_receipt receipt;
    bool rebooted; /* the machine, since the journal was last open */
};

/* Opens or makes data_dir/journal.db; the directory is made with mode 0700. After a reboot, results whose
   output stood in a spool count as died: spools are never synced.
   ERR_BUSY: another agent has the directory; ERR_VERSION: a newer agent wrote it; ERR_CORRUPT; ERR_IO.
   The reason says what to do. */
enum err journal_open(const char *data_dir, const char *boot_id, struct journal **ret_journal,
                      struct reason *reason);
/* NULL is fine. */
void journal_close(struct journal *journal);

struct journal_identity journal_identity(const struct journal *journal);

/* Every record, fences rising; the record lives for the call. Stops at the first that the callback
   refuses and returns its error. */
enum err journal_each(struct journal *journal,
                      enum err (*each)(void *context, const struct agent_record *record,
                                       struct reason *reason),
                      void *context, struct reason *reason);

/* Carries out the SAVE and REMOVE effects in one transaction; nothing to do costs nothing. With a
   session among them it is on the disk when this returns. After an error nothing is known of what the
   file holds: the process must end. */
enum err journal_commit(struct journal *journal, const struct agent_effects *effects,
                        struct reason *reason);

#endif
