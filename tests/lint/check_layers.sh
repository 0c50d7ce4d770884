#!/bin/sh
# Layers of lib/: each may include only those that lib/LAYERS names; lib never includes a daemon; a
# daemon includes lib and its own folder; foreign headers stay behind the layer that owns them.
cd "$(dirname "$0")/../.." || exit 2
bad=$(mktemp) || exit 2
trap 'rm -f "$bad"' EXIT

includes() { # files... -> "file<TAB>header" for every quoted include
	grep -Hn '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' "$@" /dev/null |
		sed 's/^\([^:]*\):\([0-9]*\):[^"]*"\([^"]*\)".*/\1:\2\t\3/'
}

grep '^[a-z]*:' lib/LAYERS | while IFS=: read -r layer below; do
	[ -d "lib/$layer" ] || continue
	includes $(find "lib/$layer" -name '*.[ch]' -o -name '*.def') | while IFS="$(printf '\t')" read -r at header; do
		case $header in
		lib/*) to=${header#lib/}; to=${to%%/*} ;;
		*) echo "$at: lib may include only lib/...: \"$header\""; continue ;;
		esac
		case " $layer $below " in *" $to "*) ;; *) echo "$at: layer $layer may not include $to" ;; esac
	done
done >>"$bad"

for dir in */; do
	dir=${dir%/}
	case $dir in lib|tests|build*|doc|etc|scripts|cmake|man) continue ;; esac
	files=$(find "$dir" -name '*.[ch]')
	[ -n "$files" ] || continue
	# shellcheck disable=SC2086
	includes $files | while IFS="$(printf '\t')" read -r at header; do
		case $header in lib/*|"$dir"/*) ;; *) echo "$at: $dir may include lib and itself only: \"$header\"" ;; esac
	done
done >>"$bad"

only() { # pattern, folders that may use it
	pattern=$1; shift
	grep -rnE --include='*.[ch]' "#[[:space:]]*include[[:space:]]*<($pattern)>" --exclude-dir=tests --exclude-dir='build*' . |
		while IFS= read -r hit; do
			ok=no
			for d in "$@"; do case $hit in ./"$d"/*) ok=yes ;; esac; done
			[ $ok = yes ] || echo "$hit: allowed only in: $*"
		done
}
{
	only 'ares\.h' dnsd
	only 'db\.h|db5[^>]*|pcre2\.h' lib/map
	only 'lmdb\.h' lib/map lib/store
	only 'openssl/[^>]*' lib/tls lib/sasl
	only 'uv\.h' lib/fiber
	only 'seccomp\.h|linux/landlock\.h|linux/seccomp\.h' lib/sys
	only 'idn2\.h' lib/mail
	only 'crypt\.h' admin lib/sasl
	only 'security/[^>]*|shadow\.h' auth-pam
} >>"$bad"

if [ -s "$bad" ]; then
	cat "$bad"
	echo "$(wc -l <"$bad") includes break the layers (lib/LAYERS)"
	exit 1
fi
echo "layers: ok"
