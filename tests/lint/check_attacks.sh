#!/bin/sh
# doc/attacks.md: each row says by which tests it is shown, or "later"; files and functions exist; no id is left out.
cd "$(dirname "$0")/../.." || exit 2
bad=$(mktemp) || exit 2
trap 'rm -f "$bad"' EXIT
rows() { grep -E '^\| [A-Z][0-9]' doc/attacks.md; }

for id in $(seq -f 'G%02g' 8) $(seq -f 'H%02g' 13) $(seq -f 'I%02g' 10) $(seq -f 'J%02g' 6) $(seq -f 'R%02g' 9) $(seq -f 'S%02g' 4) $(seq -f 'T%02g' 20); do
	[ "$(rows | grep -c "^| $id |")" -eq 1 ] || echo "$id: not one line"
done >>"$bad"
rows | while IFS='|' read -r _ id _ shown _; do
	id=$(echo "$id" | tr -d ' ')
	tests=$(echo "$shown" | grep -oE '[a-z-]+/[a-z/]*(test|fuzz)_[A-Za-z0-9_]+\.(py|c)(: *test_[A-Za-z0-9_]+(, test_[A-Za-z0-9_]+)*)?')
	dirs=$(echo "$shown" | grep -oE 'unit/[a-z-]+(;|$| )' | tr -d '; ')
	for d in $dirs; do [ -d "tests/$d" ] || echo "$id: tests/$d is not there"; done
	[ -n "$tests$dirs" ] || case $shown in *later:*) ;; *) echo "$id: no test" ;; esac
	echo "$tests" | while read -r line; do
		[ -n "$line" ] || continue
		file=tests/${line%%:*}
		[ -f "$file" ] || { echo "$id: $file is not there"; continue; }
		case $line in *:*) ;; *) continue ;; esac
		for name in $(echo "${line#*:}" | tr ',' ' '); do
			grep -q "def $name(" "$file" || echo "$id: $file has no $name"
		done
	done
done >>"$bad"

if [ -s "$bad" ]; then
	cat "$bad"
	exit 1
fi
echo "attacks: ok"
