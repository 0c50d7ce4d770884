/* What a process prepares before its first session: parameters, restrictions, tables, keys, pools. */
#include <errno.h>
#include <fcntl.h>

#include "lib/sys/log.h"
#include "lib/sys/sys.h"
#include "smtpd/smtpd.h"

#define POOL_CLEANUP 100 /* a connection for each open transaction */
#define POOL_OTHERS  8

static int bare_newline_mode(const struct params_smtpd *p, enum smtp_bare_newline *out, struct err *e)
{
	static const struct {
		const char *name;
		enum smtp_bare_newline mode;
	} modes[] = {
		/* "no" is served as "note": the end of data is CRLF.CRLF in every mode */
		{ "no", SMTP_BARE_NL_NOTE },
		{ "note", SMTP_BARE_NL_NOTE },
		{ "normalize", SMTP_BARE_NL_NORMALIZE },
		{ "yes", SMTP_BARE_NL_NORMALIZE },
		{ "reject", SMTP_BARE_NL_REJECT },
	};
	for (size_t i = 0; i < ARRAY_LEN(modes); i++)
		if (sv_ieqz(sv_z(p->smtpd_forbid_bare_newline), modes[i].name)) {
			*out = modes[i].mode;
			return 0;
		}
	return err_set(e, ERR_CONFIG,
		"%s: smtpd_forbid_bare_newline: \"%s\" is none of normalize, reject, note, no",
		config_where(p->config, "smtpd_forbid_bare_newline"), p->smtpd_forbid_bare_newline);
}

/* Lists and tables; those in files are asked of proxymap, as this process will open none. */
static int open_lists(struct smtpd_process *p, struct err *e)
{
	p->mynetworks = matchlist_open("mynetworks", p->core.mynetworks, 0, &p->maps_env, e);
	if (!p->mynetworks)
		return -1;
	p->limit_exceptions = matchlist_open("smtpd_client_event_limit_exceptions",
		p->smtpd.smtpd_client_event_limit_exceptions, 0, &p->maps_env, e);
	if (!p->limit_exceptions)
		return -1;
	return smtpd_maps_init(&p->maps, &p->maps_env, &p->core, e);
}

int smtpd_pre_jail(struct server *s, struct err *e)
{
	struct smtpd_process *p = mem_alloc(sizeof(*p));
	const struct config *cfg = server_config(s);

	server_set_state(s, p);
	if (params_core_load(cfg, &p->core, e) < 0 || params_smtpd_load(cfg, &p->smtpd, e) < 0)
		return -1;
	if (bare_newline_mode(&p->smtpd, &p->bare_newline, e) < 0)
		return -1;
	if (notify_classes_parse(p->core.notify_classes, &p->notify_classes, e) < 0)
		return err_prefix(e, "%s", config_where(cfg, "notify_classes"));
	p->notify_classes &= ~(unsigned)(NOTIFY_CLASS_2BOUNCE | NOTIFY_CLASS_DELAY);
	if (smtpd_access_init(&p->access, &p->smtpd, e) < 0)
		return -1;
	smtpd_access_warn(&p->access, &p->smtpd);
	p->maps_env = (struct maps_env){ .proxymap = server_pool(s, "proxymap", POOL_OTHERS),
		.jailed = true };
	if (open_lists(p, e) < 0 || smtpd_tls_init(p, s, e) < 0)
		return -1;
	/* no directory: one that is open leads out of every jail */
	p->queue_file = sys_open("pid/master.pid", O_PATH | O_NOFOLLOW, 0);
	if (p->queue_file < 0)
		return err_sys(e, errno, "%s/pid/master.pid", p->core.queue_directory);
	return 0;
}

int smtpd_post_jail(struct server *s, UNUSED struct err *e)
{
	struct smtpd_process *p = server_state(s);

	p->cleanup = server_pool(s, p->core.cleanup_service_name, POOL_CLEANUP);
	p->rewrite = server_pool(s, "rewrite", POOL_OTHERS);
	p->dns = server_pool(s, "dns", POOL_OTHERS);
	/* one connection for as long as this process lives: with it end the counts of its clients */
	p->anvil = server_pool(s, "anvil", 1);
	ipc_pool_keep(p->anvil);
	p->auth = server_pool(s, "auth", POOL_OTHERS);
	p->rewriter = clnt_rewrite_new(p->rewrite);
	return 0;
}
