#!/bin/sh
# A folder includes only from lower floors, and each floor only the system headers that are its own.
set -eu
[ -n "$(find common proto orchestrator agent -name '*.[ch]')" ] || { echo 'there are no sources here' >&2; exit 1; }
awk '
function floor_of(path) {
    if (path ~ /^(common\/base|proto\/msg)\//) return 0
    if (path ~ /^(orchestrator|agent)\/engine\//) return 1
    if (path ~ /^(proto|orchestrator\/(store|spec)|common\/sys|agent\/journal)\//) return 2
    if (path ~ /^(common\/net|orchestrator\/(net|api|planner)|agent\/exec)\//) return 3
    return 4
}
function folder_of(path) { sub(/\/[^\/]*$/, "", path); return path }
function bad(why) { printf "%s:%d: %s\n", FILENAME, FNR, why; failed = 1 }
BEGIN {
    split("assert float inttypes limits setjmp stdalign stdarg stdbool stddef stdint stdio stdlib stdnoreturn string", names)
    for (i in names) pure[names[i] ".h"] = 1
}
/^#include "/ {
    split($0, part, "\"")
    mine = floor_of(FILENAME); theirs = floor_of(part[2])
    if (part[2] !~ /\//) {
        if (part[2] !~ /\.pb-c\.h$/) bad("includes are written from the root: " part[2])
        next
    }
    if (theirs > mine) bad("floor " mine " includes floor " theirs ": " part[2])
    if (theirs == mine && mine < 3 && folder_of(part[2]) != folder_of(FILENAME) && part[2] !~ /\.pb-c\.h$/ &&
        !(mine == 0 || (mine == 2 && part[2] ~ /^common\/sys\//)))
        bad("floor " mine " includes its neighbour " part[2])
}
/^#include </ {
    split($0, part, /[<>]/)
    if (floor_of(FILENAME) <= 1 && !(part[2] in pure)) bad("floor " floor_of(FILENAME) " includes <" part[2] ">")
    if (part[2] ~ /^(libwebsockets|uv|event2|curl)/ && floor_of(FILENAME) < 3)
        bad("floor " floor_of(FILENAME) " includes <" part[2] ">")
}
END { exit failed }
' $(find common proto orchestrator agent -name '*.[ch]')
