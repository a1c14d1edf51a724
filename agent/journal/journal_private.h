/* The inside of the journal, for its own files. */
#ifndef AGENT_JOURNAL_JOURNAL_PRIVATE_H
#define AGENT_JOURNAL_JOURNAL_PRIVATE_H

#include <sqlite3.h>

#include "agent/journal/journal.h"

enum journal_statement {
    JOURNAL_BEGIN,
    JOURNAL_COMMIT,
    JOURNAL_SAVE,
    JOURNAL_REMOVE,
    JOURNAL_SAVE_SESSION,
    JOURNAL_SELECT,
    JOURNAL_STATEMENTS,
};

struct journal {
    sqlite3 *db;
    sqlite3_stmt *statements[JOURNAL_STATEMENTS];
    int lock_fd;
    char *path;
    bool rebooted;
    bool durable; /* synchronous=FULL is in force */
    uint8_t journal_id[JOURNAL_ID_BYTES];
    uint64_t session;
    uint64_t receipt_epoch;
    uint64_t receipt_fence;
    struct buf start_id;
    struct buf hmac;
};

/* journal_schema.c: makes or checks the tables; reads who we are. */
enum err journal_schema_open(struct journal *journal, const char *boot_id, struct reason *reason);
/* Words for what SQLite has just refused, and the error that it means. */
enum err journal_failed(const struct journal *journal, const char *doing, struct reason *reason);

/* journal_row.c */
enum err journal_row_prepare(struct journal *journal, struct reason *reason);
void journal_row_done(struct journal *journal);
enum err journal_row_run(struct journal *journal, enum journal_statement statement,
                         struct reason *reason);
enum err journal_row_save(struct journal *journal, const struct agent_record *record,
                          struct reason *reason);
enum err journal_row_remove(struct journal *journal, uint64_t fence, struct reason *reason);
enum err journal_row_session(struct journal *journal, uint64_t session,
                             const struct msg_receipt *receipt, struct reason *reason);

#endif
