#!/bin/sh
# Floors 0 and 1 know no clock, file, socket, thread or randomness: what their libraries import from
# the system is this list and nothing else (and what the sanitizers put in).
set -eu
allowed='^(abort|calloc|malloc|realloc|free|qsort|memcmp|memcpy|memmove|memset|memchr|strlen|strcmp|strncmp|strchr|strrchr|snprintf|vsnprintf|fprintf|fputs|fwrite|fputc|stderr|__stack_chk_fail|__(snprintf|vsnprintf|fprintf|memcpy|memmove|memset|strcpy|strcat)_chk|_GLOBAL_OFFSET_TABLE_|__(asan|ubsan|sanitizer|sancov|start___sancov|stop___sancov)_.*)$'
defined=$(for library in "$@"; do nm -g --defined-only "$library" 2>/dev/null; done | awk 'NF == 3 {print $3}' | sort -u)
bad=0
[ $# -gt 0 ] || { echo 'no libraries are named' >&2; exit 1; }
for library in "$@"; do
    nm -u "$library" >/dev/null || exit 1
done
for library in "$@"; do
    for symbol in $(nm -u "$library" 2>/dev/null | awk '$1 == "U" {print $2}' | sort -u); do
        printf '%s\n' "$symbol" | grep -Eq "$allowed" && continue
        printf '%s\n' "$defined" | grep -Fxq "$symbol" && continue
        printf '%s imports %s\n' "$(basename "$library")" "$symbol" >&2
        bad=1
    done
done
exit $bad
