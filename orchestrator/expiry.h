/* The daemon's own certificate: said in the log once a day, when it has expired or soon will. What it is
   was read at the start, as it is what the sockets show until the next. */
#ifndef ORCHESTRATOR_EXPIRY_H
#define ORCHESTRATOR_EXPIRY_H

#include <stdint.h>

struct expiry {
    const char *path;     /* NULL: none is used, or it cannot be told */
    int64_t wall_ms;      /* it expires; 0: likewise */
    int64_t next_boot_ms; /* it is looked at again */
};

/* path NULL: the daemon speaks no TLS. */
void expiry_begin(struct expiry *expiry, const char *path);
void expiry_look(struct expiry *expiry); /* if it is time */

#endif
