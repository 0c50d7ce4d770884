/* admin/postconf/pc_show.c - print parameters of main.cf. */
#include "admin/postconf/postconf.h"

#define COLUMNS 80

/* Words of TEXT with one blank between; FOLD: lines of at most COLUMNS, later ones indented. */
static void print_words(struct sv text, bool fold)
{
	size_t at = 0;
	while ((text = sv_trim_left(text)).len > 0) {
		struct sv word = sv_take_word(&text);
		if (fold && at > 0 && at + word.len + 1 > COLUMNS) {
			fputs("\n    ", stdout);
			at = 4;
		} else if (at > 0) {
			putchar(' ');
			at++;
		}
		fwrite(word.p, 1, word.len, stdout);
		at += word.len;
	}
	putchar('\n');
}

void pc_print(const struct pc *pc, const char *name, struct sv value)
{
	struct buf line;
	buf_init(&line, CONFIG_VALUE_MAX + CONFIG_NAME_MAX + 4);
	if (!pc->no_name)
		buf_puts(&line, name);
	if (!pc->no_name && !pc->no_value)
		buf_puts(&line, value.len > 0 ? " = " : " =");
	if (!pc->no_value)
		buf_put_sv(&line, value);
	print_words(buf_sv(&line), pc->fold);
	buf_free(&line);
}

static void show(struct pc *pc, const char *name)
{
	struct sv value;
	struct err e = ERR_INIT;
	if (pc->expand && !pc_is_raw(name)) {
		const char *text = config_str(pc->cfg, name, &e);
		if (!text)
			pc_fatal("%s", e.text);
		value = sv_z(text);
	} else if (!config_get(pc->cfg, name, &value)) {
		pc_fatal("%s: its default cannot be computed", name);
	}
	pc_print(pc, name, value);
}

static bool wanted(const struct pc *pc, const char *name)
{
	struct sv value;
	return !pc->set_only || config_get_set(pc->cfg, name, &value) ||
	       strcmp(name, "config_directory") == 0;
}

void pc_show(struct pc *pc, char *const *names, int count)
{
	for (int i = 0; i < count; i++) {
		unsigned class = pc_name_class(pc, sv_z(names[i]));
		if (!class)
			pc_warn("%s: unknown parameter", names[i]);
		else if ((class & pc->classes) && wanted(pc, names[i]))
			show(pc, names[i]);
	}
	if (count > 0)
		return;
	size_t n;
	const char **all = pc_names_all(pc, &n);
	for (size_t i = 0; i < n; i++)
		if (wanted(pc, all[i]))
			show(pc, all[i]);
	free(all);
}
