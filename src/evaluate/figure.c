// SPDX-License-Identifier: Apache-2.0
/* From a script to a <figure>: see figure.h. */
#include "evaluate/figure.h"

#include <math.h>
#include <stdarg.h>

#include "evaluate/plot.h"

void figure_numbers(struct figure *f, int n, ...)
{
	va_list ap;

	va_start(ap, n);
	for (int i = 0; i < n; i++) {
		text_number_digits(&f->script, va_arg(ap, double), 6);
		text_add(&f->script, i + 1 < n ? " " : "\n");
	}
	va_end(ap);
}

double figure_step(double range)
{
	double ten = range > 0 ? pow(10, floor(log10(range / 5))) : 1;

	if (5 * ten >= range)
		return ten;
	if (10 * ten >= range)
		return 2 * ten;
	return 25 * ten >= range ? 5 * ten : 10 * ten;
}

int figure_draw(struct figure *f, struct text *out, struct err *e)
{
	int r = f->script.failed || f->caption.failed ? err_nomem(e) : 0;

	text_add(out, "<figure>");
	if (r == 0)
		r = plot_svg(f->script.s, f->title, out, e);
	text_add(out, "<figcaption><b>");
	text_html(out, f->title);
	text_add(out, ".</b> ");
	text_add(out, f->caption.s ? f->caption.s : "");
	text_add(out, "</figcaption></figure>\n");
	text_release(&f->script);
	text_release(&f->caption);
	return r;
}
