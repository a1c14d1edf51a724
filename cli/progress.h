/* What `run` and `watch` show while a constellation runs: on a terminal a picture that is redrawn in
   place, in a pipe a line for each change. */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include "cli/live.h"
#include "common/base/buf.h"

/* The picture, at most `height` lines of at most `width` columns, each ended by a newline. */
void progress_render(const struct live *live, unsigned width, unsigned height, bool colour,
                     int64_t now_ms, struct buf *to);

/* Zero-initialised is empty: nothing has been drawn. */
struct progress {
    struct buf drawn; /* what stands on the screen */
};
/* Puts `picture` where the last one stood. The width is the window's of now: lines that the window
   has wrapped since are counted. */
void progress_draw(struct progress *progress, struct str picture, unsigned width, struct buf *to);
void progress_done(struct progress *progress);

/* One line of a pipe. */
void progress_task_line(const struct live_task *task, const char *time, bool colour,
                        struct buf *to);

#endif
