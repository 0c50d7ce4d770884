#!/bin/sh
# What the compiler does not see: size of files, width of lines, header comments, promises in code.
cd "$(dirname "$0")/../.." || exit 2
git rev-parse --git-dir >/dev/null 2>&1 && list() { git ls-files "$@"; } || list() { find . -path './build*' -prune -o -name "$1" -print | sed 's,^\./,,'; }
bad=$(mktemp) || exit 2
trap 'rm -f "$bad"' EXIT
sources=$( { list '*.c'; list '*.h'; } | grep -v '^build' | sort -u)

for f in $sources; do
	[ -f "$f" ] || continue
	lines=$(wc -l <"$f")
	[ "$lines" -le 800 ] || echo "$f: $lines lines, at most 800: split it by subject"
	case $f in
	lib/*.h) head -20 "$f" | grep -q '^ \* Layer:' || echo "$f: no header comment with \"Layer:\"" ;;
	esac
	expand -t8 "$f" | awk -v f="$f" '
		length($0) > 120 { printf "%s:%d: %d columns, at most 120\n", f, NR, length($0) }
		/[ \t]+$/ { printf "%s:%d: blanks at the end of the line\n", f, NR }'
	grep -nE '\b(TODO|FIXME|XXX|HACK)\b' "$f" | sed "s|^|$f:|; s|\$|  <- finish it or name it as a limit|"
done >>"$bad"
for f in $sources; do
	case $f in lib/*|tests/*|admin/*) continue ;; esac
	grep -nE '\b(sleep|usleep|nanosleep)[[:space:]]*\(' "$f" | grep -v fiber_sleep | sed "s|^|$f:|; s|\$|  <- fibers wait with fiber_sleep()|"
done >>"$bad"
for dir in lib/*/ */; do
	dir=${dir%/}
	[ -f "$dir/main.c" ] || case $dir in lib/?*) [ -n "$(ls "$dir"/*.c 2>/dev/null)" ] || continue ;; *) continue ;; esac
	[ -f "$dir/README" ] || [ -f "$dir/README.md" ] || echo "$dir: no README"
done >>"$bad"

if [ -s "$bad" ]; then
	cat "$bad"
	echo "$(wc -l <"$bad") findings of style"
	exit 1
fi
echo "style: ok"
