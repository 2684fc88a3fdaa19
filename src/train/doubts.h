/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRAIN_DOUBTS_H
#define TRAIN_DOUBTS_H

/*
 * What looks wrong with recordings before anything is trained on them, one
 * sentence each, with what to do. Nothing is dropped here: a person decides.
 */

#include "train/design.h"

typedef void (*doubt_fn)(void *arg, const char *sentence);

/* Say every doubt about the rows; `vm_active`: labels are said to hold no idle power. */
void tell_doubts(const struct design *d, bool vm_active, doubt_fn say, void *arg);

#endif
