/* Runs a fuzz target without libFuzzer: each file of the corpus as it is, then mutations of it. They
   are drawn from a seed that comes from the file's bytes, so that a run repeats itself exactly:

       fuzz_x [--mutations N] [--verbose] DIR…

   The name of each file is printed before it is tried, with --verbose each mutation's number too: after
   a crash, the last line tells what did it. */
#include <dirent.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/map.h"
#include "common/base/mem.h"
#include "common/base/rng.h"

enum {
    FILE_BYTES_MAX = 8 * 1024 * 1024,
    RANGE_BYTES_MAX = 64,
    STEPS_MAX = 6, /* changes in one mutation */
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size); /* NOLINT: libFuzzer's name */

struct options {
    uint64_t mutations;
    bool verbose;
};

static bool file_read(const char *path, struct buf *into)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return false;
    }
    size_t got = 0;
    while (into->length < FILE_BYTES_MAX &&
           (got = fread(buf_reserve(into, 65536), 1, 65536, file)) > 0) {
        into->length += got;
    }
    bool complete = feof(file) != 0;
    fclose(file);
    return complete;
}

/* Exactly its bytes in a block of their own, so that a sanitizer sees the first byte read beyond. */
static void target_run(const struct buf *input)
{
    uint8_t *exact = mem_copy(input->data, input->length);
    (void)LLVMFuzzerTestOneInput(exact, input->length);
    mem_free(exact);
}

static void range_insert(struct buf *buf, size_t at, const uint8_t *data, size_t bytes)
{
    buf_reserve(buf, bytes);
    memmove(buf->data + at + bytes, buf->data + at, buf->length - at);
    memcpy(buf->data + at, data, bytes);
    buf->length += bytes;
}

static void range_remove(struct buf *buf, size_t at, size_t bytes)
{
    if (bytes == 0) {
        return; /* also when there is nothing at all: data is NULL then */
    }
    memmove(buf->data + at, buf->data + at + bytes, buf->length - at - bytes);
    buf->length -= bytes;
}

/* One change somewhere in the bytes. */
static void mutate(struct buf *buf, struct rng *rng)
{
    static const uint8_t edges[] = { 0x00, 0x01, 0x7f, 0x80, 0xff, '\n', '"', '{', ' ', '-' };
    size_t at = rng_below(rng, buf->length + 1);
    size_t left = buf->length - at;
    size_t bytes = 1 + rng_below(rng, RANGE_BYTES_MAX);
    bytes = bytes < left ? bytes : left;
    uint8_t range[RANGE_BYTES_MAX];
    for (size_t i = 0; i < sizeof range; i++) {
        range[i] = (uint8_t)rng_next(rng);
    }
    switch (rng_below(rng, 7)) {
    case 0: /* flip a bit */
        if (left > 0) {
            buf->data[at] ^= (uint8_t)(1U << rng_below(rng, 8));
        }
        break;
    case 1: /* a byte that is often special */
        if (left > 0) {
            buf->data[at] = edges[rng_below(rng, sizeof edges)];
        }
        break;
    case 2: /* one up or down: off by one in a length */
        if (left > 0) {
            buf->data[at] = (uint8_t)(buf->data[at] + (rng_below(rng, 2) == 0 ? 1U : 0xffU));
        }
        break;
    case 3: /* bytes of chance */
        range_insert(buf, at, range, 1 + rng_below(rng, 8));
        break;
    case 4:
        range_remove(buf, at, bytes);
        break;
    case 5: /* what stands here, once more elsewhere */
        if (bytes > 0) {
            memcpy(range, buf->data + at, bytes);
            range_insert(buf, rng_below(rng, buf->length + 1), range, bytes);
        }
        break;
    default: /* cut off */
        if (rng_below(rng, 4) == 0) {
            buf->length = at;
        }
        break;
    }
}

static bool file_run(const char *path, const struct options *options)
{
    struct buf original = { 0 };
    if (!file_read(path, &original)) {
        fprintf(stderr, "%s: cannot be read, or is too large\n", path);
        buf_done(&original);
        return false;
    }
    printf("%s\n", path);
    fflush(stdout);
    target_run(&original);
    struct rng rng;
    rng_init(&rng, hash_bytes(original.data, original.length));
    struct buf mutant = { 0 };
    for (uint64_t i = 0; i < options->mutations; i++) {
        buf_clear(&mutant);
        buf_append(&mutant, original.data, original.length);
        for (uint64_t steps = 1 + rng_below(&rng, STEPS_MAX); steps > 0; steps--) {
            mutate(&mutant, &rng);
        }
        if (options->verbose) {
            printf("%s mutation %llu\n", path, (unsigned long long)i);
            fflush(stdout);
        }
        target_run(&mutant);
    }
    buf_done(&mutant);
    buf_done(&original);
    return true;
}

static int visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* The number of files that were run, or -1. */
static int dir_run(const char *dir, const struct options *options)
{
    struct dirent **entries = NULL;
    int count = scandir(dir, &entries, visible, alphasort);
    int ran = count;
    for (int i = 0; i < count; i++) {
        char *path = mem_format("%s/%s", dir, entries[i]->d_name);
        if (ran >= 0 && !file_run(path, options)) {
            ran = -1;
        }
        mem_free(path);
        free(entries[i]);
    }
    free(entries);
    if (count < 0) {
        fprintf(stderr, "%s: cannot be listed\n", dir);
    }
    return ran;
}

int main(int argc, char **argv)
{
    struct options options = { .mutations = 1000 };
    int files = 0;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--verbose") == 0) {
            options.verbose = true;
        } else if (strcmp(argv[i], "--mutations") == 0 && i + 1 < argc) {
            if (!str_to_uint64(str_of(argv[++i]), INT_MAX, &options.mutations)) {
                fprintf(stderr, "--mutations takes a number\n");
                return 2;
            }
        } else {
            int ran = dir_run(argv[i], &options);
            if (ran < 0) {
                return 2;
            }
            files += ran;
        }
    }
    /* A corpus that is not found must not look like a pass. */
    if (files == 0) {
        fprintf(stderr, "no files were run\n");
        return 2;
    }
    printf("%d files, each with %llu mutations\n", files, (unsigned long long)options.mutations);
    return 0;
}
