# SPDX-License-Identifier: Apache-2.0
"""The other side of bridge.t: makes models, signs them as minisign does, and calls: bridge_peer.py WHAT ..."""
import base64
import hashlib
import json
import os
import pickle
import sys
import time

FEATURES = ["cpu_utilization", "cpu_busy_vcpus", "memory_usage_percent"]


def rows(n):
    import numpy
    random = numpy.random.default_rng(2)
    u = random.random(n)
    return numpy.column_stack([u, 8 * u * random.uniform(.9, 1.1, n), random.uniform(1, 99, n)]).astype(numpy.float32)


class Attack:
    """A pickle that tries what it may not, when it is opened, and answers with what it found."""

    def __reduce__(self):
        code = '''
import errno, os, socket
said = []
def attempt(name, f):
    try:
        f()
        said.append(name + "=open")
    except OSError as e:
        said.append(name + "=" + errno.errorcode.get(e.errno, "?"))
attempt("system", lambda: os.execv("/bin/true", ["true"]))
attempt("socket", lambda: socket.socket().connect(("127.0.0.1", 1)))
def write():
    fd = os.open(WORK + "/proof", os.O_WRONLY | os.O_CREAT, 0o600)
    os.write(fd, b"x")
attempt("write", write)
attempt("fork", os.fork)
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
def call(*words):
    if libc.syscall(*words):
        raise OSError(ctypes.get_errno(), "")
queued = (ctypes.c_int * 32)(0, 0, -1)
attempt("signal", lambda: call(129, os.getppid(), 0, queued)) # rt_sigqueueinfo: kill by another name
attempt("limits", lambda: call(302, os.getppid(), 7, None, None)) # prlimit64
said.append("terminal=" + ("own" if os.getsid(0) == os.getpid() else "shared"))
class Model:
    def predict(self, rows):
        raise ValueError(" ".join(said))
result = Model()
'''.replace("WORK", repr(os.getcwd()))
        return (eval, ("(lambda d: (exec(%r, d), d['result'])[1])({})" % code,))


class Rude:
    """A pickle whose model never ends its answer: slowly, or as fast as it can."""

    def __init__(self, bytes_at_once, pause_s):
        self.say = bytes_at_once, pause_s

    def __reduce__(self):
        code = '''
import os, time
class Model:
    def predict(self, rows):
        while True:
            os.write(3, b" " * %d) # where answers go
            time.sleep(%g)
result = Model()
''' % self.say
        return (eval, ("(lambda d: (exec(%r, d), d['result'])[1])({})" % code,))


class Stalls:
    """A pickle whose model once needs longer than it may: for rows of a utilization beyond 1."""

    def __reduce__(self):
        code = '''
import time
class Model:
    def predict(self, rows):
        if rows[0][0] > 1:
            time.sleep(60)
        return [7.0 for _ in rows]
result = Model()
'''
        return (eval, ("(lambda d: (exec(%r, d), d['result'])[1])({})" % code,))


def make():
    import xgboost
    from skl2onnx import to_onnx
    from sklearn.linear_model import LinearRegression
    from sklearn.ensemble import GradientBoostingRegressor
    from sklearn.preprocessing import StandardScaler
    x = rows(2000)
    y = 5 + 40 * x[:, 0] ** .7 + .05 * x[:, 2]
    for folder in "mpeabs":
        os.mkdir(folder, 0o755)
    scaler = StandardScaler().fit(x)
    linear = LinearRegression().fit(scaler.transform(x), y)
    with open("m/package_model.onnx", "wb") as f:
        f.write(to_onnx(linear, x[:1]).SerializeToString())
    with open("m/package_scaler.json", "w") as f:
        json.dump({"mean": list(scaler.mean_), "scale": list(scaler.scale_)}, f)
    with open("m/features.json", "w") as f:
        json.dump(FEATURES, f)
    with open("m/card.json", "w") as f:
        json.dump({"name": "own", "version": "2.0", "confidence": {"package": .7, "dram": .6}}, f)
    booster = xgboost.XGBRegressor(n_estimators=20).fit(x, y / 4).get_booster()
    booster.feature_names = FEATURES
    booster.save_model("m/dram_model.ubj")
    forest = GradientBoostingRegressor(n_estimators=20).fit(scaler.transform(x), y)
    for name, what in (("p/package_model.pkl", forest), ("p/scaler.pkl", scaler), ("e/package_model.pkl", Attack()),
                       ("a/package_model.pkl", Rude(1, .5)), ("b/package_model.pkl", Rude(65536, 0)), ("s/package_model.pkl", Stalls())):
        with open(name, "wb") as f:
            pickle.dump(what, f)
    for folder in "peabs":
        with open(folder + "/features.json", "w") as f:
            json.dump(FEATURES, f)
    t = rows(200)
    with open("wanted.json", "w") as f:
        json.dump({"package": [float(w) for w in linear.predict(scaler.transform(t))],
                   "dram": [float(w) for w in booster.inplace_predict(t, validate_features=False)],
                   "pickle": [float(w) for w in forest.predict(scaler.transform(t))]}, f)


def sign(path, key):
    """As `minisign -S` without a password: the key file is Ed, kdf, checksum, salt, limits, id, secret."""
    from nacl.signing import SigningKey
    with open(key) as f:
        raw = base64.b64decode(f.read().splitlines()[1])
    number, secret = raw[54:62], SigningKey(raw[62:94])
    with open(path, "rb") as f:
        signature = secret.sign(hashlib.blake2b(f.read()).digest()).signature
    comment = "file:" + os.path.basename(path)
    whole = secret.sign(signature + comment.encode()).signature
    with open(path + ".minisig", "w") as f:
        f.write("untrusted comment: test\n" + base64.b64encode(b"ED" + number + signature).decode()
                + "\ntrusted comment: " + comment + "\n" + base64.b64encode(whole).decode() + "\n")


class Client:
    def __init__(self, port, tls=True):
        import grpc
        from vmwatts_bridge import power_estimation_pb2
        self.messages, self.grpc = power_estimation_pb2, grpc
        with open("tls.crt", "rb") as f:
            trust = grpc.ssl_channel_credentials(f.read())
        self.channel = (grpc.secure_channel if tls else grpc.insecure_channel)("127.0.0.1:" + port, *([trust] if tls else []))
        with open("token") as f:
            self.token = f.read().strip()

    def call(self, method, request, response, token=None):
        m = self.channel.unary_unary("/PowerEstimationService/" + method, request_serializer=lambda r: r.SerializeToString(),
                                     response_deserializer=getattr(self.messages, response).FromString)
        token = self.token if token is None else token
        return m(request, timeout=20, metadata=[("authorization", "Bearer " + token)] if token else None)

    def row(self, values):
        return self.messages.EstimationRequest(features=dict(zip(FEATURES, map(float, values))))

    def code(self, *words, **more):
        try:
            self.call(*words, **more)
            return "OK"
        except self.grpc.RpcError as e:
            return e.code().name


def same(client, zones, wanted):
    t = rows(200)
    with open("wanted.json") as f:
        truth = json.load(f)
    batch = client.call("EstimateBatch", client.messages.BatchRequest(rows=[client.row(r) for r in t]), "BatchResponse").rows
    stream = client.channel.stream_stream("/PowerEstimationService/EstimateStream",
                                          request_serializer=lambda r: r.SerializeToString(),
                                          response_deserializer=client.messages.EstimationResponse.FromString)
    streamed = list(stream((client.row(r) for r in t), timeout=20, metadata=[("authorization", "Bearer " + client.token)]))
    for i, r in enumerate(t):
        one = client.call("EstimatePower", client.row(r), "EstimationResponse") if i < 50 else batch[i]
        for zone, name in zip(zones, wanted):
            for answer in (one, batch[i], streamed[i]):
                w = answer.zone_watts[zone]
                if abs(w - truth[name][i]) > 1e-5 * abs(truth[name][i]):
                    raise SystemExit(f"row {i}, {zone}: {w} for {truth[name][i]}")
    print("same", len(t), "rows", batch[0].model_name, batch[0].model_version, round(batch[0].confidence, 3))


def main(what, *words):
    if what == "make":
        return make()
    if what == "sign":
        return sign(*words)
    client = Client(words[0], tls=what != "plain")
    some = client.row(rows(1)[0])
    if what == "good":
        same(client, ["package", "dram"], ["package", "dram"])
    elif what == "pickle":
        same(client, ["package"], ["pickle"])
    elif what == "denied":
        stream = client.channel.stream_stream("/PowerEstimationService/EstimateStream",
                                              request_serializer=lambda r: r.SerializeToString())
        try:
            list(stream(iter([some]), timeout=20))
            streamed = "OK"
        except client.grpc.RpcError as e:
            streamed = e.code().name
        print(client.code("EstimatePower", some, "EstimationResponse", token=""),
              client.code("EstimatePower", some, "EstimationResponse", token="x" * 43), streamed)
    elif what == "health":
        from grpc_health.v1 import health_pb2, health_pb2_grpc
        from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
        asked = health_pb2.HealthCheckRequest(service="PowerEstimationService")
        print(health_pb2_grpc.HealthStub(client.channel).Check(asked, timeout=20).status)
        try:
            print(*ProtoReflectionDescriptorDatabase(client.channel).get_services())
        except client.grpc.RpcError as e:
            print(e.code().name)
    elif what == "plain":
        print(client.code("EstimatePower", some, "EstimationResponse"))
    elif what == "idle":
        import threading
        end = threading.Event()
        bearer = [("authorization", "Bearer " + client.token)]

        def one_row():
            yield some
            end.wait()

        def nothing():
            end.wait()
            yield some

        def open_call(method, requests, metadata=None):
            return client.channel.stream_stream("/PowerEstimationService/" + method, request_serializer=lambda r: r.SerializeToString())(
                requests, timeout=30, metadata=metadata)

        streams = [open_call("EstimateStream", one_row(), bearer) for _ in range(12)]
        answered = sum(1 for s in streams if next(s))
        silent = [open_call("EstimatePower", nothing(), bearer) for _ in range(12)]
        strangers = [open_call("EstimatePower", nothing()) for _ in range(12)]
        told = {s.code().name for s in strangers}
        print(answered, *told, client.code("EstimatePower", some, "EstimationResponse"))
        for call in streams + silent:
            call.cancel()
        end.set()
    elif what == "missing":
        print(client.code("EstimatePower", client.messages.EstimationRequest(features={"cpu_utilization": .5}), "EstimationResponse"))
    elif what == "load":
        try:
            answer = client.call("LoadModels", client.messages.LoadModelsRequest(model_directory=words[1]), "LoadModelsResponse")
            print(answer.success, answer.message)
        except client.grpc.RpcError as e:
            print(e.code().name, e.details())
    elif what == "info":
        print(client.call("GetModelInfo", client.messages.Empty(), "ModelInfoResponse"))
    elif what == "stall":
        print(client.code("EstimatePower", client.row([2, 1, 1]), "EstimationResponse"))
        print(client.code("EstimatePower", client.row([.5, 1, 1]), "EstimationResponse"))
        time.sleep(6)
        print(client.code("EstimatePower", client.row([.5, 1, 1]), "EstimationResponse"))
    elif what == "attack":
        try:
            client.call("EstimatePower", some, "EstimationResponse")
        except client.grpc.RpcError as e:
            print(e.details())
    return None


main(*sys.argv[1:])
