#include "common/sys/clock.h"

#include <stdio.h>
#include <time.h>

#include "common/base/check.h"

static int64_t clock_us(clockid_t id)
{
    struct timespec now;
    int rc = clock_gettime(id, &now);
    CHECK(rc == 0);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_boot_us(void)
{
    return clock_us(CLOCK_BOOTTIME);
}

int64_t clock_boot_ms(void)
{
    return clock_boot_us() / 1000;
}

int64_t clock_wall_ms(void)
{
    return clock_us(CLOCK_REALTIME) / 1000;
}

void clock_format_wall(int64_t wall_ms, char to[CLOCK_TEXT_BYTES])
{
    int64_t ms = wall_ms % 1000;
    time_t seconds = (time_t)(wall_ms / 1000);
    if (ms < 0) {
        ms += 1000;
        seconds--;
    }
    struct tm utc;
    if (gmtime_r(&seconds, &utc) == NULL) {
        utc = (struct tm){ .tm_mday = 1, .tm_year = 70 };
        ms = 0;
    }
    char date[CLOCK_TEXT_BYTES];
    if (strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &utc) == 0) {
        date[0] = 0;
    }
    snprintf(to, CLOCK_TEXT_BYTES, "%.24s.%03uZ", date, (unsigned)ms % 1000U);
}
