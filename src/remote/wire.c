// SPDX-License-Identifier: Apache-2.0
/* See wire.h. Both sides come from one build: another version is refused, not understood. */
#include "remote/wire.h"

#include <math.h>
#include <string.h>

#define MAGIC	  0x31515256u /* "VRQ1" */
#define WATTS_MAX 1e6

static void put_head(struct byte_writer *w, char kind, uint64_t number)
{
	w->len = 0;
	put_u32(w, MAGIC);
	put_text(w, VMWATTS_VERSION);
	put_u8(w, (uint8_t)kind);
	put_u64(w, number);
}

static bool get_head(struct byte_reader *r, char kind, uint64_t *ret_number)
{
	char version[32] = "";
	bool fits = get_u32(r) == MAGIC;

	if (fits)
		get_text(r, version, sizeof(version));
	fits &= !r->failed && !strcmp(version, VMWATTS_VERSION) && get_u8(r) == (uint8_t)kind;
	*ret_number = get_u64(r);
	return fits && !r->failed;
}

void remote_put_question(const struct remote_question *q, struct byte_writer *w)
{
	put_head(w, 'Q', q->number);
	put_text(w, q->cpu_model);
	put_f64(w, q->row.t_s);
	put_f64(w, q->row.dt_s);
	put_u16(w, FEATURE_COUNT);
	feature_foreach (f)
		put_f64(w, q->row.v[f]);
}

bool remote_get_question(const void *data, size_t len, struct remote_question *ret)
{
	struct byte_reader r = byte_reader(data, len);

	if (!get_head(&r, 'Q', &ret->number))
		return false;
	get_text(&r, ret->cpu_model, sizeof(ret->cpu_model));
	ret->row.t_s = get_f64(&r);
	ret->row.dt_s = get_f64(&r);
	if (get_u16(&r) != FEATURE_COUNT)
		return false;
	feature_foreach (f)
		ret->row.v[f] = get_f64(&r);
	return !r.failed && !bytes_left(&r);
}

void remote_put_answer(const struct remote_answer *a, struct byte_writer *w)
{
	put_head(w, 'A', a->number);
	put_u8(w, (uint8_t)a->reason);
	put_text(w, a->name);
	put_text(w, a->version);
	put_f64(w, a->distance);
	zone_foreach (z) {
		const struct remote_zone *zone = &a->zones[z];

		put_u8(w, zone->valid);
		put_f64(w, zone->watts);
		put_f64(w, zone->low_w);
		put_f64(w, zone->high_w);
		put_f64(w, zone->confidence);
		put_u8(w, (uint8_t)zone->provenance);
		put_u8(w, zone->is_pp1);
	}
}

static bool get_zone(struct byte_reader *r, struct remote_zone *ret)
{
	uint8_t valid = get_u8(r), provenance, pp1;

	ret->watts = get_f64(r);
	ret->low_w = get_f64(r);
	ret->high_w = get_f64(r);
	ret->confidence = get_f64(r);
	provenance = get_u8(r);
	pp1 = get_u8(r);
	if (r->failed || valid > 1 || pp1 > 1 || provenance >= PROVENANCE_COUNT)
		return false;
	ret->valid = valid;
	ret->provenance = (enum provenance)provenance;
	ret->is_pp1 = pp1;
	return !valid ||
	       (ret->low_w >= 0 && ret->low_w <= ret->watts && ret->watts <= ret->high_w &&
		ret->high_w <= WATTS_MAX && ret->confidence >= 0 && ret->confidence <= 1);
}

bool remote_get_answer(const void *data, size_t len, struct remote_answer *ret)
{
	struct byte_reader r = byte_reader(data, len);
	uint8_t reason;

	if (!get_head(&r, 'A', &ret->number))
		return false;
	reason = get_u8(&r);
	if (reason >= REMOTE_REASON_COUNT)
		return false;
	ret->reason = (enum remote_reason)reason;
	get_text(&r, ret->name, sizeof(ret->name));
	get_text(&r, ret->version, sizeof(ret->version));
	ret->distance = get_f64(&r);
	zone_foreach (z) {
		if (!get_zone(&r, &ret->zones[z]))
			return false;
	}
	return !r.failed && !bytes_left(&r) && ret->distance >= 0 && isfinite(ret->distance);
}
