// SPDX-License-Identifier: Apache-2.0
/* drift: two simulated clocks that differ by an offset and a rate, at every label cadence. */
#include "folder.h"

#include "align/dataset.h"
#include "align/recording.h"
#include "base/cleanup.h"

/* Uniform in 0..1, the same on every machine. */
static double chance(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (double)(*seed >> 11) / 9007199254740992.0;
}

/* A simulated machine: load is a level that jumps every 5 to 60 s, with a ripple; 0.1 s ticks. */
#define TICK_S 0.1
#define EPOCH  1700000000.0

struct machine {
	size_t n;
	double *load_s, *energy_j; /* integrals */
};

static struct machine simulate(double seconds, uint64_t seed)
{
	struct machine m = {.n = (size_t)(seconds / TICK_S)};
	double level = 1, until_s = 0;

	m.load_s = calloc(m.n + 1, sizeof(double));
	m.energy_j = calloc(m.n + 1, sizeof(double));
	for (size_t i = 0; i < m.n; i++) {
		double load;

		if ((double)i * TICK_S >= until_s) {
			level = 4 * chance(&seed);
			until_s += 5 + 55 * chance(&seed);
		}
		load = fmin(4, fmax(0, level + 0.4 * (chance(&seed) - 0.5)));
		m.load_s[i + 1] = m.load_s[i] + load * TICK_S;
		m.energy_j[i + 1] = m.energy_j[i] + (5 + 6 * load - 0.5 * load * load) * TICK_S;
	}
	return m;
}

static double up_to(const struct machine *m, const double *integral, double t_s)
{
	double at = fmin(fmax(t_s / TICK_S, 0), (double)m->n - 1);
	size_t i = (size_t)at;

	return integral[i] + (at - (double)i) * (integral[i + 1] - integral[i]);
}

struct clocks {
	double lag_s, ppm; /* guest = true; host = what it shows at a true instant */
};

/* The host's clock at a true instant: guest time = host time + lag, growing by ppm. */
static double host_time(const struct clocks *c, double t_s, double middle_s)
{
	return t_s - c->lag_s - c->ppm * 1e-6 * (t_s - middle_s);
}

static void write_pair(const struct machine *m, const struct clocks *c, double cadence_s,
		       bool joules)
{
	double length_s = (double)m->n * TICK_S, middle_s = length_s / 2;
	FILE *guest = fopen(path_of("d.guest.csv"), "we"),
	     *host = fopen(path_of("d.host.csv"), "we");

	assert_non_null(guest);
	assert_non_null(host);
	fprintf(guest, "time_s,cpu_busy_vcpus\n");
	for (double t_s = 1; t_s < length_s; t_s += 1)
		fprintf(guest, "%.6f,%.6f\n", EPOCH + t_s,
			up_to(m, m->load_s, t_s) - up_to(m, m->load_s, t_s - 1));
	fprintf(host, joules ? "time_s,package_joules\n" : "time_s,package_watts\n");
	for (double t_s = cadence_s; t_s < length_s; t_s += cadence_s) {
		double energy_j = up_to(m, m->energy_j, t_s);
		double power_w = (energy_j - up_to(m, m->energy_j, t_s - cadence_s)) / cadence_s;

		fprintf(host, "%.6f,%.6f\n", EPOCH + host_time(c, t_s, middle_s),
			joules ? energy_j : power_w);
	}
	fclose(guest);
	fclose(host);
}

static struct pair_report import(void)
{
	struct pair_options p = {path_of("d.guest.csv"), path_of("d.host.csv"), NULL, NULL, NAN};
	const struct import_options o = {.replace = true};
	struct import_report report;
	struct pair_report pair;
	struct err e = ERR_INIT;
	struct dataset *d;

	assert_int_equal(dataset_open(path_of("d.db"), DATASET_WRITE, &d, &e), 0);
	if (dataset_import_paired(d, &p, &o, NULL, &report, &pair, &e) < 0)
		fail_msg("%s", e.msg);
	dataset_close(d);
	return pair;
}

/* By how much a host's instant is put wrong on the guest's clock, at worst over the run. */
static double worst_error(const struct pair_report *p, const struct clocks *c, double length_s)
{
	double worst_s = 0;

	for (double t_s = 0; t_s <= length_s; t_s += length_s / 8) {
		double host_s = EPOCH + host_time(c, t_s, length_s / 2);
		double guest_s =
			host_s + p->lag_s + p->drift_ppm * 1e-6 * (host_s - p->drift_center_s);

		worst_s = fmax(worst_s, fabs(guest_s - (EPOCH + t_s)));
	}
	return worst_s;
}

/* Offsets, drifts and cadences that a recording may have: to a quarter of the cadence. */
static void finds_offset_and_drift_at_every_cadence(void **state)
{
	static const double cadences_s[] = {1, 3, 5, 15};
	static const struct clocks clocks[] = {{-20, 200}, {20, -200}, {7.3, 60}};

	(void)state;
	for (size_t k = 0; k < array_size(cadences_s); k++) {
		double length_s = cadences_s[k] > 5 ? 10800 : 7200;
		struct machine m = simulate(length_s, 7 + k);

		for (size_t i = 0; i < array_size(clocks); i++) {
			struct pair_report p;
			double worst_s;

			write_pair(&m, &clocks[i], cadences_s[k], i % 2);
			p = import();
			worst_s = worst_error(&p, &clocks[i], length_s);
			print_message(
				"cadence %2g s, lag %+5.1f s, drift %+4.0f ppm: found %+6.2f s, "
				"%+6.1f +- %.1f ppm, worst %.3f s\n",
				cadences_s[k], clocks[i].lag_s, clocks[i].ppm, p.lag_s, p.drift_ppm,
				p.drift_uncertainty_ppm, worst_s);
			if (worst_s > cadences_s[k] / 4)
				fail_msg("an instant is off by %.3f s", worst_s);
		}
		free(m.load_s);
		free(m.energy_j);
	}
}

static void a_short_recording_has_no_drift(void **state)
{
	const struct clocks c = {2, 150};
	struct machine m = simulate(1200, 3);
	struct pair_report p;

	(void)state;
	write_pair(&m, &c, 1, false);
	p = import();
	assert_true(p.drift_ppm == 0 && isnan(p.drift_uncertainty_ppm));
	assert_true(fabs(p.lag_s - 2) < 0.25);
	free(m.load_s);
	free(m.energy_j);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_offset_and_drift_at_every_cadence),
		cmocka_unit_test(a_short_recording_has_no_drift),
	};

	return cmocka_run_group_tests_name(__FILE__, tests, make_dir, remove_dir);
}
