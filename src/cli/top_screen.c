// SPDX-License-Identifier: Apache-2.0
/*
 * `vmwatts top` on a terminal, with ncurses. From the top: whose model, a line per
 * zone (watts, interval, history), where the package's watts go, processes,
 * cgroups, keys. 80 x 24 holds it; more room gives longer lists and histories.
 */
#include <errno.h>
#include <langinfo.h>
#include <math.h>
#include <ncurses.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

#include "cli/top_view.h"

#define BAR	    12
#define FIXED	    70 /* columns of a zone's line beside its history */
#define LINE_ZONES  3
#define LINE_LISTS  8
#define COLUMNS_MIN 72
#define LINES_MIN   14

enum color { COLOR_PLAIN, COLOR_TITLE, COLOR_BAR, COLOR_LOW };

struct screen {
	struct top *top;
	bool utf8, color, paused, help;
};

#define each_zone(z) for (int z = 0; z < ZONE_RAPL_COUNT; z++)

/* ---- text in cells ---- */

/* At most `width` cells of `s`, which text_visible has passed. */
static void put(int y, int x, int width, const char *s)
{
	mbstate_t state = {0};
	size_t left = strlen(s), used = 0;

	while (left) {
		wchar_t c;
		size_t n = mbrtowc(&c, s + used, left, &state);
		int cells = n && n <= left ? wcwidth(c) : -1;

		if (cells < 0 || cells > width)
			break;
		width -= cells;
		used += n;
		left -= n;
	}
	mvaddnstr(y, x, s, (int)used);
}

__attribute__((format(printf, 4, 5))) static void put_text(int y, int x, int width, const char *fmt,
							   ...)
{
	autotext struct text t = {.s = NULL};
	char line[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	text_visible(&t, line);
	if (t.s)
		put(y, x, width, t.s);
}

static void title(const struct screen *s, int y, const char *text)
{
	int attributes = s->color ? COLOR_PAIR(COLOR_TITLE) | A_BOLD : A_REVERSE;

	attron(attributes);
	mvhline(y, 0, ' ', COLS);
	put_text(y, 0, COLS, "%s", text);
	attroff(attributes);
}

/* A path says more at its end than at its beginning. */
static void put_tail(int y, int x, int width, const char *s)
{
	size_t n = strlen(s);

	if (width > 3 && n > (size_t)width) {
		mvaddstr(y, x, "...");
		x += 3;
		width -= 3;
		s += n - (size_t)width;
		while (((unsigned char)*s & 0xc0) == 0x80) /* within a character */
			s++;
	}
	put(y, x, width, s);
}

/* ---- zones ---- */

/* The highest watts of any zone's interval: all bars have one scale. */
static double scale_of(const struct top *t)
{
	double high_w = 0;

	each_zone(z)
	{
		const struct zone_estimate *zone = &live_estimate(t->live)->zone[z];

		if (zone->valid)
			high_w = fmax(high_w, zone->high_w);
	}
	return high_w > 0 ? high_w : 1;
}

static int cell_of(double w, double scale_w)
{
	int at = (int)(w / scale_w * BAR);

	return at < 0 ? 0 : at < BAR ? at : BAR - 1;
}

/* Dashes from low to high, a mark where the estimate is. */
static void draw_bar(const struct screen *s, int y, int x, const struct zone_estimate *z)
{
	double scale_w = scale_of(s->top);
	char bar[BAR + 1];

	memset(bar, ' ', BAR);
	bar[BAR] = 0;
	for (int i = cell_of(z->low_w, scale_w); i <= cell_of(z->high_w, scale_w); i++)
		bar[i] = '-';
	bar[cell_of(zone_watts(z), scale_w)] = '#';
	mvaddch(y, x, '[');
	if (s->color)
		attron(COLOR_PAIR(COLOR_BAR));
	mvaddstr(y, x + 1, bar);
	if (s->color)
		attroff(COLOR_PAIR(COLOR_BAR));
	mvaddch(y, x + 1 + BAR, ']');
}

/* The last `width` intervals, each zone by its own highest. */
static void draw_history(const struct screen *s, int y, int x, int width, int z)
{
	static const char *const blocks[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
	static const char *const plain[] = {"_", ".", ":", "-", "=", "+", "*", "#"};
	const struct top *t = s->top;
	size_t n = t->n_history < (size_t)width ? t->n_history : (size_t)width;
	const double *w = t->history_w[z] + t->n_history - n;
	double most_w = 0;

	for (size_t i = 0; i < n; i++)
		most_w = fmax(most_w, w[i]);
	for (size_t i = 0; i < n; i++) {
		int level = most_w > 0 && w[i] > 0 ? (int)(w[i] / most_w * 7.99) : 0;

		mvaddstr(y, x + width - (int)n + (int)i,
			 isnan(w[i]) ? " " : (s->utf8 ? blocks : plain)[level]);
	}
}

static void draw_zone(const struct screen *s, int y, int z)
{
	const struct zone_estimate *zone = &live_estimate(s->top->live)->zone[z];
	int width = COLS - FIXED;

	if (!zone->valid) {
		put_text(y, 0, COLS, "%-8s %7s", zone_name((enum zone)z), "-");
		return;
	}
	put_text(y, 0, COLS, "%-8s %7.2f %6.2f-%-7.2f", zone_name((enum zone)z), zone_watts(zone),
		 zone->low_w, zone->high_w);
	draw_bar(s, y, 32, zone);
	if (width > 0)
		draw_history(s, y, 47, width, z);
	put_text(y, 47 + width, COLS, "%5.2f %9.1f %s", zone->confidence, s->top->joules[z],
		 provenance_name(zone->provenance));
	if (s->color && zone->confidence < 0.5)
		mvchgat(y, 47 + width, 5, A_NORMAL, COLOR_LOW, NULL);
}

/* ---- lists ---- */

static void draw_list(const struct screen *s, int y, int rows, const struct top_consumer *c,
		      size_t n)
{
	for (int i = 0; i < rows && (size_t)i < n; i++) {
		autotext struct text name = {.s = NULL};

		top_name(&c[i], &name);
		if (c[i].pid)
			put_text(y + i, 0, COLS, "%8d", c[i].pid);
		put_text(y + i, 9, COLS - 9, "%9.3f %6.1f %11.1f  ",
			 c[i].share * top_active_w(s->top), 100 * c[i].share, c[i].joules);
		if (name.s)
			(c[i].pid ? put : put_tail)(y + i, 39, COLS - 39, name.s);
	}
}

static void draw_lists(const struct screen *s)
{
	const struct top *t = s->top;
	int room = LINES - LINE_LISTS - 3; /* two titles, and the keys */
	int cgroups = room / 3;
	char head[128];

	if ((size_t)cgroups > t->n_cgroups)
		cgroups = (int)t->n_cgroups;
	snprintf(head, sizeof(head), "%8s %9s %6s %11s  %s", "PID", "watts", "%", "joules",
		 "command");
	title(s, LINE_LISTS, head);
	draw_list(s, LINE_LISTS + 1, room - cgroups, t->processes, t->n_processes);
	snprintf(head, sizeof(head), "%8s %9s %6s %11s  %s", "", "watts", "%", "joules", "cgroup");
	title(s, LINE_LISTS + 1 + room - cgroups, head);
	draw_list(s, LINE_LISTS + 2 + room - cgroups, cgroups, t->cgroups, t->n_cgroups);
}

/* ---- the whole ---- */

static void draw_head(const struct screen *s)
{
	const struct snapshot *snapshot = live_snapshot(s->top->live);
	double active_w = top_active_w(s->top), idle_w = top_idle_w(s->top);
	enum provenance from = live_estimate(s->top->live)->zone[ZONE_PACKAGE].provenance;

	put_text(0, 0, COLS, "vmwatts top  %s  %.0f s%s", snapshot->node_name, s->top->elapsed_s,
		 s->paused ? "  PAUSED" : "");
	put_text(1, 0, COLS, "model %s (%s)  features %s  scope %s", snapshot->model_version,
		 provenance_name(from), tier_name(snapshot->tier), scope_name(snapshot->scope));
	put_text(LINE_LISTS - 1, 0, COLS,
		 "package %.2f W = processes %.2f + unattributed %.2f + idle %.2f",
		 active_w + idle_w, active_w * (1 - s->top->unattributed),
		 active_w * s->top->unattributed, idle_w);
}

static void draw_help(void)
{
	static const char *const lines[] = {
		"",
		"Watts are estimated from counters inside this VM; the interval holds 90 %.",
		"A process has the share of the package's active watts that it has of busy",
		"CPU time, with its ended children. Unattributed: interrupts, and what is hidden.",
		"",
		"q      leave                 space  pause",
		"p      sort by watts         c      sort by joules (cumulative)",
		"h      back",
	};

	for (int i = 0; i < (int)(sizeof(lines) / sizeof(lines[0])); i++)
		put_text(LINE_LISTS + i, 0, COLS, "%s", lines[i]);
}

static void draw(const struct screen *s)
{
	char head[160];

	erase();
	if (COLS < COLUMNS_MIN || LINES < LINES_MIN) {
		put_text(0, 0, COLS, "vmwatts top needs %d x %d", COLUMNS_MIN, LINES_MIN);
		refresh();
		return;
	}
	draw_head(s);
	snprintf(head, sizeof(head), "%-8s %7s %14s %14s %-*s %5s %9s %s", "zone", "watts",
		 "90 % interval", "", COLS - FIXED - 1, "history", "conf", "joules", "from");
	title(s, LINE_ZONES - 1, head);
	each_zone(z) draw_zone(s, LINE_ZONES + z, z);
	if (s->help)
		draw_help();
	else
		draw_lists(s);
	put_text(LINES - 1, 0, COLS - 1,
		 "q quit  p by watts  c by joules  space pause  h help   by %s",
		 s->top->sort == TOP_BY_WATTS ? "watts" : "joules");
	refresh();
}

/* False: leave. */
static bool on_key(struct screen *s, int key)
{
	switch (key) {
	case 'q':
	case 'Q':
		return false;
	case 'p':
	case 'c':
		s->top->sort = key == 'p' ? TOP_BY_WATTS : TOP_BY_JOULES;
		top_resort(s->top);
		break;
	case ' ':
		s->paused = !s->paused;
		break;
	case 'h':
	case '?':
		s->help = !s->help;
		break;
	default:
		break;
	}
	draw(s);
	return true;
}

static int loop(struct screen *s, const struct top_options *o, struct err *e)
{
	int64_t step_ns = (int64_t)(o->interval_s * 1e9), due_ns = top_now_ns() + step_ns;
	long long steps = 0;
	int r = 0;

	mvaddstr(0, 0, "vmwatts top: the first interval ...");
	refresh();
	while (r >= 0 && steps < o->n) {
		int64_t left_ns = due_ns - top_now_ns();
		int key;

		timeout(left_ns > 0 ? (int)(left_ns / 1000000) + 1 : 0);
		key = getch();
		if (key != ERR && s->top->n_history && !on_key(s, key))
			return 0;
		if (key == 'q')
			return 0;
		if (top_now_ns() < due_ns)
			continue;
		due_ns = top_now_ns() + step_ns - (top_now_ns() - due_ns) % step_ns;
		/* Paused, the picture stands; energy goes on being counted. */
		r = top_step(s->top, e);
		if (r == 1)
			steps++;
		if (r == 1 && !s->paused)
			draw(s);
	}
	return r < 0 ? r : 0;
}

static void start_colors(struct screen *s)
{
	const char *no = getenv("NO_COLOR");

	s->color = !(no && no[0]) && has_colors() && start_color() == OK;
	if (!s->color)
		return;
	use_default_colors();
	init_pair(COLOR_TITLE, COLOR_BLACK, COLOR_CYAN);
	init_pair(COLOR_BAR, COLOR_GREEN, -1);
	init_pair(COLOR_LOW, COLOR_YELLOW, -1);
}

int top_screen(struct top *t, const struct top_options *o, struct err *e)
{
	struct screen s = {.top = t, .utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8")};
	const char *term = getenv("TERM");
	SCREEN *terminal;
	int r;

	if (!isatty(STDOUT_FILENO) || !isatty(STDIN_FILENO) || !term || !strcmp(term, "dumb"))
		return err_set(e, -ENOTTY, "no terminal to draw on");
	terminal = newterm(NULL, stdout, stdin);
	if (!terminal)
		return err_set(e, -ENOTTY, "the terminal %s is not known", term);
	start_colors(&s);
	cbreak();
	noecho();
	keypad(stdscr, TRUE);
	curs_set(0);
	r = loop(&s, o, e);
	endwin();
	delscreen(terminal);
	return r;
}
