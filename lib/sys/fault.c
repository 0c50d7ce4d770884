#ifdef MERPATI_FAULTS

#include "lib/sys/fault.h"

#include <errno.h>
#include <fnmatch.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <sys/file.h>

#include "lib/base/num.h"
#include "lib/sys/log.h"

#define PLANS_MAX 32
#define ACT_KILL  (-3)
#define ACT_STOP  (-4)

struct plan {
	char service[32];
	char call[32];
	char glob[512]; /* empty: any */
	bool by_site;   /* glob is for FILE:LINE */
	bool and_later;
	unsigned long n;
	unsigned long seen;
	int action;
};

static struct {
	struct plan plans[PLANS_MAX];
	unsigned count;
	int report_fd;
	int once_fd;
	bool armed; /* some plan or a report: otherwise a site only counts */
	pthread_once_t once;
} faults = { .report_fd = -1, .once_fd = -1, .once = PTHREAD_ONCE_INIT };

static const struct {
	const char *name;
	int value;
} actions[] = {
	{ "KILL", ACT_KILL }, { "STOP", ACT_STOP }, { "SHORT", FAULT_SHORT }, { "EIO", EIO },
	{ "ENOSPC", ENOSPC }, { "EROFS", EROFS }, { "EDQUOT", EDQUOT }, { "ENOENT", ENOENT },
	{ "EMFILE", EMFILE }, { "ENFILE", ENFILE }, { "ENOMEM", ENOMEM }, { "EACCES", EACCES },
	{ "EPERM", EPERM }, { "EEXIST", EEXIST }, { "ENOTDIR", ENOTDIR }, { "EISDIR", EISDIR },
	{ "EPIPE", EPIPE }, { "ECONNRESET", ECONNRESET }, { "ECONNREFUSED", ECONNREFUSED },
	{ "ETIMEDOUT", ETIMEDOUT }, { "EFBIG", EFBIG }, { "ESTALE", ESTALE }, { "EXDEV", EXDEV },
	{ "EAGAIN", EAGAIN }, { "ENOLCK", ENOLCK }, { "EMLINK", EMLINK }, { "ENAMETOOLONG", ENAMETOOLONG },
	{ "EOPNOTSUPP", EOPNOTSUPP },
};

static int action_by_name(struct sv name, int *out)
{
	for (size_t i = 0; i < ARRAY_LEN(actions); i++) {
		if (sv_eqz(name, actions[i].name)) {
			*out = actions[i].value;
			return 1;
		}
	}
	return -1;
}

static const char *action_name(int action)
{
	for (size_t i = 0; i < ARRAY_LEN(actions); i++)
		if (actions[i].value == action)
			return actions[i].name;
	return "?";
}

/* "service:call[:glob]:n:ACTION": the glob is what lies between the first two and the last two fields. */
static int plan_parse(struct sv text, struct plan *p)
{
	struct sv service = sv_take_until(&text, ':');
	struct sv call = sv_take_until(&text, ':');
	ptrdiff_t last = sv_rchr(text, ':');
	if (last < 0)
		return -1;
	struct sv action = sv_from(text, (size_t)last + 1);
	text = sv_upto(text, (size_t)last);
	ptrdiff_t before = sv_rchr(text, ':');
	struct sv n = before < 0 ? text : sv_from(text, (size_t)before + 1);
	struct sv glob = before < 0 ? SV_NONE : sv_upto(text, (size_t)before);
	if (sv_ends(n, SV("+"))) {
		p->and_later = true;
		n = sv_upto(n, n.len - 1);
	}
	if (sv_starts(glob, SV("site="))) {
		p->by_site = true;
		glob = sv_from(glob, 5);
	}
	uint64_t count = 0;
	if (num_u64(n, &count) < 0 || count == 0 || action_by_name(action, &p->action) < 0)
		return -1;
	p->n = (unsigned long)count;
	return sv_copyz(service, p->service, sizeof(p->service)) < 0 ||
			       sv_copyz(call, p->call, sizeof(p->call)) < 0 ||
			       sv_copyz(glob, p->glob, sizeof(p->glob)) < 0 ?
		       -1 :
		       0;
}

/* A descriptor far from those that a daemon's parent numbers. */
static int open_high(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0644);
	if (fd < 0) {
		log_warn("fault: %s: %s", path, strerror(errno));
		return -1;
	}
	int high = fcntl(fd, F_DUPFD_CLOEXEC, 200);
	if (high < 0)
		return fd;
	close(fd);
	return high;
}

static void read_environment(void)
{
	const char *plan = getenv("MERPATI_FAULT");
	const char *report = getenv("MERPATI_FAULT_REPORT");
	const char *once = getenv("MERPATI_FAULT_ONCE");
	struct sv rest = sv_z(plan);
	while (!sv_empty(rest)) {
		struct sv one = sv_take_until(&rest, ',');
		if (faults.count == PLANS_MAX || plan_parse(one, &faults.plans[faults.count]) < 0)
			log_fatal(78, "MERPATI_FAULT: [%.*s] is not service:call[:glob]:n:ACTION",
				SV_ARG(one));
		faults.count++;
	}
	if (report && *report)
		faults.report_fd = open_high(report, O_WRONLY | O_APPEND | O_CREAT);
	if (once && *once) {
		faults.once_fd = open_high(once, O_RDWR);
		if (faults.once_fd < 0)
			faults.count = 0;
	}
	faults.armed = faults.count > 0 || faults.report_fd >= 0;
}

void fault_init(void)
{
	pthread_once(&faults.once, read_environment);
}

/* True for one process, once for each plan. */
static bool take_shot(unsigned plan)
{
	char mark = '-';
	if (faults.once_fd < 0)
		return true;
	if (flock(faults.once_fd, LOCK_EX) < 0)
		return false;
	bool mine = pread(faults.once_fd, &mark, 1, (off_t)plan) == 1 && mark == 'x' &&
		    pwrite(faults.once_fd, "-", 1, (off_t)plan) == 1;
	flock(faults.once_fd, LOCK_UN);
	return mine;
}

static void report(const char *what, const struct fault_site *s, const char *path)
{
	if (faults.report_fd < 0)
		return;
	char line[512 + PATH_MAX];
	int n = snprintf(line, sizeof(line), "%s%s %s %s:%d %s\n", what, log_program(), s->call, s->file,
		s->line, path && *path ? path : "-");
	if (n > 0 && write(faults.report_fd, line, (size_t)n) < 0)
		log_warn("fault report: %s", strerror(errno));
}

static void path_of(int dir, const char *path, int fd, char *out, size_t size)
{
	if (path && (path[0] == '/' || dir == AT_FDCWD)) {
		snprintf(out, size, "%s", path);
		return;
	}
	char link[32], base[PATH_MAX];
	snprintf(link, sizeof(link), "/proc/self/fd/%d", path ? dir : fd);
	ssize_t n = readlink(link, base, sizeof(base) - 1);
	base[n > 0 ? n : 0] = '\0';
	if (path)
		snprintf(out, size, "%s/%s", base, path);
	else
		snprintf(out, size, "%s", base);
}

static bool plan_matches(const struct plan *p, const struct fault_site *s, const char *path)
{
	if (strcmp(p->service, "*") != 0 && strcmp(p->service, log_program()) != 0)
		return false;
	if (strcmp(p->call, "*") != 0 && strcmp(p->call, s->call) != 0)
		return false;
	if (p->glob[0] == '\0')
		return true;
	if (p->by_site) {
		char site[512];
		snprintf(site, sizeof(site), "%s:%d", s->file, s->line);
		return fnmatch(p->glob, site, 0) == 0;
	}
	return fnmatch(p->glob, path, 0) == 0;
}

static int fire(const struct plan *p, const struct fault_site *s, const char *path)
{
	char what[64];
	snprintf(what, sizeof(what), "FIRED %s ", action_name(p->action));
	report(what, s, path);
	if (p->action == ACT_KILL)
		kill(getpid(), SIGKILL);
	if (p->action == ACT_STOP) {
		kill(getpid(), SIGSTOP);
		return FAULT_NONE;
	}
	return p->action;
}

int fault_at(struct fault_site *s, int dir, const char *path, int fd)
{
	fault_init();
	__atomic_add_fetch(&s->count, 1, __ATOMIC_RELAXED);
	if (!faults.armed)
		return FAULT_NONE;
	char full[PATH_MAX * 2] = "";
	bool first = !__atomic_exchange_n(&s->reported, true, __ATOMIC_RELAXED);
	bool resolved = false;
	int keep = errno, result = FAULT_NONE;
	if (first && faults.report_fd >= 0) {
		path_of(dir, path, fd, full, sizeof(full));
		resolved = true;
		report("", s, full);
	}
	for (unsigned i = 0; i < faults.count && result == FAULT_NONE; i++) {
		struct plan *p = &faults.plans[i];
		if (!resolved && p->glob[0] != '\0' && !p->by_site) {
			path_of(dir, path, fd, full, sizeof(full));
			resolved = true;
		}
		if (!plan_matches(p, s, full))
			continue;
		unsigned long seen = __atomic_add_fetch(&p->seen, 1, __ATOMIC_RELAXED);
		if ((seen == p->n || (p->and_later && seen > p->n)) && take_shot(i))
			result = fire(p, s, full);
	}
	errno = keep;
	return result;
}

/* Made by the linker around the section; weak, because a program may have no site. */
extern struct fault_site __start_fault_sites[] __attribute__((weak));
extern struct fault_site __stop_fault_sites[] __attribute__((weak));

void fault_sites_dump(FILE *out)
{
	for (const struct fault_site *s = __start_fault_sites; s < __stop_fault_sites; s++)
		fprintf(out, "%s:%d %s %s\n", s->file, s->line, s->call, s->function);
}

bool fault_sites_asked(int argc, char **argv)
{
	if (argc != 2 || strcmp(argv[1], "--fault-sites") != 0)
		return false;
	fault_sites_dump(stdout);
	return true;
}

#else
/* An empty translation unit is not ISO C. */
typedef int fault_not_built;
#endif
