# reachable_or_again TREE PROGRAM [ARG...]: tests that root runs drop to an ordinary user, who must reach the programs
# they built. When a directory above TREE is closed to others (a checkout below /root), PROGRAM is run again in a mount
# namespace of its own, where that directory is an empty one that shows TREE alone, at the same path. Sourced by
# tests/run and tests/release/run.
reachable_or_again() {
	local tree=$1 closed
	shift
	[ "$(id -u)" -eq 0 ] && [ -z "${MERPATI_TREE_SHOWN:-}" ] || return 0
	closed=$(closed_above "$tree")
	[ -n "$closed" ] || return 0
	echo "$closed is closed to the user of the tests: they run where it shows $tree only"
	exec env MERPATI_TREE_SHOWN=1 unshare --mount --propagation private /bin/bash -c '
		set -e
		mount --bind "$2" /mnt
		mount -t tmpfs -o mode=755 tmpfs "$1"
		mkdir -p "$2"
		mount --move /mnt "$2"
		cd "$2"
		shift 2
		exec "$@"' show-tree "$closed" "$tree" "$@"
}

# The topmost directory on the way to TREE that an ordinary user cannot pass; nothing when there is none.
closed_above() {
	local d="" part parts
	IFS=/ read -ra parts <<<"${1#/}"
	for part in "${parts[@]}"; do
		d=$d/$part
		setpriv --reuid 65534 --regid 65534 --clear-groups test -x "$d" || {
			echo "$d"
			return
		}
	done
}
