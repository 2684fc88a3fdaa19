// SPDX-License-Identifier: Apache-2.0
/* plot, html: what is left of gnuplot's SVG, and text that would like to be markup. */
#include "test.h"

#include "evaluate/figure.h"
#include "evaluate/html.h"
#include "evaluate/plot.h"

static const char drawn[] =
	"<?xml version=\"1.0\"?>\n<svg \n viewBox=\"0 0 440 290\"\n xmlns=\"urn:svg\"\n"
	" xmlns:xlink=\"urn:xlink\"\n>\n<title>Gnuplot</title>\n<desc>Produced by GNUPLOT</desc>\n"
	"<g id=\"gnuplot_canvas\">\n<defs>\n<circle id='gpDot' r='0.5'/></defs>\n"
	"<path stroke='rgb(  3,   3,   3)' d='M1,2'/><g fill=\"rgb(1,1,1)\"/>"
	"<path stroke='rgb(  9,   9,   9)'/><path stroke='rgb(  4,   5,   3)'/>"
	"<use xlink:href='#gpPt6'/></g>\n</svg>\n\n";

static void svg_is_made_fit_for_a_page(void **state)
{
	struct text out = {0};

	(void)state;
	assert_int_equal(plot_clean(drawn, "a <b>", &out, NULL), 0);
	assert_int_equal(strncmp(out.s, "<svg role=\"img\" aria-label=\"a &lt;b&gt;\"", 38), 0);
	assert_non_null(strstr(out.s, "viewBox=\"0 0 440 290\""));
	assert_non_null(strstr(out.s, "stroke='var(--truth)'"));
	assert_non_null(strstr(out.s, "fill=\"var(--ink)\""));
	assert_non_null(strstr(out.s, "rgb(  9,   9,   9)"));
	assert_non_null(strstr(out.s, "rgb(  4,   5,   3)"));
	assert_non_null(strstr(out.s, "<use href='#gpPt6'/>"));
	assert_null(strstr(out.s, "xmlns"));
	assert_null(strstr(out.s, "id=\"gnuplot"));
	assert_null(strstr(out.s, "defs"));
	assert_null(strstr(out.s, "GNUPLOT"));
	assert_string_equal(out.s + out.len - 7, "</svg>\n");
	text_release(&out);
}

static void what_is_no_svg_is_refused(void **state)
{
	static const char *const bad[] = {"", "<svg", "</svg><svg", "undefined variable: x"};
	struct text out = {0};

	(void)state;
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(plot_clean(bad[i], "x", &out, NULL), -ERR_FORMAT);
	text_release(&out);
}

static void markup_in_text_is_escaped(void **state)
{
	struct text out = {0};

	(void)state;
	text_html(&out, "<a href=\"x\">&'\t");
	assert_string_equal(out.s, "&lt;a href=&quot;x&quot;&gt;&amp;&#39; ");
	text_release(&out);
}

static void json_is_laid_out(void **state)
{
	struct text out = {0};

	(void)state;
	html_json(&out, "{\"a\":[1,2],\"b\":\"{<,\\\"\",\"c\":[{\"d\":1}]}");
	assert_string_equal(out.s, "<pre>{\n  &quot;a&quot;: [1, 2],\n  &quot;b&quot;: "
				   "&quot;{&lt;,\\&quot;&quot;,\n  &quot;c&quot;: [{\n      "
				   "&quot;d&quot;: 1\n    }]\n}</pre>\n");
	text_reset(&out);
	html_json(&out, "}}]\"\\"); /* not JSON, but no reason to fall over */
	text_release(&out);
}

static void steps_are_round(void **state)
{
	(void)state;
	assert_close(figure_step(100), 20, 1e-12);
	assert_close(figure_step(26), 10, 1e-12);
	assert_close(figure_step(8762), 2000, 1e-12);
	assert_close(figure_step(0.0016), 0.0005, 1e-12);
	assert_close(figure_step(0), 1, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(svg_is_made_fit_for_a_page),
		cmocka_unit_test(what_is_no_svg_is_refused),
		cmocka_unit_test(markup_in_text_is_escaped),
		cmocka_unit_test(json_is_laid_out),
		cmocka_unit_test(steps_are_round),
	};

	return run_unit(tests);
}
