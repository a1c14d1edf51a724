/* Small files read whole with a limit, and what writing one takes. */
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
/* All of the bytes into an open file; its path is for the reason. */
enum err file_write_open(int fd, struct str bytes, const char *path, struct reason *reason);

#endif
