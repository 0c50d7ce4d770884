# What the tests of the package know how to do and to ask, inside of the Debian that tests/deb/run made. Sourced.
set -u
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin
SPOOL=/var/spool/merpati CONF=/etc/merpati LOG=/var/log/merpati/mail.log

fail() {
	echo "FAILED: $*"
	for f in "$LOG" /tmp/said; do
		[ ! -e "$f" ] || { echo "--- $f"; tail -n 25 "$f"; }
	done
	exit 1
}
ok() { echo "ok: $*"; }
# until_true SECONDS COMMAND...
until_true() {
	local end=$((SECONDS + $1))
	shift
	type "$1" >/dev/null 2>&1 || fail "no such step: $1"
	while ! "$@" >/dev/null 2>&1; do
		[ "$SECONDS" -lt "$end" ] || return 1
		nap
	done
}
nap() { perl -e 'select(undef, undef, undef, 0.1)'; }
must() { "$@" >/tmp/said 2>&1 || fail "$*: exit $?"; }
apt_install() { must apt-get install -y -q --no-install-recommends "$@"; }
said() { grep -qF -- "$1" /tmp/said || fail "not said: $1"; }
as() {
	local user=$1
	shift
	setpriv --reuid "$user" --regid "$user" --init-groups --reset-env -- "$@"
}
send() { # send FROM TO SUBJECT: sendmail's exit code
	printf 'Subject: %s\n\nbody of %s\n' "$3" "$3" | as "$1" /usr/sbin/sendmail "$2"
}
has_mail() { # has_mail USER SUBJECT
	grep -rqx "Subject: $2" "/home/$1/Maildir/new" "/home/$1/Maildir/cur"
}
arrives() { until_true 60 has_mail "$1" "$2" || fail "$1 does not get \"$2\""; }
queue_files() { (cd "$SPOOL" && find maildrop incoming active deferred hold corrupt -type f -printf '%f\n' | sort); }
queued() { # queued SUBJECT: the file that holds it
	grep -rlx "Subject: $1" "$SPOOL"/{maildrop,incoming,active,deferred,hold} 2>/dev/null | head -1
}
waits_in() { case $(queued "$2") in "$SPOOL/$1"/*) return 0 ;; esac; return 1; }
deferred() { until_true 60 waits_in deferred "$1" || fail "\"$1\" is not deferred"; }
processes() { pgrep_exe /usr/libexec/merpati/; }
pgrep_exe() { # pids whose program's path begins with $1
	local p exe
	for p in /proc/[0-9]*; do
		exe=$(readlink "$p/exe" 2>/dev/null) || continue
		case $exe in "$1"*) echo "${p#/proc/} $exe" ;; esac
	done
}
nothing_runs() { [ -z "$(processes)" ]; }
config_sum() { sha256sum "$CONF"/{main.cf,master.cf,users} /etc/aliases /etc/mailname; }

make_machine() { # a name, and two users
	hostname host
	printf '127.0.0.1 localhost\n127.0.1.1 host.example.test host\n::1 localhost\n' >/etc/hosts
	for user in anna bert; do
		must useradd -m -s /bin/bash "$user"
		echo "$user:secret-of-$user" | chpasswd -c SHA512 || fail "chpasswd"
	done
}
imap() { # imap USER: signs in by PAM, says how many mails INBOX has
	exec 3<>/dev/tcp/127.0.0.1/143 || return 1
	printf 'a login %s secret-of-%s\r\nb select INBOX\r\nc logout\r\n' "$1" "$1" >&3
	timeout 30 cat <&3
	exec 3>&-
}

# --- mail sent while something happens: each subject once ---------------------------------------------
by_program() { # every sendmail that says 0 has to arrive, and none may say anything else
	local i=0
	while [ ! -e /tmp/stop ]; do
		i=$((i + 1))
		send bert anna "program $i"
		echo "$? program $i"
	done
}
by_smtp() { # every mail that was answered 250 has to arrive; without an answer it is another mail's turn
	perl -MIO::Socket::INET -e '
		$| = 1;
		$SIG{PIPE} = "IGNORE";
		my $i = 0;
		while (!-e "/tmp/stop") {
			my $s = IO::Socket::INET->new(PeerAddr => "127.0.0.1:25", Timeout => 30);
			if (!$s) { select(undef, undef, undef, 0.05); next; }
			$i++;
			alarm 60;
			my $accepted = 1;
			for my $say ("", "HELO client\r\n", "MAIL FROM:<bert\@host.example.test>\r\n",
				"RCPT TO:<anna\@host.example.test>\r\n", "DATA\r\n", "Subject: smtp $i\r\n\r\nx\r\n.\r\n") {
				print $s $say;
				my $reply = <$s>;
				if (!defined $reply || $reply !~ /^[23]/) { $accepted = 0; last; }
			}
			print "0 smtp $i\n" if $accepted;
			print $s "QUIT\r\n";
			close $s;
		}'
}
came() { grep -rhx "Subject: $1 [0-9]*" /home/anna/Maildir/new /home/anna/Maildir/cur | sed 's/^Subject: //' | sort; }
missing() { came "$1" | sort -u | comm -13 - <(sed -n 's/^0 //p' "/tmp/$1.sent" | sort); }
nothing_misses() { [ -z "$(missing "$1")" ]; }
each_came_once() {
	until_true 60 nothing_misses "$1" || fail "lost: $(missing "$1" | head -5)"
	[ -z "$(came "$1" | uniq -d)" ] || fail "twice: $(came "$1" | uniq -d | head -5)"
}
# upgrade_while_mail_comes PACKAGE VERSION: nothing is lost or refused, nothing comes twice, no old program runs on.
upgrade_while_mail_comes() {
	local sender client before during after
	rm -f /tmp/stop
	by_program >/tmp/program.sent 2>/tmp/program.err &
	sender=$!
	by_smtp >/tmp/smtp.sent 2>/tmp/smtp.err &
	client=$!
	until_true 30 grep -q '^0 program 3$' /tmp/program.sent || fail "the sending has not begun"
	until_true 30 grep -q '^0 smtp 3$' /tmp/smtp.sent || fail "the sending by SMTP has not begun"
	before=$(wc -l </tmp/program.sent)
	apt_install "$1"
	must merpati status
	during=$(($(wc -l </tmp/program.sent) - before))
	after=$(($(wc -l </tmp/smtp.sent) + 3))
	smtp_goes_on() { [ "$(wc -l </tmp/smtp.sent)" -ge "$after" ]; }
	until_true 30 smtp_goes_on || fail "no SMTP after the upgrade"
	touch /tmp/stop
	wait $sender && wait $client || fail "a sender broke off: $(cat /tmp/smtp.err)"
	[ "$(dpkg-query -W -f '${Version}' merpati)" = "$2" ] || fail "not upgraded"
	! grep -v '^0 ' /tmp/program.sent || fail "sendmail refused during the upgrade: $(sort -u /tmp/program.err)"
	[ "$during" -gt 3 ] || fail "only $during mails while the upgrade ran"
	! processes | grep deleted || fail "programs of the old version run"
	each_came_once program
	each_came_once smtp
	ok "upgraded to $2: $(wc -l </tmp/program.sent) mails of a program ($during meanwhile)," \
		"$(wc -l </tmp/smtp.sent) by SMTP, each is there once"
}
