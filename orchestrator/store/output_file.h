/* Output beyond what stands in the database: DATA/output/XX/FENCE.stdout and .stderr hold a stream's
   bytes from STORE_OUTPUT_INLINE_MAX on. How long a stream is stands in its attempt's row; a file may
   be longer, by bytes whose transaction was lost, and is cut when it is next written.

   Also the list of who must be told how far output is durable: a stream's bytes in the database are
   after the commit, those in a file after its sync. */
#ifndef ORCHESTRATOR_STORE_OUTPUT_FILE_H
#define ORCHESTRATOR_STORE_OUTPUT_FILE_H

#include "orchestrator/store/store.h"

enum {
    OUTPUT_SYNC_MS = 1000,      /* a file is synced at most this often … */
    OUTPUT_SYNC_EARLY_MS = 20,  /* … or this, with half a window of output waiting … */
    OUTPUT_SYNC_FILES_MAX = 32, /* … and this many in one call, so that a turn stays short */
    OUTPUT_OPEN_FILES_MAX = 512,
    OUTPUT_PATH_BYTES_MAX = 4096,
};

struct output_files;

struct output_files *output_files_new(const char *data_dir);
void output_files_free(struct output_files *files); /* closes; syncs nothing */

/* Output of this stream up to `end` is in the transaction; it wants to be told. */
void output_files_note(struct output_files *files, uint64_t fence, enum stream stream,
                       uint64_t end);
/* Bytes of the stream at `offset`, its end, which is STORE_OUTPUT_INLINE_MAX or more. */
enum err output_files_write(struct output_files *files, uint64_t fence, enum stream stream,
                            uint64_t offset, struct str data, struct reason *reason);
/* The attempt has ended: its files are synced, and closed when what is owed has been told. */
enum err output_files_finish(struct output_files *files, uint64_t fence, struct reason *reason);

/* As store_sync_output(), store_sync_deadline(). */
enum err output_files_sync(struct output_files *files, int64_t boot_ms, bool all,
                           store_output_durable *durable, void *context, struct reason *reason);
int64_t output_files_deadline(const struct output_files *files);

/* At most `bytes` from `offset` (STORE_OUTPUT_INLINE_MAX or more) on; fewer where the file ends. */
enum err output_file_read(const char *data_dir, uint64_t fence, enum stream stream, uint64_t offset,
                          size_t bytes, struct buf *into);
/* Makes durable what the file holds, and tells how much that is; absent: 0. */
enum err output_file_settle(const char *data_dir, uint64_t fence, enum stream stream,
                            uint64_t *ret_bytes);
void output_file_remove(const char *data_dir, uint64_t fence); /* both streams; absent is fine */
/* false: the path would be too long. */
bool output_file_path(const char *data_dir, uint64_t fence, enum stream stream,
                      char path[OUTPUT_PATH_BYTES_MAX]);
/* The directory of that file, made if it is not there. */
enum err output_file_directory(const char *data_dir, uint64_t fence, struct reason *reason);

#endif
