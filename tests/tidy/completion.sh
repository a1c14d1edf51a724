#!/bin/sh
# completion.sh SHELL BIN: the shell itself completes lines with the script that `asterism completion`
# prints. What the daemon would be asked for comes from a program of the same name in front of it in PATH.
# Ends with 77 (skipped) where there is no such shell.
set -eu
shell=$1 bin=$2
command -v "$shell" >/dev/null || { echo "skipped: there is no $shell here"; exit 77; }
dir=$(mktemp -d "${TMPDIR:-/tmp}/asterism-completion.XXXXXX")
trap 'rm -rf "$dir"' EXIT
mkdir "$dir/bin" "$dir/here" "$dir/home"
cat >"$dir/bin/asterism" <<'STUB'
#!/bin/sh
case "$1 $2 ${3:-}" in
'__words tasks '*/*) printf 'xx-1/one\nxx-1/two\n' ;;
'__words ids '* | '__words tasks '*) printf '@last\nxx-1\n' ;;
'__words devices '*) printf 'bench\nedge\n' ;;
*) exit 2 ;;
esac
STUB
chmod +x "$dir/bin/asterism"
: >"$dir/here/file.yaml"
"$bin/asterism" completion "$shell" >"$dir/_asterism"

# A line, and the one word that its last becomes; nothing: there is none.
cat >"$dir/cases" <<'CASES'
asterism sh|show
asterism -o js|json
asterism -o json sh|show
asterism --url help sh|show
asterism --url http://localhost:1 sh|show
asterism --url=http://localhost:1 sh|show
asterism show xx|xx-1
asterism logs xx-1/t|xx-1/two
asterism devices be|bench
asterism run --device be|bench
asterism run fi|file.yaml
asterism list --sta|--state
asterism token cr|create
asterism token create cr|
asterism token create --role op|operator
asterism graph -o d|dot
asterism show -o d|
asterism help su|submit
CASES

cat >"$dir/run.bash" <<'BASH'
source "$1/_asterism"
while IFS='|' read -r line word; do
    # As readline takes a line apart: = and : stand alone.
    read -ra COMP_WORDS <<<"$(sed 's/=/ = /g; s/:/ : /g' <<<"$line")"
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    COMPREPLY=()
    _asterism 2>/dev/null
    echo "$line|${COMPREPLY[*]}"
done <"$1/cases"
BASH
cat >"$dir/run.fish" <<'FISH'
set -l dir $argv[1]
source $dir/_asterism
while read -l -d '|' line word
    set -l words (complete -C"$line" | string replace -r '\t.*' '')
    echo "$line|$words"
end <$dir/cases
FISH
# An interactive zsh in a terminal of its own: a tab, then a newline that shows the line instead of obeying.
cat >"$dir/run.zsh" <<'ZSH'
zmodload zsh/zpty
zpty -b child zsh -f -i
zpty -w child "PS1=; fpath=($1 \$fpath); autoload -Uz compinit; compinit -u -D; setopt no_beep
    shown() { print -r -- \"<\$BUFFER>\"; BUFFER=; }; zle -N shown; bindkey '^J' shown '^M' shown; print '<rea''dy>'"
zpty -r child out '*<ready>*'
while IFS='|' read -r line word; do
    zpty -n -w child "$line"$'\t\n'
    zpty -r child out '*<asterism*>*'
    out=${${out##*<asterism}%%>*}
    [[ "asterism$out" == "$line" ]] && out= || out=${${out%[ =/]}##*[ =]}
    print -r -- "$line|$out"
done <$1/cases
zpty -d child
ZSH
set -- "$dir"
flags=
case $shell in bash) flags=--norc ;; zsh) flags=-f ;; fish) flags=--no-config ;; esac
(cd "$dir/here" && HOME="$dir/home" TERM=xterm PATH="$dir/bin:$PATH" "$shell" $flags "$dir/run.$shell" "$dir" >"$dir/got")
diff "$dir/cases" "$dir/got" || { echo "< is what was wanted, > what $shell made of it" >&2; exit 1; }
echo "$(wc -l <"$dir/cases") lines"
