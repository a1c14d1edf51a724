/* Reading /proc. */
#include "tests/bench/usage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/bench.h"

double usage_private_bytes(pid_t pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)pid);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        bench_die("cannot read %s", path);
    }
    char line[256];
    double bytes = 0;
    while (fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, "Private_Clean:", 14) == 0 || strncmp(line, "Private_Dirty:", 14) == 0) {
            unsigned long long kib = strtoull(line + 14, NULL, 10);
            bytes += (double)kib * 1024;
        }
    }
    fclose(file);
    return bytes;
}

double usage_cpu_s(pid_t pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/schedstat", (int)pid);
    FILE *file = fopen(path, "re");
    unsigned long long ns = 0;
    if (file == NULL || fscanf(file, "%llu", &ns) != 1) { // NOLINT(cert-err34-c): the kernel's
        bench_die("cannot read %s", path);
    }
    fclose(file);
    return (double)ns / 1e9;
}
