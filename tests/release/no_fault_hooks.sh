#!/bin/sh
# usage: no_fault_hooks.sh BUILD_DIR - no program of a release build knows the fault hook or the scaled clock.
found=0 seen=0
for f in "$1"/sbin/* "$1"/bin/* "$1"/libexec/merpati/*; do
	[ -f "$f" ] || continue
	seen=$((seen + 1))
	for word in MERPATI_FAULT MERPATI_CLOCK_SCALE MERPATI_CLOCK_FILE fault_sites; do
		if grep -qa "$word" "$f"; then
			echo "$f: holds \"$word\""
			found=$((found + 1))
		fi
	done
done
[ "$seen" -gt 0 ] || { echo "no programs below $1"; exit 1; }
[ "$found" -eq 0 ] && echo "release: $seen programs, no fault hooks"
[ "$found" -eq 0 ]
