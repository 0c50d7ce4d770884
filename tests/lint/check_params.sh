#!/bin/sh
# A row marked PARAM is read by code: its name stands in a .c or .h file outside lib/config/params.
# One that nothing reads must be KNOWN, so that the admin is told that setting it has no effect.
cd "$(dirname "$0")/../.." || exit 2
tmp=$(mktemp -d) || exit 2
trap 'rm -rf "$tmp"' EXIT
git rev-parse --git-dir >/dev/null 2>&1 && sources=$(git ls-files '*.c' '*.h') ||
	sources=$(find . -name 'build*' -prune -o -name '*.[ch]' -print)

# PARAM(TYPE, name, ... and PARAM_AS(TYPE, field, "name", ...: the field is what code reads
sed -nE 's/^PARAM(_AS)?\([A-Z]+, *([A-Za-z0-9_]+),.*/\2/p' lib/config/params/*.def | sort -u >"$tmp/rows"
# the table's own tests and the corpus tests do not count as readers
echo "$sources" | grep -vE '^(\./)?tests/' |
	xargs grep -ohE '[A-Za-z0-9_]+' | sort -u >"$tmp/words"
# a value that an implemented default refers to is read through it
awk '/^(PARAM|PARAM_AS|TRANSPORT)\(/ { on = 1 } /^KNOWN/ { on = 0 } on' lib/config/params/*.def |
	grep -oE '\$[{(]?[A-Za-z0-9_]+' | tr -d '${(' >>"$tmp/words"
sort -u -o "$tmp/words" "$tmp/words"
comm -23 "$tmp/rows" "$tmp/words" >"$tmp/unread"
# values that only other values read ($name in a default or a sample), and postconf's own
while read -r name; do
	case $name in
	process_id|process_name|stress|mail_version|mail_release_date|mailq_path|newaliases_path|sendmail_path|manpage_directory) continue ;;
	esac
	echo "lib/config/params: $name is marked PARAM, but no code reads it: make it KNOWN"
done <"$tmp/unread" >"$tmp/bad"
# per-transport names: the suffix is a text in code
sed -nE 's/^TRANSPORT\([A-Z]+, *([a-z_]+),.*/\1/p' lib/config/params/transport.def | while read -r suffix; do
	echo "$sources" | grep -vE '^(\./)?(tests|admin)/' | xargs grep -qF "\"$suffix\"" ||
		echo "lib/config/params/transport.def: no code reads $suffix: make it KNOWN_TRANSPORT"
done >>"$tmp/bad"
# "local_destination_concurrency_limit" is read as transport and suffix
sed -nE 's/^TRANSPORT\([A-Z]+, *([a-z_]+),.*/_?[a-z]+\1 is marked/p' lib/config/params/transport.def >"$tmp/suffixes"
grep -vE -f "$tmp/suffixes" "$tmp/bad" >"$tmp/rest"; mv "$tmp/rest" "$tmp/bad"
[ -s "$tmp/rows" ] || { echo "no rows found"; exit 1; }
if [ -s "$tmp/bad" ]; then
	cat "$tmp/bad"
	exit 1
fi
echo "params: ok, $(wc -l <"$tmp/rows") implemented"
