/* lib/config/bouncecf_builtin.c - the texts of reports where no file says otherwise. */
#include "lib/config/bouncecf.h"

#define FROM     SV_INIT("Mail Delivery System <MAILER-DAEMON>")
#define US_ASCII SV_INIT("us-ascii")
#define HELLO    "This is the mail server $myhostname.\n\n"

static const struct bouncecf_template builtin[BOUNCECF_KINDS] = {
	[BOUNCECF_FAILURE] = { .charset = US_ASCII, .from = FROM,
		.subject = SV_INIT("Your mail could not be delivered"),
		.postmaster_subject = SV_INIT("Postmaster notice: undeliverable mail"),
		.text = SV_INIT(HELLO
			"Your mail could not be delivered to the recipients listed below, for the\n"
			"reasons given. It will not be tried again. The mail, or at least its\n"
			"header, is attached.\n"
			"\n"
			"If you need help, write to the postmaster of this server and include this\n"
			"report.\n") },
	[BOUNCECF_DELAY] = { .charset = US_ASCII, .from = FROM,
		.subject = SV_INIT("Your mail is delayed"),
		.postmaster_subject = SV_INIT("Postmaster notice: delayed mail"),
		.text = SV_INIT(HELLO
			"Your mail has not been delivered yet to the recipients listed below. You\n"
			"need not do anything: delivery will be tried again until the mail is\n"
			"$maximal_queue_lifetime old.\n") },
	[BOUNCECF_SUCCESS] = { .charset = US_ASCII, .from = FROM,
		.subject = SV_INIT("Delivery report of your mail"),
		.postmaster_subject = SV_INIT(""),
		.text = SV_INIT(HELLO
			"As you asked, here is what became of your mail at this server. A recipient\n"
			"that was \"relayed\" or \"expanded\" may get it, or not, from the next server\n"
			"or from this one; you are told when that fails.\n") },
	[BOUNCECF_VERIFY] = { .charset = US_ASCII, .from = FROM,
		.subject = SV_INIT("Report of a delivery attempt"),
		.postmaster_subject = SV_INIT(""),
		.text = SV_INIT(HELLO
			"As you asked, here is what this server did, or would do, with your mail.\n") },
};

const struct bouncecf_template *bouncecf_builtin(enum bouncecf_kind kind)
{
	return &builtin[kind];
}

const char *bouncecf_name(enum bouncecf_kind kind)
{
	static const char *const names[] = { [BOUNCECF_FAILURE] = "failure", [BOUNCECF_DELAY] = "delay",
		[BOUNCECF_SUCCESS] = "success", [BOUNCECF_VERIFY] = "verify" };
	return names[kind];
}
