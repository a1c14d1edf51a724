#!/bin/sh
# Tables of settings in the documents are what the programs print; links in the documents lead somewhere.
set -eu
bin=$1
failed=0
compare() { # PROGRAM DOCUMENT
    "$bin/$1" --help-config-markdown >"${TMPDIR:-/tmp}/$1.$$"
    grep -q '^|' "${TMPDIR:-/tmp}/$1.$$" || { printf '%s prints no settings\n' "$1" >&2; failed=1; }
    while IFS= read -r row; do
        case $row in '|'*) ;; *) continue ;; esac
        grep -Fxq -- "$row" "$2" || { printf '%s lacks: %s\n' "$2" "$row" >&2; failed=1; }
    done <"${TMPDIR:-/tmp}/$1.$$"
    rm -f "${TMPDIR:-/tmp}/$1.$$"
}
compare asterismd docs/operating.md
compare asterism-agent docs/agent.md
for document in $(find . -name '*.md' -not -path './build/*' -not -path './.asterism/*'); do
    for link in $(grep -oE '\]\([^)#]+' "$document" | cut -c3- | grep -vE '^https?:' || true); do
        [ -e "$(dirname "$document")/$link" ] || { printf '%s links to %s\n' "$document" "$link" >&2; failed=1; }
    done
done
exit $failed
