/* Small files: read whole with a limit, replaced whole or not at all. */
#ifndef COMMON_SYS_FILE_H
#define COMMON_SYS_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/str.h"

enum { FILE_SECRET_BYTES_MAX = 4096 };

/* Appends the file's bytes. ERR_NOT_FOUND, ERR_DENIED, ERR_LIMIT (larger than bytes_max) or
   ERR_IO; a directory is ERR_INVALID. The reason names the path. */
enum err file_read(const char *path, size_t bytes_max, struct buf *to, struct reason *reason);
/* A token: one line of printable ASCII without blanks, less its line end. ret_exposed (may be NULL): others than
   the owner may read the file, which deserves a warning. */
enum err file_read_secret(const char *path, char to[FILE_SECRET_BYTES_MAX], bool *ret_exposed,
                          struct reason *reason);
/* Makes the directory and those above it that are missing. Being there already is fine. */
enum err file_make_directories(const char *path, mode_t mode, struct reason *reason);
/* Through a temporary file beside it, synced with its directory: afterwards, also after a power cut,
   the old bytes are there or the new. */
enum err file_write_atomic(const char *path, struct str bytes, mode_t mode, struct reason *reason);

#endif
