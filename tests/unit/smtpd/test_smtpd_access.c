/* Unit test of smtpd/smtpd_access.c: lists as main.cf has them, and no open relay by omission. */
#include "tests/support/t.h"
#include "lib/config/params.h"
#include "smtpd/smtpd_access.h"

static void parses_lists(UNUSED void **state)
{
	struct smtpd_rules r;
	smtpd_rules_parse(&r, "smtpd_recipient_restrictions",
		"permit_mynetworks,\n\treject_unauth_destination  , warn_if_reject REJECT_NON_FQDN_SENDER\n"
		"  check_policy_service { inet:x:1, timeout=1 }");
	assert_int_equal(r.n, 5);
	assert_int_equal(r.rule[0].kind, SMTPD_PERMIT_MYNETWORKS);
	assert_int_equal(r.rule[1].kind, SMTPD_REJECT_UNAUTH_DESTINATION);
	assert_int_equal(r.rule[2].kind, SMTPD_REJECT_NON_FQDN_SENDER);
	assert_true(r.rule[2].warn_only);
	assert_false(r.rule[1].warn_only);
	assert_int_equal(r.rule[3].kind, SMTPD_UNSUPPORTED);
	assert_string_equal(r.rule[4].name, "{ inet:x:1, timeout=1 }");
	smtpd_rules_free(&r);
	smtpd_rules_parse(&r, "x", " ,, ");
	assert_int_equal(r.n, 0);
	smtpd_rules_free(&r);
}

static const struct {
	const char *list;
	bool stops;
} relaying[] = {
	{ "", false },
	{ "permit_mynetworks", false },
	{ "permit_mynetworks, reject_unauth_destination", true },
	{ "defer_unauth_destination", true },
	{ "permit_mynetworks, reject", true },
	{ "defer", true },
	{ "warn_if_reject reject_unauth_destination", false }, /* a warning stops nobody */
	{ "reject_unknown_recipient_domain reject_unlisted_recipient", false },
	{ "reject_unauth_destinatoin", false }, /* mistyped */
};

static void knows_what_stops_relaying(UNUSED void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(relaying); i++) {
		struct smtpd_rules r;
		t_case(relaying[i].list);
		smtpd_rules_parse(&r, "x", relaying[i].list);
		assert_int_equal(smtpd_rules_stop_relay(&r), relaying[i].stops);
		smtpd_rules_free(&r);
	}
}

static int init_with(const char *relay, const char *rcpt, struct err *e)
{
	struct params_smtpd p;
	struct smtpd_access a;
	struct config *cfg = config_open_empty("/nonexistent");

	assert_int_equal(config_override(cfg, "smtpd_relay_restrictions", relay, e), 0);
	assert_int_equal(config_override(cfg, "smtpd_recipient_restrictions", rcpt, e), 0);
	assert_int_equal(params_smtpd_load(cfg, &p, e), 0);
	int rc = smtpd_access_init(&a, &p, e);
	if (rc == 0)
		smtpd_access_free(&a);
	config_free(cfg);
	return rc;
}

static void start_fails_for_an_open_relay(UNUSED void **state)
{
	struct err e = ERR_INIT;
	assert_int_equal(init_with("", "", &e), -1);
	assert_int_equal(e.cls, ERR_CONFIG);
	assert_non_null(strstr(e.text, "reject_unauth_destination"));
	assert_int_equal(init_with("permit_mynetworks", "permit_mynetworks", &e), -1);
	assert_int_equal(init_with("", "permit_mynetworks, reject_unauth_destination", &e), 0);
	assert_int_equal(init_with("permit_mynetworks, defer_unauth_destination", "", &e), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(parses_lists),
		cmocka_unit_test(knows_what_stops_relaying),
		cmocka_unit_test(start_fails_for_an_open_relay) };
	return cmocka_run_group_tests_name("smtpd_access", tests, NULL, NULL);
}
