/* Assertions that stay on in release builds: they state what only a bug of ours can break. */
#ifndef COMMON_BASE_CHECK_H
#define COMMON_BASE_CHECK_H

/* Never on input, never with a side effect. A failed check prints its place and aborts. */
#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (__builtin_expect(!(condition), 0)) {                                                   \
            check_failed(#condition, __FILE__, __LINE__);                                          \
        }                                                                                          \
    } while (0)

_Noreturn void check_failed(const char *condition, const char *file, int line);

#endif
