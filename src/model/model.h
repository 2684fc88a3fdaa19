/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MODEL_MODEL_H
#define MODEL_MODEL_H

/*
 * Models as data. A `struct model_set` is what a bundle holds: a table of
 * inputs and, per zone, models in order of preference. All of it is allocated
 * when it is built or loaded and const afterwards; estimating reads it only,
 * so any number of threads may share one.
 *
 * A model answers when every input it uses is present; the first that can
 * answer is used. The last of every zone needs cpu_utilization alone.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/zone.h"
#include "features/input.h"

#define WATTS_LIMIT 1e6	 /* no model says more */
#define SIZE_LEAST  1e-4 /* of the machine a sized model is of */

/* What the trained watts mean: see ARCHITECTURE.md, "What the watts mean". */
enum scope {
	SCOPE_VM_ACTIVE,  /* the VM's active share, as the host's Kepler attributes it */
	SCOPE_NODE_TOTAL, /* a whole machine, idle power included */
	SCOPE_PLATFORM,	  /* a wall meter */
	SCOPE_COUNT,
};

enum family {
	FAMILY_LINEAR,
	FAMILY_PHYSICS,
	FAMILY_BLEND,
	FAMILY_MLP,
	FAMILY_COUNT,
};

/*
 * watts = bias + sum_i weight_i (x_i - mean_i) / scale_i, where x_i is held
 * within one width of its training range: a straight line knows nothing there.
 */
struct linear_term {
	uint16_t used; /* index into model.used */
	double mean, scale, weight;
};

struct linear {
	double bias_w;
	size_t n;
	struct linear_term *terms;
};

/*
 * A basis function of one or two inputs, which count as 0 when negative. All
 * but TERM_DELTA are >= 0, rise with `a` and have coefficients >= 0,
 * so steady power never falls when a counter rises. TERM_DELTA compares now (a)
 * with the past (b): it vanishes in the steady state and may have either sign,
 * so labels that lead, lag or average are learned without bending the curve.
 */
enum term_kind {
	TERM_CONST,    /* 1 */
	TERM_LINEAR,   /* a */
	TERM_SQRT,     /* sqrt a */
	TERM_SQUARE,   /* a^2 */
	TERM_CUBE,     /* a^3 */
	TERM_HINGE,    /* min(a, knot) */
	TERM_PRODUCT,  /* a b */
	TERM_DELTA,    /* min(a, knot) - min(b, knot) */
	TERM_PRODUCT2, /* a b^2 */
	TERM_OVER,     /* b (a / max(b, knot))^2 */
	TERM_KIND_COUNT,
};

static inline bool term_has_two(enum term_kind k)
{
	return k == TERM_PRODUCT || k == TERM_DELTA || k == TERM_PRODUCT2 || k == TERM_OVER;
}

static inline bool term_has_knot(enum term_kind k)
{
	return k == TERM_HINGE || k == TERM_DELTA || k == TERM_OVER;
}

struct physics_term {
	enum term_kind kind;
	uint16_t a, b;	      /* inputs; b where the kind has one, a not for TERM_CONST */
	double knot;	      /* where the kind has one; > 0 */
	double cap;	      /* the term counts at most this much (before the coefficient) */
	double coefficient_w; /* >= 0: power never falls when a counter rises */
};

struct physics {
	double floor_w;
	size_t n;
	struct physics_term *terms;
};

/*
 * blend: a few experts, and how far to trust which (src/train/blend.c chooses).
 *
 * Columns are what trees and distances see: an input, or a ratio of two.
 * Experts: physics P; P x exp(kernel regression of log residuals) K; P x exp(boosted
 * trees on log residuals) H; random forest F; boosted trees G. Log residuals are held within what
 * training supports, so K and H cannot leave P by more than that; with distance K returns to P by
 * itself.
 *
 *   near  = sum of share_k expert_k
 *   safe  = (1 - p) median(P, K, (F + G) / 2) + p P
 *   z     = log(1e-3 + rms distance to the 5 nearest reference points / median distance)
 *   g     = max(caution, (1 - trust) clamp((z - z_near) / (z_far - z_near), 0, 1))
 *   watts = near + g (safe - near)
 */
struct blend_column {
	uint16_t a, b; /* inputs; b only when `ratio` */
	bool ratio;    /* a / (b + soft) */
	double soft;   /* > 0 */
};

/* x[column] < value ? node `left` : node `left + 1`; a leaf adds its value. */
#define TREE_LEAF UINT16_MAX

struct tree_node {
	float value;
	uint16_t column; /* TREE_LEAF: a leaf */
	uint16_t left;	 /* from the tree's first node; > this node's own position */
};

/* base + sum of leaves, in float, tree by tree: the order and precision of XGBoost. */
struct trees {
	float base;
	size_t n, n_nodes;
	uint32_t *first; /* of each tree, ascending; first[0] = 0 */
	struct tree_node *nodes;
};

/* Points in a weighted space: clamp((sign(x) sqrt|x| - mean) / sd, -8, 8) x weight. */
struct space_dim {
	uint16_t column;
	double mean, sd, weight;
};

struct points {
	size_t n, n_dims;
	struct space_dim *dims;
	float *at; /* n_dims x n: of one dimension all points stand together */
};

#define SPACE_DIMS_MAX 16

enum expert { EXPERT_P, EXPERT_K, EXPERT_H, EXPERT_F, EXPERT_G, EXPERT_COUNT };

struct blend {
	size_t n_columns;
	struct blend_column *columns;
	struct physics physics;
	double log_low, log_high; /* of the residual, <= 0 <= */
	struct points centres;	  /* of the kernel, Matern 3/2 */
	double *alpha;		  /* by centre */
	double length;		  /* > 0, of the kernel */
	struct points reference;  /* training rows, thinned */
	double median;		  /* > 0, distance between them */
	struct trees boosted, forest, gbdt;
	/*
	 * The interval's local scale, its logarithm; none: 1 everywhere. Behind the columns its
	 * trees may see z and what the model says, in watts. Where the upper end has a scale of its
	 * own, spread_up has its values by node of `spread`; NULL: both ends go by the nodes' own.
	 * Far from the training data the farther end's scale is both ends'.
	 */
	struct trees spread;
	float *spread_up;
	double share[EXPERT_COUNT];  /* >= 0 */
	double z_near, z_far;	     /* z_near < z_far */
	double z_edge;		     /* beyond it a row is out of distribution */
	double trust, physics_share; /* in [0, 1] */
	double caution;		     /* in [0, 1]; 1: safe everywhere */
};

#define BLEND_COLUMNS_MAX 256
#define SPREAD_MORE	  2 /* columns of `spread` behind the blend's: z, watts */

/*
 * A blend of one expert that is trusted everywhere goes by that expert's name: forest F, gbdt G,
 * hybrid K (which fades to physics by itself). What it does not use is empty.
 */
enum blend_kind { BLEND_OF_ALL, BLEND_FOREST, BLEND_GBDT, BLEND_HYBRID, BLEND_KINDS };

/*
 * mlp: one or two hidden layers of units, each the activation of a weighted sum
 * of the layer before and a bias, then one plain sum:
 *
 *   x_i   = clamp((input_i - mean_i) / sd_i, -clamp_sd, clamp_sd)
 *   watts = mean_w + scale_w x (bias + sum of weight_k h_k), h the last hidden layer
 *
 * Inputs are held, units, weights and scales bounded, so watts are finite for any finite input.
 */
enum activation { ACTIVATION_TANH, ACTIVATION_RELU, ACTIVATION_COUNT };

#define MLP_LAYERS_MAX 2
#define MLP_UNITS_MAX  128
#define MLP_CLAMP_MAX  100.0
#define MLP_WEIGHT_MAX 1e6

struct mlp_input {
	uint16_t used; /* index into model.used */
	double mean, sd;
};

struct mlp {
	enum activation activation;
	size_t n_inputs, n_layers;    /* hidden layers: 1 or 2 */
	size_t units[MLP_LAYERS_MAX]; /* of each hidden layer */
	double clamp_sd;
	double mean_w, scale_w;
	struct mlp_input *inputs;
	double *weights; /* mlp_weights() of them: layer by layer, unit by unit; its bias last */
};

/*
 * The row norm, an optional first stage that only models from elsewhere have: the inputs it covers
 * are moved, scaled and divided by their norm, and what comes out takes their place for the family
 * behind it:
 *
 *   v_i = (x_i - offset_i) scale_i
 *   y_i = v_i / norm, norm = max v_i (not max |v_i|) or sum |v_i|
 *         sign(v_i) sqrt(v_i^2 / sum of v^2) for NORM_L2
 *
 * in float and in this order, as the operators Scaler and Normalizer of ONNX Runtime do (its
 * core/providers/cpu/ml/normalizer.cc). A norm of 0 leaves v as it is; what is not finite, which
 * takes inputs beyond 1e19, counts as 0. Presence, ranges and distance are of the inputs as they
 * are, so a linear model behind a row norm holds nothing within them.
 */
enum norm_kind { NORM_NONE, NORM_MAX, NORM_L1, NORM_L2, NORM_KIND_COUNT };

struct norm_input {
	uint16_t used; /* index into model.used */
	float offset, scale;
};

struct row_norm {
	enum norm_kind kind;
	size_t n; /* 0: there is none */
	struct norm_input *inputs;
};

/*
 * The 90 % interval: each end is quantile(band) x its local scale x max(watts, scale_w) x
 * widening away from the watts. Bands cut the range of estimated watts, or of a blend's z
 * (Mondrian conformal prediction).
 */
#define INTERVAL_BANDS_MAX 8

struct interval {
	unsigned n_bands;		     /* 1..INTERVAL_BANDS_MAX */
	bool by_distance;		     /* bands cut z, not watts */
	double upto[INTERVAL_BANDS_MAX];     /* upper edges; the last counts as infinite */
	double quantile[INTERVAL_BANDS_MAX]; /* relative distance of an end, > 0 */
	double scale_w;			     /* > 0 */
};

/* An input as a model uses it, with the range it was trained on. */
struct used_input {
	uint16_t input;
	double low, high; /* 0.5 % and 99.5 % quantile in training, a grain apart at least */
	bool extensive;	  /* grows with the machine; matters where a model is sized */
};

struct model {
	enum family family;
	enum tier tier;
	bool history; /* uses lags or means of the past */
	size_t n_used;
	struct used_input *used;
	struct row_norm norm;
	union {
		struct linear linear;
		struct physics physics;
		struct blend blend;
		struct mlp mlp;
	};
	struct interval interval;
	/*
	 * A sized model is of a machine with size_vcpus vCPUs: what grows with the machine is
	 * scaled to it before, and watts (all of them, below too) are scaled back after. 0: of
	 * machines as they are.
	 */
	double size_vcpus;
	uint16_t size_input; /* where the number of vCPUs is; among those used */
	/* As on another machine (train/adapt.h): watts = offset_w + gain x the family's. */
	double gain, offset_w; /* gain >= 0; 1 and 0 as trained */
	/*
	 * Estimates are clamped to [0, max_w]; upper ends to it, times the widening on another
	 * machine: what is far from training nobody knows, but a machine draws no more.
	 */
	double max_w;
	double idle_w; /* the part of the watts that is there without load; 0 for vm_active */
	/* What cross-validation said, for the card and the metrics. */
	uint64_t rows;
	uint32_t groups;
	double mae_w, wmape, coverage_90; /* NaN when not measured */
};

struct zone_models {
	size_t n;	      /* 0: the zone has no label */
	struct model *models; /* best first */
	char definition[24];  /* uncore: "pp1" or "package_minus_core"; else "" */
};

struct applicability {
	char cpu_vendor[16], cpu_model[64];    /* "" matches every machine */
	uint32_t cpu_family, cpu_model_number; /* 0 matches every machine */
	uint32_t vcpus_min, vcpus_max;	       /* 0: not known */
};

/*
 * How a feature was spread over the rows of training, for drift (health/drift.h): the bins that its
 * deciles cut, and the share of rows in each. Bin i holds what is <= edge[i] and in none before;
 * the last holds the rest. Equal deciles make empty bins.
 */
#define PROFILE_BINS 10

struct profile {
	uint16_t feature;	       /* enum feature */
	double edge[PROFILE_BINS - 1]; /* ascending */
	double share[PROFILE_BINS];    /* >= 0; they sum to 1 */
};

struct model_set {
	char name[64], version[32];   /* [A-Za-z0-9._-]+, the first neither '.' nor '-' */
	int64_t sequence;	      /* orders versions of one name */
	int64_t created_s, expires_s; /* seconds since the epoch; expires 0 = never */
	enum scope scope;
	double interval_s, window_s;
	struct applicability trained_on;
	size_t n_inputs;
	struct input *inputs;
	struct zone_models zones[ZONE_COUNT];
	size_t n_profiles; /* of features that are inputs; 0 in sets of before */
	struct profile *profiles;
	char *card; /* JSON text for people and tools; may be NULL */
};

/* Whether a RAPL zone without a model of its own follows from the set's package (prior.h). */
bool model_set_derives(const struct model_set *s, enum zone z);

const char *scope_name(enum scope s);
int scope_find(const char *name);
const char *family_name(enum family f);
int family_find(const char *name);

/* "forest", "gbdt" or "hybrid"; and back: BLEND_OF_ALL when it is none of them. */
const char *blend_kind_name(enum blend_kind kind);
enum blend_kind blend_kind_find(const char *name);
enum blend_kind blend_kind_of(const struct blend *b);

/* The family's name, or the kind's where a blend is of one expert. */
const char *model_family(const struct model *m);

void model_release(struct model *m);
void model_set_release(struct model_set *s);

/* Release and free a set that was allocated; NULL is fine. */
void model_set_free(struct model_set *s);

/* Whether a set may have it as its name or version, which is an array of `size` characters. */
bool model_name_ok(const char *name, size_t size);

/*
 * Everything that estimating relies on: indices in range, numbers finite,
 * scales positive, bands ascending. A set that passes gives finite watts in
 * [0, max_w] for any finite input. ERR_FORMAT with the reason.
 */
int model_set_check(const struct model_set *s, struct err *e);

/*
 * x[] as the model wants it: itself, or, of a sized model, the used inputs in at[] as a machine of
 * size_vcpus would have them. *ret_size is what watts are to be multiplied by.
 */
const double *model_resize(const struct model *m, const double *x, double at[INPUT_MAX],
			   double *ret_size);

/*
 * Watts for inputs x[] (from model_resize), which must all be finite where the model uses them;
 * clamped to [0, max_w]. *ret_z is a blend's z, else 0. Allocates nothing.
 */
double model_watts(const struct model *m, const double *x, double *ret_z);

/* x[] as the family sees it: itself, or the used inputs in at[] behind the row norm. */
const double *model_normalise(const struct model *m, const double *x, double at[INPUT_MAX]);
const char *norm_name(enum norm_kind kind);
bool norm_check(const struct row_norm *n, const struct model *m);
void norm_release(struct row_norm *n);

/* Physics alone, at least its floor. */
double physics_watts(const struct physics *p, const double *x);

/* A blend's experts on x[], and its z; then its answer from both. */
void blend_experts(const struct blend *b, const double *x, double ret_w[EXPERT_COUNT],
		   double *ret_z);
double blend_combine(const struct blend *b, const double w[EXPERT_COUNT], double z);
double blend_near(const struct blend *b, const double w[EXPERT_COUNT]);
double blend_safe(const struct blend *b, const double w[EXPERT_COUNT]);
/* How far z lies beyond z_edge: exp(z - z_edge) - 1, 0 where it does not. */
double blend_distance(const struct blend *b, double z);

/* The columns of x[], and their coordinates in the space of `p`. */
void blend_columns(const struct blend *b, const double *x, float *ret_columns);
void points_place(const struct points *p, const float *columns, float *ret_at);
double trees_value(const struct trees *t, const float *columns);

/* The leaf of tree k: a place in nodes[]. */
size_t trees_leaf(const struct trees *t, size_t k, const float *columns);

/* How far the ends of an interval are from its watts, or that relative to something. */
struct ends {
	double down, up;
};

/* A blend's local scale at columns[n_columns + SPREAD_MORE], held within reason; 1 without. */
struct ends blend_spread(const struct blend *b, const float *columns);

/* What blend_spread sees: columns[n_columns + SPREAD_MORE], the blend's first. */
void blend_spread_columns(const struct blend *b, const double *x, double z, double watts,
			  float *ret_columns);

/* The interval's local scale at x[], z and watts; 1 for every family but a blend with a spread. */
struct ends model_spread(const struct model *m, const double *x, double z, double watts);

/* Matern's kernel of nu = 3/2 in place: v[n] are squared distances, then (1 + r) exp(-r) of r =
 * sqrt(3) distance / length. */
void kernel_matern(double *v, size_t n, double length);

/* What model_set_check asks of a blend; `is_used` says which inputs are known to be present. */
bool blend_check(const struct blend *b, const struct model *m);
void blend_release(struct blend *b);
void trees_release(struct trees *t);

/* How many weights a network of that shape has. */
size_t mlp_weights(const struct mlp *p);

/* The answer for standardised inputs z[n_inputs], in units of scale_w around mean_w. */
double mlp_answer(const struct mlp *p, const double *z);
double mlp_watts(const struct model *m, const double *x);
bool mlp_check(const struct mlp *p, const struct model *m);
void mlp_release(struct mlp *p);

/* The value of one basis function, before its coefficient. */
double physics_term_value(const struct physics_term *t, const double *x);

/*
 * How far x lies outside what the model was trained on: the largest excess
 * over an input's range, in widths of that range, or for a blend
 * blend_distance() where that is more; 0 inside.
 */
double model_distance(const struct model *m, const double *x, double z);

/* Whether every input a term needs is among those the model checks for presence. */
bool model_uses(const struct model *m, uint16_t input);
bool physics_check(const struct physics *p, const struct model *m);

#endif
