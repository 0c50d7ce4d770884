/* admin/postconf/pc_database.c - settings of database tables that may stand in main.cf. */
#include "admin/postconf/postconf.h"

/* Shared by the SQL clients, then each client's own. */
#define SQL_NAMES                                                                                  \
	"domain", "expansion_limit", "query", "result_format", "select_field", "where_field",      \
		"table", "additional_conditions"
#define SERVER_NAMES "dbname", "hosts", "password", "user"

static const char *const ldap_names[] = {
	"bind", "bind_dn", "bind_pw", "cache", "cache_expiry", "cache_size", "chase_referrals",
	"debuglevel", "dereference", "domain", "expansion_limit", "leaf_result_attribute",
	"query_filter", "recursion_limit", "result_attribute", "result_filter", "result_format",
	"sasl_authz_id", "sasl_mechs", "sasl_minssf", "sasl_realm", "scope", "search_base",
	"server_host", "server_port", "size_limit", "special_result_attribute", "start_tls",
	"terminal_result_attribute", "timeout", "tls_ca_cert_dir", "tls_ca_cert_file", "tls_cert",
	"tls_cipher_suite", "tls_key", "tls_random_file", "tls_require_cert", "version",
};
static const char *const mysql_names[] = {
	SQL_NAMES, SERVER_NAMES, "option_file", "option_group", "require_result_set", "charset",
	"idle_interval", "retry_interval", "tls_CAfile", "tls_CApath", "tls_cert_file",
	"tls_ciphers", "tls_key_file", "tls_verify_cert",
};
static const char *const pgsql_names[] = {
	SQL_NAMES, SERVER_NAMES, "encoding", "idle_interval", "retry_interval", "select_function",
};
static const char *const sqlite_names[] = { SQL_NAMES, "dbpath" };
static const char *const memcache_names[] = {
	"backup", "data_size_limit", "domain", "flags", "key_format", "line_size_limit",
	"max_try", "memcache", "retry_pause", "timeout", "ttl",
};

static const struct {
	const char *type;
	const char *const *names;
	size_t count;
} databases[] = {
	{ "ldap", ldap_names, ARRAY_LEN(ldap_names) },
	{ "mysql", mysql_names, ARRAY_LEN(mysql_names) },
	{ "pgsql", pgsql_names, ARRAY_LEN(pgsql_names) },
	{ "sqlite", sqlite_names, ARRAY_LEN(sqlite_names) },
	{ "memcache", memcache_names, ARRAY_LEN(memcache_names) },
};

bool pc_database_type(struct sv type)
{
	for (size_t i = 0; i < ARRAY_LEN(databases); i++)
		if (sv_eqz(type, databases[i].type))
			return true;
	return false;
}

void pc_database_names(struct sv type, struct sv prefix, pc_database_fn *fn, void *arg)
{
	struct buf name;
	buf_init(&name, CONFIG_NAME_MAX);
	for (size_t d = 0; d < ARRAY_LEN(databases); d++) {
		if (!sv_eqz(type, databases[d].type))
			continue;
		for (size_t i = 0; i < databases[d].count; i++) {
			buf_reset(&name);
			if (buf_put_sv(&name, prefix) == 0 && buf_putc(&name, '_') == 0 &&
			    buf_puts(&name, databases[d].names[i]) == 0)
				fn(arg, buf_sv(&name));
		}
	}
	buf_free(&name);
}
