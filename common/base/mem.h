/* Memory that does not fail: out of memory ends the process, which restarts from what is stored. */
#ifndef COMMON_BASE_MEM_H
#define COMMON_BASE_MEM_H

#include <stddef.h>

void *mem_alloc(size_t bytes);               /* zeroed */
void *mem_array(size_t count, size_t bytes); /* zeroed; checks the product */
void *mem_resize(void *memory, size_t bytes);
void *mem_copy(const void *data, size_t bytes);
char *mem_copy_text(const char *text);
char *mem_format(const char *format, ...) __attribute__((format(printf, 1, 2)));
void mem_free(void *memory); /* NULL is fine */

#endif
