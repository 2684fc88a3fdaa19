/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EVALUATE_HTML_H
#define EVALUATE_HTML_H

/* Small pieces of the report's page. Every text from outside goes through text_html. */

#include <stdbool.h>

#include "base/text.h"

/* The head of a self-contained page up to <main>, and its end. */
void html_begin(struct text *out, const char *title);
void html_end(struct text *out);

/* <table> with one heading per word of `columns`, which is separated by "|"; rows follow. */
void html_table(struct text *out, const char *columns);
void html_table_end(struct text *out);

/* A row's parts. The name is the first cell; numbers that are NaN show as a dash. */
void html_row(struct text *out, const char *name);
void html_cell(struct text *out, double value, int digits);
void html_cell_percent(struct text *out, double ratio);
void html_cell_count(struct text *out, size_t n);
void html_cell_text(struct text *out, const char *s);
void html_row_end(struct text *out);

/* A row of a table of facts: name and text. */
void html_fact(struct text *out, const char *name, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* JSON text, indented, as preformatted text. */
void html_json(struct text *out, const char *json);

/* Lines as they are. */
void html_lines(struct text *out, const char *text);

#endif
