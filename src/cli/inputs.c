// SPDX-License-Identifier: Apache-2.0
/* What several commands read before they start: see inputs.h. */
#include "cli/inputs.h"

#include "bundle/bundle.h"
#include "collect/identity.h"

int input_bundle(const char *path, const char *trust, struct model_set **ret, struct err *e)
{
	struct trust *keys;
	int r;

	if (!path)
		return trust ? err_set(e, -ERR_USAGE,
				       "--trust belongs to --bundle: without one the prior "
				       "answers, which nobody signed")
			     : 0;
	if (!trust)
		return err_set(e, -ERR_USAGE,
			       "--bundle needs --trust K.pub, the key that signed it");
	r = trust_load_file(trust, &keys, e);
	if (r < 0)
		return r;
	r = bundle_load(path, keys, ret, NULL, e);
	trust_free(keys);
	return r;
}

int input_prior(const char *root, struct prior *ret, struct err *e)
{
	struct identity id = {.vendor = ""};
	struct root from;
	int r = root_init(&from, root, e);

	if (r < 0)
		return r;
	if (identity_read(&id, &from, NULL) < 0)
		id = (struct identity){.vendor = ""};
	prior_init(ret, &id);
	return 0;
}
