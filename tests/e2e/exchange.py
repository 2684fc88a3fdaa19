# SPDX-License-Identifier: Apache-2.0
"""Train in other libraries, import; train here, export; compare on 100,000 rows: exchange.py VMWATTS DATA

Works in the current folder, which has the signing key k. One line a comparison: 0 or 1, and what it was.
"""
import csv
import functools
import glob
import io
import json
import subprocess
import sys
import warnings

import lightgbm
import numpy as np
import onnx
import onnxmltools
import onnxruntime
import pandas
import xgboost
from onnxmltools.convert.common.data_types import FloatTensorType
from skl2onnx import to_onnx
from sklearn.ensemble import GradientBoostingRegressor, RandomForestRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, Normalizer, StandardScaler

warnings.filterwarnings("ignore")
VMWATTS, DATA = sys.argv[1:]
ROWS = 100_000
LIMIT = 1e-5
FEATURES = ["cpu_utilization", "cpu_busy_vcpus", "context_switch_rate", "cycles_rate", "memory_usage_percent"]
LIST = ",".join(FEATURES)
random = np.random.default_rng(1)


def say(good, text):
    print(0 if good else 1, text, flush=True)


def make_rows(n):
    u = random.random(n)
    return np.column_stack([u, u * 8 * random.uniform(.9, 1.1, n), random.exponential(5e4, n),
                            u * 2.4e10 * random.uniform(.8, 1.2, n), random.uniform(1, 99, n)]).astype(np.float32)


def power(x):
    return (5 + 40 * x[:, 0] ** .7 + 1e-9 * x[:, 3] + np.sqrt(x[:, 2]) / 50 + .05 * x[:, 4]
            + random.normal(0, .5, len(x)))


def write_rows(path, names, x, step):
    with open(path, "w") as f:
        f.write("time_s," + ",".join(names) + "\n")
        for i, row in enumerate(x):
            f.write(f"{1e6 + step * i:.0f}," + ",".join("%.17g" % v for v in row) + "\n")


def run(*words, **more):
    return subprocess.run([VMWATTS, *words], capture_output=True, text=True, **more)


@functools.lru_cache(1)
def answers(bundle, rows):
    with open(rows) as f:
        r = run("estimate", "--bundle", bundle, "--trust", "k.pub", "--stateless", stdin=f)
    if r.returncode:
        raise SystemExit(r.stderr)
    return pandas.read_csv(io.StringIO(r.stdout), float_precision="round_trip")


def estimate(bundle, rows, zone="package"):
    return answers(bundle, rows)[zone + "_watts"].to_numpy()


def compare(text, ours, theirs, floor=1e-9):
    theirs = np.maximum(np.asarray(theirs, dtype=float).ravel(), 0)  # watts are not negative
    worst = np.max(np.abs(ours - theirs) / np.maximum(np.abs(theirs), floor))
    say(len(ours) == len(theirs) == ROWS and worst <= LIMIT, f"{text}: at most {worst:.1e} apart on {len(ours)} rows")


def bring_in(name, kind, path, *more):
    r = run("model", "import", "--" + kind, path, "--out", name + ".vmw", "--sign-key", "k.key", "--max-size", "16M", *more)
    if r.returncode:
        raise SystemExit(r.stderr)
    return name + ".vmw"


def refuse(text, word, kind, path, *more):
    r = run("model", "import", "--" + kind, path, "--out", "no.vmw", "--sign-key", "k.key", *more)
    say(r.returncode == 1 and word in r.stderr and r.stderr.count("\n") == 1, f"{text} is refused by name")
    if word not in r.stderr:
        print(r.stderr, file=sys.stderr)


def open_onnx(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def onnx_answer(path, x):
    session = open_onnx(path)
    return session.run(None, {session.get_inputs()[0].name: x})[0]


X = make_rows(5000)
Y = power(X)
FRAME = pandas.DataFrame(X, columns=FEATURES)
T = make_rows(ROWS)
write_rows("rows.csv", FEATURES, T, 5)


def scikit_learn():
    def network(kind):
        return make_pipeline(StandardScaler(), MLPRegressor(hidden_layer_sizes=(16, 8), activation=kind,
                                                            max_iter=100, random_state=1))

    models = {
        "linear": make_pipeline(StandardScaler(), LinearRegression()),
        "minmax": make_pipeline(MinMaxScaler(), LinearRegression()),
        "forest": RandomForestRegressor(30, max_depth=8, random_state=1),
        "boosted": make_pipeline(SimpleImputer(), StandardScaler(), GradientBoostingRegressor(random_state=1)),
        "relu": network("relu"), "tanh": network("tanh"), "logistic": network("logistic"),
    }
    for name, model in models.items():
        model.fit(X, Y)
        with open(name + ".onnx", "wb") as f:
            f.write(to_onnx(model, X[:1]).SerializeToString())
        ours = estimate(bring_in(name, "onnx", name + ".onnx", "--features", LIST), "rows.csv")
        compare(f"{name} of scikit-learn by ONNX, against it", ours, model.predict(T))
        compare(f"{name} of scikit-learn by ONNX, against ONNX Runtime", ours, onnx_answer(name + ".onnx", T))

def sum_behind_norm(path, x):
    """What a LinearRegressor says of what ONNX Runtime's Normalizer makes of x, its sum in double: ONNX Runtime's own is in
    float, which is off by a tenth of a watt where terms of a megawatt cancel. No model of ours says more than a megawatt."""
    graph = onnx.load(path)
    last = graph.graph.node[-1]
    numbers = {a.name: np.array(a.floats, dtype=float) for a in last.attribute}
    graph.graph.output[0].name = last.input[0]
    graph.graph.output[0].type.tensor_type.ClearField("shape")
    del graph.graph.node[-1]
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    behind = session.run(None, {session.get_inputs()[0].name: x})[0].astype(float)
    return np.minimum(behind @ numbers["coefficients"] + numbers["intercepts"], 1e6)


def normalizers():
    """Rows divided by their norm, zero rows among them: in, and out again."""
    x = T.copy()
    x[::1000] = 0
    write_rows("norms.csv", FEATURES, x, 5)
    columns = {name: x[:, i].astype(float)[:, None] for i, name in enumerate(FEATURES)}
    forest = RandomForestRegressor(30, max_depth=8, random_state=1)
    boosted = GradientBoostingRegressor(random_state=1)
    network = MLPRegressor(hidden_layer_sizes=(16, 8), max_iter=100, random_state=1)
    every, alike = list(range(5)), [0, 1, 4]  # the latter are of like size
    for i, (name, which, answer, *steps) in enumerate((
            ("L2, linear", alike, onnx_answer, Normalizer(), LinearRegression()),
            ("L2, linear, sums that cancel", every, sum_behind_norm, Normalizer(), LinearRegression()),
            ("L1, ridge", every, onnx_answer, Normalizer("l1"), Ridge()),
            ("L2, forest", every, onnx_answer, Normalizer(), forest),
            ("MAX, boosted", every, onnx_answer, Normalizer("max"), boosted),
            ("scaled, L2, linear", every, onnx_answer, StandardScaler(), Normalizer(), LinearRegression()),
            ("scaled, MAX, ridge, sums that cancel", every, sum_behind_norm, StandardScaler(), Normalizer("max"), Ridge()),
            ("scaled, L2, forest", every, onnx_answer, StandardScaler(), Normalizer(), forest),
            ("scaled, L1, boosted", every, onnx_answer, StandardScaler(), Normalizer("l1"), boosted),
            ("L2, scaled, boosted", every, onnx_answer, Normalizer(), StandardScaler(), boosted),
            ("scaled, L2, network", every, onnx_answer, StandardScaler(), Normalizer(), network),
            ("to 0..1, L2, network", every, onnx_answer, MinMaxScaler(), Normalizer(), network))):
        model = make_pipeline(*steps).fit(X[:, which], Y)
        names = [FEATURES[k] for k in which]
        with open(f"n{i}.onnx", "wb") as f:
            f.write(to_onnx(model, X[:1, which]).SerializeToString())
        ours = estimate(bring_in(f"n{i}", "onnx", f"n{i}.onnx", "--features", ",".join(names)), "norms.csv")
        compare(f"Normalizer: {name}", ours, answer(f"n{i}.onnx", x[:, which]), 1e-3)
        run("model", "export", f"n{i}.vmw", "--onnx", f"o-n{i}", "--trust", "k.pub", check=True)
        theirs = open_onnx(f"o-n{i}/package_model.onnx").run(["watts"], {n: columns[n] for n in names})[0]
        compare(f"Normalizer: {name}, exported again", ours, theirs, 1e-3)
    few = FRAME[:8].assign(time_s=1e6 + 5 * np.arange(8), package_watts=3 + .5 * onnx_answer("n7.onnx", X[:8]).ravel())
    few.to_csv("few.csv", index=False)
    run("dataset", "import", "--joined", "few.csv", "--out", "few.db", check=True)
    run("train", "--calibrate", "n7.vmw", "--trust", "k.pub", "--dataset", "few.db", "--out", "few.vmw", "--sign-key", "k.key", check=True)
    run("model", "export", "few.vmw", "--onnx", "o-few", "--trust", "k.pub", check=True)
    ours = estimate("few.vmw", "norms.csv")
    compare("Normalizer: calibrated, exported", ours,
            open_onnx("o-few/package_model.onnx").run(["watts"], {n: columns[n] for n in FEATURES})[0], 1e-3)
    say(np.corrcoef(ours, onnx_answer("n7.onnx", x).ravel())[0, 1] > .9999, "and it is what it was, on the line that its rows say")
    both = make_pipeline(make_union(Normalizer(), FunctionTransformer()), Ridge()).fit(X, Y)
    with open("both.onnx", "wb") as f:
        f.write(to_onnx(both, X[:1]).SerializeToString())
    refuse("a feature both divided and as it is", "Normalizer", "onnx", "both.onnx", "--features", LIST)
    refuse("a feature twice in a row that is divided", "Normalizer", "onnx", "n0.onnx", "--features", "vcpus,cpu_user,vcpus")


def boosters():
    model = xgboost.XGBRegressor(n_estimators=100, max_depth=6).fit(FRAME, Y)
    for end in ("json", "ubj"):
        model.save_model("x." + end)
        ours = estimate(bring_in("x" + end, "xgboost", "x." + end), "rows.csv")
        compare(f"XGBoost {xgboost.__version__}, .{end}", ours, model.predict(pandas.DataFrame(T, columns=FEATURES)))
    plain = xgboost.DMatrix(X, Y)
    dart = xgboost.train({"booster": "dart", "rate_drop": .2, "seed": 1}, plain, 50)
    dart.save_model("dart.json")
    compare("XGBoost, dart", estimate(bring_in("dart", "xgboost", "dart.json", "--features", LIST), "rows.csv"),
            dart.predict(xgboost.DMatrix(T)))
    few = [0, 1, 4]
    linear = xgboost.train({"booster": "gblinear"}, xgboost.DMatrix(X[:, few], Y), 50)
    linear.save_model("gblinear.ubj")
    compare("XGBoost, gblinear", estimate(bring_in("gblinear", "xgboost", "gblinear.ubj", "--features",
                                                   ",".join(FEATURES[i] for i in few)), "rows.csv"),
            linear.predict(xgboost.DMatrix(T[:, few])))
    xgboost.train({"objective": "count:poisson"}, plain, 5).save_model("poisson.json")
    refuse("an objective with a link", "count:poisson", "xgboost", "poisson.json", "--features", LIST)
    category = FRAME.assign(vcpus=pandas.Categorical(random.integers(0, 20, len(X))))
    xgboost.train({"max_cat_to_onehot": 1}, xgboost.DMatrix(category, Y + 10 * (category.vcpus.cat.codes % 2),
                                                             enable_categorical=True), 5).save_model("cat.json")
    refuse("a categorical split", "categorical", "xgboost", "cat.json")
    model = xgboost.XGBRegressor(n_estimators=60).fit(X, Y)
    with open("xo.onnx", "wb") as f:
        f.write(onnxmltools.convert_xgboost(model, initial_types=[("x", FloatTensorType([None, 5]))]).SerializeToString())
    compare("XGBoost by onnxmltools", estimate(bring_in("xo", "onnx", "xo.onnx", "--features", LIST), "rows.csv"),
            model.predict(T))
    for name, more in (("gbdt", {}), ("rf", {"bagging_freq": 1, "bagging_fraction": .7})):
        model = lightgbm.train({"verbose": -1, "boosting": name, "num_threads": 1, **more}, lightgbm.Dataset(FRAME, Y), 60)
        model.save_model(name + ".txt")
        compare(f"LightGBM {lightgbm.__version__}, {name}", estimate(bring_in(name, "lightgbm", name + ".txt"), "rows.csv"),
                model.predict(T))
    model = lightgbm.train({"verbose": -1, "zero_as_missing": True}, lightgbm.Dataset(FRAME, Y), 5)
    model.save_model("zero.txt")
    refuse("zero as missing", "zero_as_missing", "lightgbm", "zero.txt")
    model = lightgbm.LGBMRegressor(verbose=-1, n_jobs=1).fit(X, Y)
    with open("lo.onnx", "wb") as f:
        f.write(onnxmltools.convert_lightgbm(model, initial_types=[("x", FloatTensorType([None, 5]))]).SerializeToString())
    # The converter rounds thresholds, so a row or two differ from LightGBM itself: the file is what counts.
    compare("LightGBM by onnxmltools, against ONNX Runtime",
            estimate(bring_in("lo", "onnx", "lo.onnx", "--features", LIST), "rows.csv"), onnx_answer("lo.onnx", T))


def kepler():
    weights = {zone: {"All_Weights": {"Bias_Weight": bias, "Numerical_Variables": {
        "bpf_cpu_time_ms": {"scale": 8000, "weight": 70}, "cpu_cycles": {"scale": 2.4e10, "weight": 9}}}}
        for zone, bias in (("package", 20.5), ("dram", 3.25))}
    with open("kepler.json", "w") as f:
        json.dump(weights, f)
    bundle = bring_in("kepler", "kepler", "kepler.json")
    for zone, bias in (("package", 20.5), ("dram", 3.25)):
        compare(f"weights of Kepler, {zone}", estimate(bundle, "rows.csv", zone),
                bias + 70 * (1000 * T[:, 1].astype(float)) / 8000 + 9 * T[:, 3].astype(float) / 2.4e10)


def compare_exported(family, zones, columns, step):
    """The bundle FAMILY.vmw and its files in o-FAMILY/ on the same rows; ONNX Runtime in parts, for distances take memory."""
    write_rows("out.csv", list(columns), np.column_stack(list(columns.values())), step)
    answers.cache_clear()
    run("model", "export", family + ".vmw", "--onnx", "o-" + family, "--trust", "k.pub", check=True)
    for zone in zones:
        session = open_onnx(f"o-{family}/{zone}_model.onnx")
        names = [i.name for i in session.get_inputs()]
        about = session.get_modelmeta().custom_metadata_map
        theirs = [session.run(["watts"], {n: columns[n][i:i + 2000, None] for n in names})[0] for i in range(0, ROWS, 2000)]
        say((float(about["vmwatts.size_vcpus"]) > 0) == (family == "sized"), f"{family} says whether it is of one size")
        compare(f"exported {about['vmwatts.family']} ({family}), {about['vmwatts.zone']}, in ONNX Runtime",
                estimate(family + ".vmw", "out.csv", zone), np.concatenate(theirs))


def export():
    files = sorted(glob.glob(DATA + "/metalci/2024091[34]*.csv"))
    run("dataset", "import", "--joined", *files, "--window", "20", "--out", "d.db", check=True)
    with open(files[0]) as f:
        vcpus = float(next(csv.DictReader(f))["vcpus"])
    u = random.uniform(0, 1, ROWS)
    columns = {"cpu_utilization": u, "cpu_busy_vcpus": u * vcpus, "vcpus": np.full(ROWS, vcpus)}
    for family in ("linear", "physics", "forest", "gbdt", "hybrid", "mlp", "auto"):
        run("train", "--dataset", "d.db", "--family", family, "--out", family + ".vmw", "--sign-key", "k.key", check=True)
        compare_exported(family, ("package", "dram"), columns, 20)


def past_of(name, columns, first, step):
    """The input NAME of rows `step` seconds apart, whose series begins at row first[i]: a feature, its past or its mean."""
    for word in ("_lag_", "_ema_"):
        feature, found, seconds = name.partition(word)
        if not found:
            continue
        now, seconds = columns[feature], float(seconds.removesuffix("s"))
        if word == "_lag_":
            return now[np.maximum(np.arange(len(now)) - round(seconds / step), first)]
        means, keep = now.copy(), np.exp(-step / seconds)
        for i in range(len(now)):
            if first[i] != i:
                means[i] = keep * means[i - 1] + (1 - keep) * now[i]
        return means
    return columns[name]


def export_history():
    """Models with history: the agent's stream makes lags and means of a series with gaps, the test makes its own for the graph."""
    step, series = 3, 9973
    with open(sorted(glob.glob(DATA + "/metalci/2024091[34]*.csv"))[0]) as f:
        vcpus = float(next(csv.DictReader(f))["vcpus"])
    u = np.clip(np.repeat(random.random(ROWS // 10), 10) + random.normal(0, .05, ROWS), 0, 1)
    columns = {"cpu_utilization": u, "cpu_busy_vcpus": u * vcpus, "vcpus": np.full(ROWS, vcpus)}
    rows = np.arange(ROWS)
    frame = pandas.DataFrame({"time_s": 1e6 + step * rows + 600 * (rows // series), **columns})
    frame.to_csv("past.csv", index=False)
    for family, zone in (("linear", "package"), ("linear", "dram"), ("physics", "package"), ("physics", "dram"), ("auto", "package")):
        run("model", "export", family + ".vmw", "--onnx", "past.onnx", "--zone", zone, "--model", "1", "--trust", "k.pub", check=True)
        session = open_onnx("past.onnx")
        inputs = {i.name: past_of(i.name, columns, rows - rows % series, step)[:, None] for i in session.get_inputs()}
        say(any("_lag_" in n for n in inputs) and any("_ema_" in n for n in inputs),
            f"the first model of {family}, {zone}, has inputs of the past")
        theirs = [session.run(["watts"], {n: v[i:i + 2000] for n, v in inputs.items()})[0] for i in range(0, ROWS, 2000)]
        with open("past.csv") as f:
            said = run("estimate", "--bundle", family + ".vmw", "--trust", "k.pub", "--window", "20", stdin=f, check=True).stdout
        ours = pandas.read_csv(io.StringIO(said), float_precision="round_trip")[zone + "_watts"].to_numpy()
        kind = session.get_modelmeta().custom_metadata_map["vmwatts.family"]
        compare(f"exported {kind} with history, {zone}, in ONNX Runtime", ours, np.concatenate(theirs))


def export_sized():
    """Runs of several sizes make a model of one size, which a graph must scale to and back."""
    for r in range(8):
        vcpus, n = (2, 4, 8, 16)[r % 4], 120
        u, c = random.random(n), random.exponential(500, n) * (2, 4, 8, 16)[r % 4]
        frame = pandas.DataFrame({"time_s": 1e6 * r + 5 * np.arange(n), "vcpus": vcpus, "cpu_utilization": u, "cpu_busy_vcpus": u * vcpus,
                                  "context_switch_rate": c, "package_watts": vcpus * (1 + 4 * u ** .8) + c / 2000})
        frame.to_csv(f"size{r}.csv", index=False)
    run("dataset", "import", "--joined", *(f"size{r}.csv" for r in range(8)), "--out", "s.db", check=True)
    run("train", "--dataset", "s.db", "--out", "sized.vmw", "--sign-key", "k.key", check=True)
    u, vcpus = random.random(ROWS), random.choice([1, 2, 3, 8, 16, 64], ROWS).astype(float)
    compare_exported("sized", ("package",), {"cpu_utilization": u, "vcpus": vcpus, "cpu_busy_vcpus": u * vcpus,
                                             "context_switch_rate": random.exponential(1000, ROWS) * vcpus}, 5)


scikit_learn()
normalizers()
boosters()
kepler()
export()
export_history()
export_sized()
