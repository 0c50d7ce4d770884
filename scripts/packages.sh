# Debian packages that building, testing and trying merpati need. Sourced by quickstart, tests/run, .ci/run.
BUILD_PACKAGES="gcc libc6-dev cmake ninja-build pkg-config git libssl-dev libdb5.3-dev libc-ares-dev
 libcmocka-dev libuv1-dev liblmdb-dev libidn2-dev libseccomp-dev libcrypt-dev libpam0g-dev"
TEST_PACKAGES="python3 procps openssl curl swaks msmtp mutt alpine procmail maildrop isync fetchmail expect iproute2 mount util-linux mandoc passwd strace btrfs-progs
 libsodium23 libunwind8 liblz4-1 libbz2-1.0
 libacl1 libapparmor1 libip4tc2 libkmod2"  # the last two lines: what the unpacked doveadm and systemd-analyze link
DEB_PACKAGES="build-essential debhelper lintian po-debconf"  # tests/deb/run; libraries: BUILD_PACKAGES
DEMO_PACKAGES="curl ca-certificates"

# install_packages NAME...: installs those that are not there; root, or sudo, only when one is missing.
install_packages() {
	local missing=() p as=()
	for p in "$@"; do
		[ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null)" = installed ] || missing+=("$p")
	done
	[ ${#missing[@]} -eq 0 ] && return 0
	if [ "$(id -u)" -ne 0 ]; then
		command -v sudo >/dev/null || {
			echo "missing packages: ${missing[*]}: run this as root, or install sudo" >&2
			return 1
		}
		as=(sudo)
	fi
	echo "installing: ${missing[*]}"
	"${as[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -qq || return 1
	"${as[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
		"${missing[@]}" >/dev/null || return 1
}

# unpack_peer NAME DIR: a package whose programs tests talk to, unpacked below DIR and never installed; says its
# version. Nothing is done when it is there already.
unpack_peer() {
	local name=$1 dir=$2
	if [ ! -e "$dir/$name.version" ]; then
		mkdir -p "$dir/download" || return 1
		(cd "$dir/download" && apt-get download -qq "$name" 2>/dev/null) ||
			(cd "$dir/download" && apt-get update -qq && apt-get download -qq "$name" 2>/dev/null) || return 1
		dpkg -x "$dir/download/$name"_*.deb "$dir" &&
			dpkg-deb -f "$dir/download/$name"_*.deb Version >"$dir/$name.version" || return 1
	fi
	echo "peer: $name $(cat "$dir/$name.version")"
}

# unpack_systemd_analyze DIR: systemd's measure of units, unpacked below DIR; named in MERPATI_SYSTEMD_ANALYZE.
unpack_systemd_analyze() {
	unpack_peer systemd "$1" && unpack_peer libsystemd-shared "$1" || return 1
	local libs=("$1"/usr/lib/*/systemd)
	local where="LD_LIBRARY_PATH=${libs[0]} SYSTEMD_UNIT_PATH=$1/lib/systemd/system"
	export MERPATI_SYSTEMD_ANALYZE="env $where $1/usr/bin/systemd-analyze"
}
