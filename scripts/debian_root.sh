# debian_root DIR [PACKAGE...]: a bare Debian 12 (minbase, and these packages) in DIR, with this machine's package
# sources, names and resolver. With MERPATI_DEBIAN_BASE set, the bare part is made once, kept there, and copied.
# enter_root DIR [--no-network] COMMAND...: runs it there, in namespaces of mounts and processes of its own (and of the
# network, with loopback alone, and of names), so that nothing stays mounted or running.
# boot_root DIR SECONDS: the same with its systemd as the first process, until that ends. Root is needed. Sourced by
# tests/chroot/run and tests/deb/run.
debian_root() {
	local dir=$1 base=${MERPATI_DEBIAN_BASE:-} f
	shift
	if [ -n "$base" ]; then
		[ -e "$base/etc/debian_version" ] || bare_debian "$base" || return 1
		mkdir -p "$dir" && cp -a "$base/." "$dir/" || return 1
	else
		bare_debian "$dir" || return 1
	fi
	[ $# -eq 0 ] || chroot "$dir" sh -c 'apt-get update -qq && exec apt-get install -y -qq --no-install-recommends "$@"' \
		install "$@" >"$dir.log" 2>&1 || { tail -20 "$dir.log"; return 1; }
}

bare_debian() {
	local dir=$1 mirror
	mirror=$(sed -n 's/^URIs: *//p; s/^deb \(\[[^]]*\] \)\?\(http[^ ]*\).*/\2/p' \
		/etc/apt/sources.list.d/debian.sources /etc/apt/sources.list 2>/dev/null | head -1)
	debootstrap --variant=minbase bookworm "$dir.new" "${mirror:-http://deb.debian.org/debian}" \
		>"$dir.log" 2>&1 || { tail -20 "$dir.log"; return 1; }
	# the same package sources as this machine: mirror, proxy, signatures
	cp -a /etc/apt/sources.list.d/debian.sources "$dir.new/etc/apt/sources.list.d/" 2>/dev/null &&
		rm -f "$dir.new/etc/apt/sources.list"
	for f in /etc/apt/apt.conf.d/*artifact* /etc/apt/apt.conf.d/*proxy*; do
		[ -e "$f" ] && cp -a "$f" "$dir.new/etc/apt/apt.conf.d/"
	done
	cp /etc/resolv.conf /etc/hosts "$dir.new/etc/" 2>/dev/null || :
	mv "$dir.new" "$dir"
}

enter_root() {
	local dir=$1 spaces=(--mount --pid)
	shift
	if [ "$1" = --no-network ]; then
		spaces+=(--net --uts)
		shift
	fi
	# the root of a machine is a mount point; tests that make mount namespaces of their own count on it
	unshare "${spaces[@]}" --fork --kill-child /bin/sh -c '
		set -e
		[ "$2" != --no-network ] || ip link set lo up
		mount --bind "$1" "$1"
		mount -t proc proc "$1/proc"
		mount -t tmpfs -o mode=1777 tmpfs "$1/tmp"
		mount -t devpts -o ptmxmode=666 devpts "$1/dev/pts"
		root=$1
		shift 2
		exec chroot "$root" "$@"' enter-root "$dir" "${spaces[2]:+--no-network}" "$@"
}

boot_root() {
	unshare --mount /bin/bash -c "$(declare -f boot_in_own_cgroup boot_first_process)"'
		boot_in_own_cgroup "$@"' boot-root "$@" </dev/null
}

# In a group of its own, so that this systemd sees none of the machine's, and leaves none behind.
boot_in_own_cgroup() {
	local root=$1 seconds=$2 own=$1/mnt/merpati-test.$$ rc=0
	mount --bind "$root" "$root" && mount -t cgroup2 cgroup2 "$root/mnt" && mkdir "$own" || return 1
	(
		echo $BASHPID >"$own/cgroup.procs" || exit 1
		umount "$root/mnt"
		exec timeout "$seconds" unshare --mount --pid --net --uts --ipc --cgroup --fork --kill-child /bin/bash -c \
			"$(declare -f boot_first_process)"'; boot_first_process "$1"' boot-root "$root"
	) || rc=$?
	mount -t cgroup2 cgroup2 "$root/mnt"
	# the last processes may be on their way out
	for _ in {1..100}; do
		find "$own" -depth -type d -exec rmdir {} + 2>/dev/null
		[ -e "$own" ] || return $rc
		sleep 0.1
	done
	echo "$own is left" >&2
	return 1
}

boot_first_process() {
	set -e
	ip link set lo up
	cd "$1"
	mount -t proc proc proc
	mount -t sysfs -o ro sysfs sys
	mount -t cgroup2 cgroup2 sys/fs/cgroup
	mount -t tmpfs -o mode=755 tmpfs run
	mount -t tmpfs -o mode=1777 tmpfs tmp
	mount -t devpts -o newinstance,ptmxmode=666 devpts dev/pts
	export container=test
	pivot_root . mnt
	umount -l /mnt
	exec /lib/systemd/systemd --system --show-status=0 --log-target=journal
}
