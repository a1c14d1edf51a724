/* Random bytes of the operating system, good enough for secrets. A process that cannot have them
   ends. */
#ifndef COMMON_SYS_RANDOM_H
#define COMMON_SYS_RANDOM_H

#include <stddef.h>
#include <stdint.h>

void random_bytes(void *to, size_t bytes);
uint64_t random_uint64(void);

#endif
