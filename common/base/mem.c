#include "common/base/mem.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"

static void *must(void *memory)
{
    if (memory == NULL) {
        fputs("out of memory\n", stderr);
        abort();
    }
    return memory;
}

void *mem_alloc(size_t bytes)
{
    return must(calloc(1, bytes == 0 ? 1 : bytes));
}

void *mem_array(size_t count, size_t bytes)
{
    CHECK(bytes == 0 || count <= SIZE_MAX / bytes);
    return mem_alloc(count * bytes);
}

void *mem_resize(void *memory, size_t bytes)
{
    return must(realloc(memory, bytes == 0 ? 1 : bytes));
}

void *mem_copy(const void *data, size_t bytes)
{
    void *copy = must(malloc(bytes == 0 ? 1 : bytes));
    if (bytes > 0) {
        memcpy(copy, data, bytes);
    }
    return copy;
}

char *mem_copy_text(const char *text)
{
    return mem_copy(text, strlen(text) + 1);
}

char *mem_format(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    CHECK(length >= 0);
    char *text = mem_alloc((size_t)length + 1);
    vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return text;
}

void mem_free(void *memory)
{
    free(memory);
}
