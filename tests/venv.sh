# Shared by tests that need Python packages: source it behind tap.sh.
# venv: a virtual environment below the build folder with all that any of them needs, kept for the
# next run; sets $python. Status 1 where the packages cannot be had: the caller skips with the reason.
venv_packages="numpy pandas onnx onnxruntime scikit-learn skl2onnx onnxmltools xgboost lightgbm grpcio grpcio-tools grpcio-reflection grpcio-health-checking setuptools wheel pynacl joblib mypy dask[dataframe] distributed pyyaml kubernetes-validate==1.33.0"

venv() {
	local at=$build/venv
	python=$at/bin/python
	(
		flock 9
		[ "$(cat "$at/packages" 2>/dev/null)" = "$venv_packages" ] && exit 0
		rm -rf "$at"
		python3 -m venv "$at" >/dev/null 2>&1 || exit 1
		timeout 170 "$at/bin/pip" install -q --disable-pip-version-check --retries 0 --timeout 10 $venv_packages >/dev/null 2>&1 || exit 1
		echo "$venv_packages" >"$at/packages"
	) 9>"$build/venv.lock"
}
