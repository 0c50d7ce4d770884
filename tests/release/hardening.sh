#!/bin/sh
# usage: hardening.sh BUILD_DIR - every program is position independent, with full RELRO, no executable stack,
# stack protector, checked string functions. (-fcf-protection is asked for by the build; the start files of
# Debian 12 carry no such mark, so that the linked program cannot.)
bad=0 seen=0
complain() { echo "$1: $2"; bad=$((bad + 1)); }
for f in "$1"/sbin/* "$1"/bin/* "$1"/libexec/merpati/*; do
	[ -f "$f" ] && [ ! -L "$f" ] || continue
	seen=$((seen + 1))
	head=$(readelf -hW "$f") segments=$(readelf -lW "$f") dynamic=$(readelf -dW "$f")
	symbols=$(readelf -sW "$f")
	case $head in *"DYN (Position-Independent"*) ;; *) complain "$f" "not position independent" ;; esac
	case $segments in *GNU_RELRO*) ;; *) complain "$f" "no RELRO" ;; esac
	case $dynamic in *BIND_NOW*|*"Flags: NOW"*) ;; *) complain "$f" "lazy binding" ;; esac
	echo "$segments" | grep GNU_STACK | grep -q RWE && complain "$f" "executable stack"
	case $symbols in *__stack_chk_fail*) ;; *) complain "$f" "no stack protector" ;; esac
	case $symbols in *_chk@*) ;; *) complain "$f" "no checked string functions" ;; esac
	case $dynamic in *RPATH*|*RUNPATH*) complain "$f" "search path for libraries inside" ;; esac
done
[ "$seen" -gt 0 ] || { echo "no programs below $1"; exit 1; }
[ "$bad" -eq 0 ] && echo "hardening: $seen programs"
[ "$bad" -eq 0 ]
