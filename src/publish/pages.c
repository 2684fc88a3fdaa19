// SPDX-License-Identifier: Apache-2.0
/* Which page a path is: see pages.h. */
#include "publish/pages.h"

#include <microhttpd.h>
#include <string.h>

#include "publish/page_assets.h"
#include "publish/json.h"
#include "publish/page.h"
#include "publish/prometheus.h"

static const char index_page[] =
	"vmwatts " VMWATTS_VERSION ": the power meter for virtual machines\n"
	"\n"
	"/metrics        Prometheus\n"
	"/api/v1/power   JSON\n"
	"/healthz        the agent runs\n"
	"/readyz         a first estimate was made\n"
	"/docs           what you may see, why, and what helps\n"
	"/               in a browser: watts, the last hour, model, health\n";

#define TYPE_TEXT "text/plain; charset=utf-8"

struct page page_plain(unsigned status, const char *body)
{
	return (struct page){status, TYPE_TEXT, body, strlen(body), false};
}

static struct page asset(const char *type, const char *body)
{
	return (struct page){MHD_HTTP_OK, type, body, strlen(body), true};
}

static struct page page_of(const struct rendered *r, const char *type)
{
	if (!r->fresh)
		return page_plain(MHD_HTTP_INTERNAL_SERVER_ERROR, "out of memory\n");
	return (struct page){MHD_HTTP_OK, type, r->text.s, r->text.len, false};
}

/* Whether `r` must be rendered now; then it is empty. */
static bool begin(struct rendered *r)
{
	if (!r->fresh)
		text_reset(&r->text);
	return !r->fresh;
}

static struct page metrics_page(struct pages *p)
{
	if (begin(&p->metrics)) {
		prometheus_render(p->snapshot, &p->metrics.text);
		prometheus_render_process(&p->metrics.text);
		p->metrics.fresh = !p->metrics.text.failed;
	}
	return page_of(&p->metrics, "text/plain; version=0.0.4; charset=utf-8");
}

static struct page json_page(struct pages *p)
{
	if (!p->snapshot->ready)
		return page_plain(MHD_HTTP_SERVICE_UNAVAILABLE, "no estimate yet\n");
	if (begin(&p->json)) {
		json_render(p->snapshot, &p->json.text);
		text_add(&p->json.text, "\n");
		p->json.fresh = !p->json.text.failed;
	}
	return page_of(&p->json, "application/json");
}

static struct page html_page(struct pages *p, const char *accept)
{
	if (!accept || !strstr(accept, "text/html"))
		return page_plain(MHD_HTTP_OK, index_page);
	if (begin(&p->html)) {
		page_render(p->snapshot, p->history, &p->html.text);
		p->html.fresh = !p->html.text.failed;
	}
	return page_of(&p->html, "text/html; charset=utf-8");
}

struct page pages_find(struct pages *p, const char *path, const char *accept)
{
	if (!strcmp(path, "/metrics"))
		return metrics_page(p);
	if (!strcmp(path, "/api/v1/power"))
		return json_page(p);
	if (!strcmp(path, "/healthz"))
		return page_plain(MHD_HTTP_OK, "ok\n");
	if (!strcmp(path, "/readyz"))
		return p->snapshot->ready
			       ? page_plain(MHD_HTTP_OK, "ready\n")
			       : page_plain(MHD_HTTP_SERVICE_UNAVAILABLE, "no estimate yet\n");
	if (!strcmp(path, "/"))
		return html_page(p, accept);
	if (!strcmp(path, "/docs"))
		return asset(TYPE_TEXT, page_docs);
	if (!strcmp(path, "/page.css"))
		return asset("text/css; charset=utf-8", page_css);
	if (!strcmp(path, "/page.js"))
		return asset("text/javascript; charset=utf-8", page_js);
	if (!strcmp(path, "/icon.svg"))
		return asset("image/svg+xml", page_icon);
	return page_plain(MHD_HTTP_NOT_FOUND, "not found\n");
}

void pages_show(struct pages *p, const struct snapshot *s)
{
	p->snapshot = s;
	p->metrics.fresh = p->json.fresh = p->html.fresh = false;
}

void pages_release(struct pages *p)
{
	text_release(&p->metrics.text);
	text_release(&p->json.text);
	text_release(&p->html.text);
}
