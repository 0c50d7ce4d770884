#!/bin/sh
# What the compiler does not see: size of files, width of lines, header comments, promises in code.
cd "$(dirname "$0")/../.." || exit 2
git rev-parse --git-dir >/dev/null 2>&1 && list() { git ls-files "$@"; } || list() { find . -path './build*' -prune -o -name "$1" -print | sed 's,^\./,,'; }
bad=$(mktemp) || exit 2
trap 'rm -f "$bad"' EXIT
sources=$( { list '*.c'; list '*.h'; } | grep -v '^build' | sort -u)

# shellcheck disable=SC2086 # names without blanks
awk '
	function width(line,    n, i, parts, at) {
		n = split(line, parts, "\t")
		if (n < 2)
			return length(line)
		at = 0
		for (i = 1; i < n; i++)
			at = int((at + length(parts[i])) / 8 + 1) * 8
		return at + length(parts[n])
	}
	function finish() {
		if (count > 800)
			printf "%s: %d lines, at most 800: split it by subject\n", file, count
		if (file ~ /^lib\/.*\.h$/ && !layer)
			printf "%s: no header comment with \"Layer:\"\n", file
	}
	FNR == 1 {
		if (file)
			finish()
		file = FILENAME
		layer = 0
		fibers = file !~ /^(lib|tests|admin)\//
	}
	{ count = FNR }
	FNR <= 20 && /^ \* Layer:/ { layer = 1 }
	length($0) > 60 && width($0) > 120 { printf "%s:%d: %d columns, at most 120\n", file, FNR, width($0) }
	/[ \t]+$/ { printf "%s:%d: blanks at the end of the line\n", file, FNR }
	/(^|[^A-Za-z0-9_])(TODO|FIXME|XXX|HACK)($|[^A-Za-z0-9_])/ {
		printf "%s:%d: %s  <- finish it or name it as a limit\n", file, FNR, $0
	}
	fibers && /(^|[^A-Za-z0-9_])(sleep|usleep|nanosleep)[ \t]*\(/ {
		printf "%s:%d: %s  <- fibers wait with fiber_sleep()\n", file, FNR, $0
	}
	END { finish() }' $(for f in $sources; do [ -s "$f" ] && echo "$f"; done) >>"$bad" || exit 2
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
