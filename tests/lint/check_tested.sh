#!/bin/sh
# Every lib/<layer>/<file>.c has tests/unit/<layer>/test_<file>.c, or a line in untested.txt that says why not.
cd "$(dirname "$0")/../.." || exit 2
missing=0
for f in lib/*/*.c; do
	layer=$(basename "$(dirname "$f")"); name=$(basename "$f" .c)
	[ -f "tests/unit/$layer/test_$name.c" ] && continue
	grep -q "^lib/$layer/$name.c[[:space:]]" tests/lint/untested.txt && continue
	echo "$f: no tests/unit/$layer/test_$name.c, and no reason in tests/lint/untested.txt"
	missing=$((missing + 1))
done
while read -r f why; do
	case $f in ''|'#'*) continue ;; esac
	[ -f "$f" ] || { echo "tests/lint/untested.txt: $f does not exist"; missing=$((missing + 1)); }
	[ -n "$why" ] || { echo "tests/lint/untested.txt: $f: no reason given"; missing=$((missing + 1)); }
done <tests/lint/untested.txt
[ "$missing" -eq 0 ] && echo "tested: ok"
[ "$missing" -eq 0 ]
