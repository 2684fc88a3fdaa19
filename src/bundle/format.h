/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUNDLE_FORMAT_H
#define BUNDLE_FORMAT_H

/* The pieces that the files of the format share; only src/bundle includes this.
 */

#include "base/bytes.h"
#include "model/model.h"

/* Room for n items of `item_size`, each of at least `item_bytes` in the file; NULL sets failed. */
void *format_array(struct byte_reader *r, size_t n, size_t item_bytes, size_t item_size);

void format_write_physics(struct byte_writer *w, const struct physics *p);
void format_read_physics(struct byte_reader *r, struct physics *p);
void format_write_blend(struct byte_writer *w, const struct blend *b);
void format_read_blend(struct byte_reader *r, struct blend *b);
void format_write_mlp(struct byte_writer *w, const struct mlp *p);
void format_read_mlp(struct byte_reader *r, struct mlp *p);

/* The model that a zone's name and its place in the zone say; NULL sets failed. */
struct model *format_read_model_place(struct byte_reader *r, struct model_set *s);

/* Row norms; the section is there where a model has one. */
size_t format_count_norms(const struct model_set *s);
void format_write_norms(struct byte_writer *w, const struct model_set *s);
void format_read_norms(struct byte_reader *r, struct model_set *s);

/* The upper ends' scales of blends; the section is there where one has its own. */
size_t format_count_tails(const struct model_set *s);
void format_write_tails(struct byte_writer *w, const struct model_set *s);
void format_read_tails(struct byte_reader *r, struct model_set *s);

void format_write_profiles(struct byte_writer *w, const struct model_set *s);
void format_read_profiles(struct byte_reader *r, struct model_set *s);

#endif
