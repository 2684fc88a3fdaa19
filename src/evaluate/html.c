// SPDX-License-Identifier: Apache-2.0
/* Small pieces of the report's page: see html.h. */
#include "evaluate/html.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char style[] =
	":root{color-scheme:light dark;--page:#fbfbf9;--card:#fff;--ink:#22262b;--soft:#5b636d;"
	"--grid:#c9ced4;--truth:#2b2f36;--estimate:#c2410c;--other:#1d6fb8;--good:#1d7a46}\n"
	"@media (prefers-color-scheme:dark){:root{--page:#14171a;--card:#1c2024;--ink:#e4e7ea;"
	"--soft:#a3abb4;--grid:#434a52;--truth:#f0f2f4;--estimate:#fb923c;--other:#6cb4f5;"
	"--good:#5cc98b}}\n"
	"*{box-sizing:border-box}\n"
	"body{margin:0;background:var(--page);color:var(--ink);"
	"font:16px/1.5 system-ui,sans-serif}\n"
	"main{max-width:1100px;margin:0 auto;padding:16px}\n"
	"h1{font-size:1.6rem;line-height:1.2;margin:.4em 0;overflow-wrap:anywhere}\n"
	"h2{font-size:1.3rem;margin:2em 0 .4em;border-bottom:2px solid var(--grid)}\n"
	"h3{font-size:1.05rem;margin:1.4em 0 .3em}\n"
	"p{margin:.4em 0;max-width:75ch}\n"
	".soft,figcaption{color:var(--soft);font-size:.9rem}\n"
	".note{border-left:4px solid var(--estimate);padding:.2em .8em;background:var(--card)}\n"
	"nav a{margin-right:1em}\n"
	"a{color:var(--other)}\n"
	".tiles{display:grid;gap:8px;grid-template-columns:repeat(auto-fit,minmax(132px,1fr));"
	"margin:.8em 0}\n"
	".tiles div{background:var(--card);border:1px solid var(--grid);border-radius:6px;"
	"padding:8px 10px;font-size:.85rem;color:var(--soft)}\n"
	".tiles b{display:block;font-size:1.2rem;color:var(--ink)}\n"
	".plots{display:grid;gap:12px;"
	"grid-template-columns:repeat(auto-fit,minmax(min(100%,400px),1fr))}\n"
	"figure{margin:0;padding:8px;background:var(--card);border:1px solid var(--grid);"
	"border-radius:6px}\n"
	"figure svg{display:block;width:100%;height:auto;color:var(--ink)}\n"
	"figcaption b{color:var(--ink)}\n"
	".wide{overflow-x:auto}\n"
	"table{border-collapse:collapse;font-size:.9rem;margin:.4em 0}\n"
	"th,td{padding:3px 10px 3px 0;text-align:right;border-bottom:1px solid var(--grid);"
	"font-variant-numeric:tabular-nums;white-space:nowrap}\n"
	"th{color:var(--soft);font-weight:600}\n"
	"th:first-child,td:first-child,td.t{text-align:left}\n"
	"td:first-child{white-space:normal;overflow-wrap:anywhere;min-width:6.5em}\n"
	"td.t{white-space:normal;overflow-wrap:anywhere;min-width:9em}\n"
	"pre{font-size:.8rem;white-space:pre-wrap;overflow-wrap:anywhere;background:var(--card);"
	"border:1px solid var(--grid);border-radius:6px;padding:8px}\n"
	"summary{cursor:pointer;margin:.6em 0}\n"
	"@media "
	"(max-width:480px){main{padding:10px}th,td{padding-right:5px;font-size:.75rem}td:first-"
	"child{min-width:4.5em}th{white-"
	"space:normal;vertical-align:bottom}}\n"
	"@media print{:root{--page:#fff;--card:#fff;--ink:#000;--soft:#333;--grid:#bbb;"
	"--truth:#000;--estimate:#b3390a;--other:#1d5f9e;--good:#14602f}"
	"body{font-size:10pt}main{max-width:none;padding:0}nav{display:none}"
	".plots{grid-template-columns:1fr 1fr}"
	"figure,tr,.tiles{break-inside:avoid}h2,h3{break-after:avoid}.wide{overflow:visible}}\n";

void html_begin(struct text *out, const char *title)
{
	text_add(out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
		      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
		      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
		      "style-src 'unsafe-inline'\">\n<title>");
	text_html(out, title);
	text_add(out, "</title>\n<style>\n");
	text_add(out, style);
	/* The one dot that plots use, see plot.h. */
	text_add(out,
		 "</style>\n</head>\n<body>\n"
		 "<svg width=\"0\" height=\"0\" style=\"position:absolute\" aria-hidden=\"true\">"
		 "<defs><circle id=\"gpPt6\" r=\"1\" fill=\"currentColor\"/></defs></svg>\n"
		 "<main>\n");
}

void html_end(struct text *out)
{
	text_add(out, "</main>\n</body>\n</html>\n");
}

void html_table(struct text *out, const char *columns)
{
	text_add(out, "<div class=\"wide\"><table>\n<thead><tr>");
	for (bool more = true; more; columns++) {
		size_t n = strcspn(columns, "|");

		text_add(out, "<th>");
		text_add_n(out, columns, n);
		text_add(out, "</th>");
		columns += n;
		more = *columns == '|';
	}
	text_add(out, "</tr></thead>\n<tbody>\n");
}

void html_table_end(struct text *out)
{
	text_add(out, "</tbody></table></div>\n");
}

void html_row(struct text *out, const char *name)
{
	text_add(out, "<tr><td>");
	text_html(out, name);
	text_add(out, "</td>");
}

void html_cell(struct text *out, double value, int digits)
{
	text_add(out, "<td>");
	if (isfinite(value))
		text_number_digits(out, value, digits);
	else
		text_add(out, "\xe2\x80\x93");
	text_add(out, "</td>");
}

void html_cell_percent(struct text *out, double ratio)
{
	if (isfinite(ratio))
		text_printf(out,
			    fabs(ratio) < 0.01 ? "<td>%.2f&nbsp;%%</td>" : "<td>%.1f&nbsp;%%</td>",
			    100 * ratio);
	else
		html_cell(out, ratio, 1);
}

void html_cell_count(struct text *out, size_t n)
{
	text_printf(out, "<td>%zu</td>", n);
}

void html_cell_text(struct text *out, const char *s)
{
	text_add(out, "<td class=\"t\">");
	text_html(out, s);
	text_add(out, "</td>");
}

void html_row_end(struct text *out)
{
	text_add(out, "</tr>\n");
}

void html_fact(struct text *out, const char *name, const char *fmt, ...)
{
	char value[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(value, sizeof(value), fmt, ap);
	va_end(ap);
	html_row(out, name);
	html_cell_text(out, value);
	html_row_end(out);
}

/* Where in the JSON we are. */
struct nesting {
	char open[32]; /* the brackets around us */
	int depth;
	bool quoted;
};

static void new_line(struct text *out, int depth)
{
	text_add(out, "\n");
	for (int i = 0; i < depth; i++)
		text_add(out, "  ");
}

/* Objects get a line per member; arrays one line, unless they hold objects. */
static void layout(struct text *out, struct nesting *at, const char *s, const char *shown)
{
	bool closing = *s == '}' || *s == ']';

	if (closing && at->depth > 0)
		at->depth--;
	if (*s == '}')
		new_line(out, at->depth);
	text_html(out, shown);
	if ((*s == '{' || *s == '[') && at->depth + 1 < (int)sizeof(at->open))
		at->open[++at->depth] = *s;
	if (*s == '{' || (*s == ',' && (at->open[at->depth] == '{' || s[1] == '{')))
		new_line(out, at->depth);
	else if (*s == ':' || *s == ',')
		text_add(out, " ");
}

void html_lines(struct text *out, const char *text)
{
	text_add(out, "<pre>");
	text_html(out, text);
	text_add(out, "</pre>\n");
}

void html_json(struct text *out, const char *json)
{
	struct nesting at = {.depth = 0};

	text_add(out, "<pre>");
	for (const char *s = json; *s; s++) {
		char one[2] = {*s, 0};

		if (at.quoted && *s == '\\' && s[1]) {
			text_html(out, one);
			one[0] = *++s;
			text_html(out, one);
			continue;
		}
		if (*s == '"')
			at.quoted = !at.quoted;
		if (at.quoted || *s == '"')
			text_html(out, one);
		else
			layout(out, &at, s, one);
	}
	text_add(out, "</pre>\n");
}
