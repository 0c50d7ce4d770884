#include "admin/merpati/merpati.h"

/* Where this installation's programs are. */
static void put_programs(const char *dir, struct buf *out)
{
	struct err e;
	struct config *defaults = config_open_empty(dir);
	static const char *const programs[] = { "daemon_directory", "command_directory" };
	for (size_t i = 0; i < ARRAY_LEN(programs); i++) {
		const char *value = config_str(defaults, programs[i], &e);
		buf_printf(out, "%s = %s\n", programs[i], value ? value : "");
	}
	config_free(defaults);
}

static void put_sizes(struct buf *out)
{
	buf_puts(out,
	        "home_mailbox = Maildir/\n"
	        "recipient_delimiter = +\n"
	        "\n"
	        "# Sizes in octets; 0 is no limit.\n"
	        "message_size_limit = 52428800\n"
	        "mailbox_size_limit = 0\n"
	        "virtual_mailbox_limit = 0\n");
}

static void put_times(struct buf *out)
{
	buf_puts(out,
	        "\n"
	        "# Mail that waits is tried again after about 15 minutes at first, later less often; its sender\n"
	        "# hears of it after four hours, and after five days it is returned (maximal_queue_lifetime).\n"
	        "minimal_backoff_time = 15m\n"
	        "delay_warning_time = 4h\n");
}

static void put_tls(const char *dir, struct buf *out)
{
	buf_printf(out,
	        "\n"
	        "# TLS. The certificate signed itself: name your own, key first, then certificate and chain.\n"
	        "smtpd_tls_chain_files = %s/tls/key.pem, %s/tls/cert.pem\n"
	        "smtpd_tls_security_level = may\n"
	        "smtpd_tls_received_header = yes\n"
	        "smtpd_tls_loglevel = 1\n"
	        "smtp_tls_security_level = may\n",
	        dir, dir);
}

void init_main_cf(const struct init_options *o, const char *dir, const char *owner, struct buf *out)
{
	buf_printf(out,
	        "# main.cf of a private merpati instance, made by `merpati init`.\n"
	        "# Names and meanings are Postfix's; see main.cf(5). After a change: merpati -c %s "
	        "reload\n"
	        "compatibility_level = 3.6\n"
	        "\n"
	        "# Who and where. Everything runs as this user, never as root.\n"
	        "instance_owner = %s\n"
	        "queue_directory = %s/spool\n"
	        "data_directory = %s/spool/data\n",
	        dir, owner, dir, dir);
	put_programs(dir, out);
	buf_printf(out,
	        "maillog_file = %s/log/mail.log\n"
	        "maillog_file_prefixes = %s/log\n"
	        "\n"
	        "# Listening: master.cf names services smtp, submission, ...; this number is added to "
	        "their\n"
	        "# well-known ports (25, 587, 465, 110, 143). 0: the kernel chooses, see spool/pid/ports.\n"
	        "instance_port_base = %u\n"
	        "inet_interfaces = loopback-only\n"
	        "inet_protocols = all\n"
	        "\n"
	        "# Names.\n"
	        "mydomain = %s\n"
	        "myhostname = mail.$mydomain\n"
	        "myorigin = $mydomain\n"
	        "mydestination = $mydomain, $myhostname, localhost.$mydomain, localhost\n"
	        "mynetworks = 127.0.0.0/8 [::1]/128\n"
	        "\n"
	        "# Users: `merpati -c DIR user add NAME`; their mail is in "
	        "mail/DOMAIN/NAME/Maildir.\n"
	        "auth_users_file = %s/users\n"
	        "alias_maps = hash:%s/aliases\n"
	        "alias_database = $alias_maps\n"
	        "local_recipient_maps = $alias_maps\n",
	        dir, dir, o->ports, o->domain, dir, dir);
	put_sizes(out);
	put_times(out);
	put_tls(dir, out);
}

/* Without --domain: the host's own names. Debian has the domain of its mail in /etc/mailname. */
static void put_own_names(const struct init_host *h, struct buf *out)
{
	buf_printf(out, "%smyhostname = %s\n", h->name[0] ? "" : "# ", h->name[0] ? h->name : "mail.example.org");
	buf_puts(out, h->mailname ? "myorigin = /etc/mailname\n"
				    "mydestination = $myorigin, $myhostname, localhost.$mydomain, localhost\n"
				  : "# mydomain = example.org\n"
				    "# myorigin = $mydomain\n"
				    "mydestination = $myhostname, localhost.$mydomain, localhost\n");
}

static void put_names(const struct init_options *o, const struct init_host *h, struct buf *out)
{
	char host[256] = "";
	if (!o->domain) {
		put_own_names(h, out);
		return;
	}
	if (gethostname(host, sizeof host - 1) < 0)
		host[0] = '\0';
	host[strcspn(host, ".")] = '\0';
	buf_printf(out,
	        "mydomain = %s\n"
	        "myhostname = %s.$mydomain\n"
	        "myorigin = $mydomain\n"
	        "mydestination = $mydomain, $myhostname, localhost.$mydomain, localhost\n",
	        o->domain, host[0] ? host : "mail");
}

void init_system_main_cf(const struct init_options *o, const struct init_host *host, const char *dir, struct buf *out)
{
	buf_puts(out,
	        "# main.cf of this host's merpati, made by `merpati init --system`.\n"
	        "# Names and meanings are Postfix's; see main.cf(5). After a change: merpati reload\n"
	        "compatibility_level = 3.6\n"
	        "\n"
	        "# Accounts: this one, and -net, -out, -map, -auth, -tls behind its name.\n"
	        "mail_owner = merpati\n"
	        "setgid_group = merpati-drop\n"
	        "\n"
	        "# Where.\n"
	        "queue_directory = /var/spool/merpati\n"
	        "data_directory = /var/lib/merpati\n");
	put_programs(dir, out);
	buf_puts(out,
	        "# Empty: the system's log. A file must be in a directory that belongs to mail_owner.\n"
	        "maillog_file = /var/log/merpati/mail.log\n"
	        "maillog_file_permissions = 0640\n"
	        "inet_interfaces = all\n"
	        "inet_protocols = all\n"
	        "\n"
	        "# Names: the host's own where nothing is set.\n");
	put_names(o, host, out);
	buf_printf(out,
	        "mynetworks = 127.0.0.0/8 [::1]/128\n"
	        "\n"
	        "# Users: those of the system, and those of %s/users (`merpati user add NAME`).\n"
	        "auth_users_file = %s/users\n"
	        "alias_maps = hash:%s\n"
	        "alias_database = $alias_maps\n"
	        "local_recipient_maps = $alias_maps\n",
	        dir, dir, host->aliases);
	put_sizes(out);
	put_times(out);
	if (host->tls)
		put_tls(dir, out);
}

/* Mail of one's own users: with TLS only, and while there is no AUTH, from mynetworks only. */
static void put_submission(bool system, struct buf *out)
{
	static const char *const lines[] = {
		"submission    inet       n       -      n      -      -       smtpd",
		"  -o smtpd_tls_security_level=encrypt",
		"  -o smtpd_recipient_restrictions=permit_mynetworks,reject",
		"submissions   inet       n       -      n      -      -       smtpd",
		"  -o smtpd_tls_wrappermode=yes",
		"  -o smtpd_recipient_restrictions=permit_mynetworks,reject",
	};
	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		buf_printf(out, "%s%s\n", system ? "#" : "", lines[i]);
}

void init_master_cf(bool system, struct buf *out)
{
	/* a process of a private instance serves everybody, one of a system instance one user */
	const char *readers = system ? "1000" : "4", *workers = system ? "8" : "4";
	buf_printf(out,
	        "# master.cf of a %s merpati instance: which services run. See master.cf(5).\n"
	        "# ==========================================================================\n"
	        "# service     type       private unpriv chroot wakeup maxproc command + args\n"
	        "#                        (yes)   (yes)  (no)   (never) (100)\n"
	        "# ==========================================================================\n",
	        system ? "system" : "private");
	buf_puts(out,
	        "postlog       unix-dgram n       -      n      -      1       postlogd\n"
	        "smtp          inet       n       -      n      -      -       smtpd\n");
	put_submission(system, out);
	buf_puts(out,
	        "pop3          inet       n       -      n      -      1       login -o "
	        "login_protocol=pop3\n"
	        "imap          inet       n       -      n      -      1       login -o "
	        "login_protocol=imap\n"
	        "pickup        unix       n       -      n      60     1       pickup\n"
	        "cleanup       unix       n       -      n      -      0       cleanup\n"
	        "qmgr          unix       n       -      n      300    1       qmgr\n"
	        "rewrite       unix       -       -      n      -      -       trivial-rewrite\n"
	        "bounce        unix       -       -      n      -      0       bounce\n"
	        "defer         unix       -       -      n      -      0       bounce\n"
	        "trace         unix       -       -      n      -      0       bounce\n"
	        "local         unix       -       -      n      -      -       local\n"
	        "virtual       unix       -       -      n      -      -       virtual\n"
	        "error         unix       -       -      n      -      -       error\n"
	        "retry         unix       -       -      n      -      -       error\n"
	        "discard       unix       -       -      n      -      -       discard\n"
	        "proxymap      unix       -       -      n      -      -       proxymap\n"
	        "anvil         unix       -       -      n      -      1       anvil\n"
	        "dns           unix       -       -      n      -      1       dnsd\n"
	        "showq         unix       n       -      n      -      -       showq\n"
	        "auth          unix       -       -      n      -      1       auth\n");
	buf_printf(out, "auth-worker   unix       -       -      n      -      %s       auth-worker\n", workers);
	if (system)
		buf_puts(out,
		        "auth-pam      unix       -       -      n      -      8       auth-pam\n"
		        "maillock      unix       n       -      n      -      -       maillock\n");
	buf_printf(out,
	        "pop3d         unix       -       -      n      -      %-7s pop3d\n"
	        "imapd         unix       -       -      n      -      %-7s imapd\n",
	        readers, readers);
	buf_puts(out,
	        "postman       unix       -       n      n      -      -       postman\n"
	        "smtp          unix       -       -      n      -      -       smtp\n"
	        "relay         unix       -       -      n      -      -       smtp\n"
	        "lmtp          unix       -       -      n      -      -       lmtp\n");
}

void init_aliases(bool system, struct buf *out)
{
	buf_puts(out, "# aliases: name: where its mail goes. See aliases(5). After a change: newaliases\n");
	if (system)
		buf_puts(out,
		        "# Mail for root waits until this names a person:\n"
		        "# root:        anna\n"
		        "postmaster:    root\n");
	else
		buf_puts(out,
		        "# The first user that `merpati user add` makes becomes postmaster, below.\n");
	buf_puts(out,
	        "mailer-daemon: postmaster\n"
	        "abuse:         postmaster\n"
	        "hostmaster:    postmaster\n"
	        "webmaster:     postmaster\n");
}
