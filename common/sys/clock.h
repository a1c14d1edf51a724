/* The two clocks. Spans and deadlines use the boot clock, which goes on in suspend and is never set;
   the wall clock is for display and for deadlines that outlive the machine's boot. */
#ifndef COMMON_SYS_CLOCK_H
#define COMMON_SYS_CLOCK_H

#include <stdint.h>

enum { CLOCK_TEXT_BYTES = 32 };

int64_t clock_boot_ms(void);
int64_t clock_boot_us(void);
int64_t clock_wall_ms(void);
/* RFC 3339 in UTC with milliseconds: 2026-11-22T17:10:47.123Z. */
void clock_format_wall(int64_t wall_ms, char to[CLOCK_TEXT_BYTES]);

#endif
