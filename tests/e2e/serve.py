#!/usr/bin/env python3
"""Peers of tests/e2e/serve.t.

client ADDRESS CA TOKEN STORE OTHER CSV: a real Python grpcio client against our server; one "ok"/"not ok" line a check.
scrapes PORT CONTROL SECONDS: GET /metrics of an agent, and of another that asks no server; prints ticks, the 95th percentile and the
slowest in ms, the 95th percentile of the other, and the reasons seen.
simulated PORT KIND SECONDS: a simulated model server of the proposal's protocol: bare (as in the proposal), slow, nan or
garbage (a message that is none), on plaintext.
"""
import csv
import http.client
import sys
import time


def check(ok, text):
    print(("ok" if ok else "not ok") + " - " + text, flush=True)


def refused(call, *codes):
    import grpc
    try:
        call()
    except grpc.RpcError as e:
        return e.code() in [getattr(grpc.StatusCode, c) for c in codes]
    return False


def rows_of(path, n):
    with open(path) as f:
        for i, row in enumerate(csv.DictReader(f)):
            if i == n:
                return
            yield row


def request(pb, row, **more):
    known = ("cpu_utilization", "vcpus", "cpu_busy_vcpus")
    return pb.EstimationRequest(features={k: float(v) for k, v in row.items() if k in known and v}, **more)


def client(address, ca, token_file, store, other, csv_path):
    import grpc
    import power_estimation_pb2 as pb
    import power_estimation_pb2_grpc as stubs
    from google.protobuf.descriptor_pool import DescriptorPool
    from grpc_health.v1 import health_pb2, health_pb2_grpc
    from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
    roots = open(ca, "rb").read()
    token = open(token_file).read().strip()
    with_token = grpc.composite_channel_credentials(grpc.ssl_channel_credentials(roots),
                                                    grpc.access_token_call_credentials(token))
    channel = grpc.secure_channel(address, with_token)
    stub = stubs.PowerEstimationServiceStub(channel)
    rows = list(rows_of(csv_path, 40))
    one = stub.EstimatePower(request(pb, rows[0]), timeout=10)
    check(one.zone_watts["package"] > 0 and one.model_version == "1.0.0", "the proposal's call answers over TLS with a token")
    zone = one.zones["package"]
    check(zone.watts_low <= zone.watts <= zone.watts_high and zone.provenance == "trained",
          "with interval and provenance under new numbers")
    batch = stub.EstimateBatch(pb.BatchRequest(rows=[request(pb, r) for r in rows]), timeout=10)
    alone = [stub.EstimatePower(request(pb, r), timeout=10) for r in rows]
    check([r.SerializeToString(deterministic=True) for r in batch.rows] ==
          [r.SerializeToString(deterministic=True) for r in alone], "a batch answers as its rows do one by one")
    stream = list(stub.EstimateStream((request(pb, r, time_s=float(r["time_s"]), interval_s=3) for r in rows), timeout=10))
    check(len(stream) == len(rows), "a stream answers every row")
    print("stream", *(repr(a.zone_watts["package"]) for a in stream))
    print("unary", *(repr(a.zone_watts["package"]) for a in alone))
    info = stub.GetModelInfo(pb.Empty(), timeout=10)
    check(info.model_name == "e" and info.provenance == "trained" and "cpu_utilization" in info.features, "GetModelInfo says what serves")
    check(all(0 < z.mape < 1 and z.model for z in info.zones), "and how good each zone's model is")
    proposed = dict(cpu_utilization=0.5, cpu_steal_time=0, instructions_per_cycle=1, cache_miss_ratio=0.1, memory_usage_percent=40,
                    page_fault_rate=1000, context_switch_rate=1000)
    check(sorted(stub.EstimatePower(pb.EstimationRequest(features=proposed), timeout=10).zone_watts) == ["core", "dram", "package", "uncore"],
          "the proposal's own features, without vcpus, get all four zones")
    check(refused(lambda: stub.EstimatePower(pb.EstimationRequest(features={"memory_usage_percent": 40}), timeout=10), "INVALID_ARGUMENT"),
          "a row from which no zone can be answered is refused, not answered with nothing")
    check(refused(lambda: stub.EstimatePower(pb.EstimationRequest(), timeout=10), "INVALID_ARGUMENT"), "a row without features is refused")
    check(refused(lambda: stub.EstimatePower(pb.EstimationRequest(features={"cpu_utilization": float("nan")}), timeout=10),
                  "INVALID_ARGUMENT"), "and one that is no number")
    for value in (7, -1):
        check(refused(lambda v=value: stub.EstimatePower(pb.EstimationRequest(features={"cpu_utilization": v}), timeout=10),
                      "INVALID_ARGUMENT"), f"and a share of {value}")
    big = pb.EstimationRequest(vm_id="x" * (2 << 20))
    check(refused(lambda: stub.EstimatePower(big, timeout=10), "RESOURCE_EXHAUSTED"), "a message over the cap is refused")
    check(refused(lambda: channel.unary_unary("/PowerEstimationService/EstimatePower")(b"\xff\xff", timeout=10),
                  "INVALID_ARGUMENT"), "and one that is none")
    check(refused(lambda: channel.unary_unary("/PowerEstimationService/Nothing")(b"", timeout=10), "UNIMPLEMENTED"),
          "a method that is none is unimplemented")
    check(refused(lambda: stub.LoadModels(pb.LoadModelsRequest(model_directory=store), timeout=10), "PERMISSION_DENIED"),
          "LoadModels needs a token of scope load")
    loader = stubs.PowerEstimationServiceStub(grpc.secure_channel(address, grpc.composite_channel_credentials(
        grpc.ssl_channel_credentials(roots), grpc.access_token_call_credentials(open(token_file + ".load").read().strip()))))
    check(loader.LoadModels(pb.LoadModelsRequest(model_directory=store), timeout=10).success, "with one it loads an allowed directory")
    check(refused(lambda: loader.LoadModels(pb.LoadModelsRequest(model_directory="/etc"), timeout=10), "PERMISSION_DENIED"),
          "and none that is not configured")
    check(refused(lambda: loader.LoadModels(pb.LoadModelsRequest(model_directory=store + "/../" + "/etc"), timeout=10),
                  "PERMISSION_DENIED"), "nor by a detour")
    check(refused(lambda: loader.LoadModels(pb.LoadModelsRequest(model_directory=other), timeout=10), "FAILED_PRECONDITION"),
          "and no bundle that another key signed")
    check(refused(lambda: loader.EstimatePower(request(pb, rows[0]), timeout=10), "PERMISSION_DENIED"), "that token estimates nothing")
    bare = stubs.PowerEstimationServiceStub(grpc.secure_channel(address, grpc.ssl_channel_credentials(roots)))
    check(refused(lambda: bare.EstimatePower(request(pb, rows[0]), timeout=10), "UNAUTHENTICATED"), "without a token it is refused")
    check(refused(lambda: next(bare.EstimateStream(iter([request(pb, rows[0])]), timeout=10)), "UNAUTHENTICATED"), "streams too")
    wrong = stubs.PowerEstimationServiceStub(grpc.secure_channel(address, grpc.composite_channel_credentials(
        grpc.ssl_channel_credentials(roots), grpc.access_token_call_credentials("A" * 43))))
    check(refused(lambda: wrong.EstimatePower(request(pb, rows[0]), timeout=10), "UNAUTHENTICATED"), "and with another token")
    limited = stubs.PowerEstimationServiceStub(grpc.secure_channel(address, grpc.composite_channel_credentials(
        grpc.ssl_channel_credentials(roots), grpc.access_token_call_credentials(open(token_file + ".limited").read().strip()))))
    check(not refused(lambda: limited.EstimatePower(request(pb, rows[0]), timeout=10), "RESOURCE_EXHAUSTED") and
          refused(lambda: [limited.EstimatePower(request(pb, rows[0]), timeout=10) for _ in range(10)], "RESOURCE_EXHAUSTED"),
          "a token has its rate")
    plain = stubs.PowerEstimationServiceStub(grpc.insecure_channel(address))
    check(refused(lambda: plain.EstimatePower(request(pb, rows[0]), timeout=5), "UNAVAILABLE"), "and without TLS")
    health = health_pb2_grpc.HealthStub(grpc.secure_channel(address, grpc.ssl_channel_credentials(roots)))
    check(health.Check(health_pb2.HealthCheckRequest(service="PowerEstimationService"), timeout=10).status == 1,
          "health answers without a token")
    check(refused(lambda: health.Check(health_pb2.HealthCheckRequest(service="x"), timeout=10), "NOT_FOUND"), "and knows its services")
    crowd = [grpc.secure_channel(address, grpc.ssl_channel_credentials(roots), [("grpc.use_local_subchannel_pool", 1), ("n", n)])
             for n in range(5)]
    calls = [health_pb2_grpc.HealthStub(c).Watch(health_pb2.HealthCheckRequest(), timeout=30) for c in crowd for _ in range(120)]
    told = sum(not refused(lambda w=w: next(w), "RESOURCE_EXHAUSTED") for w in calls)
    check(told == 512 and health.Check(health_pb2.HealthCheckRequest(), timeout=10).status == 1,
          f"{told} of 600 watchers without a token are taken, and health still answers")
    for c in crowd:
        c.close()
    database = ProtoReflectionDescriptorDatabase(channel)
    check("PowerEstimationService" in database.get_services(), "reflection lists the service")
    service = DescriptorPool(database).FindServiceByName("PowerEstimationService")
    check(set(service.methods_by_name) == {"EstimatePower", "LoadModels", "GetModelInfo", "EstimateBatch", "EstimateStream"},
          "and describes its methods")
    # Two files of one message in one process's pool need their own; the names and numbers are what matters.
    fields = service.methods_by_name["EstimatePower"].output_type.fields_by_name
    check([fields[n].number for n in ("zone_watts", "confidence", "model_version")] == [1, 2, 3], "with the proposal's numbers")


def scrapes(port, control_port, seconds):
    times, control_times, reasons, rows = [], [], [], []
    end = time.monotonic() + float(seconds)
    connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=10)
    control = http.client.HTTPConnection("127.0.0.1", int(control_port), timeout=10)
    while time.monotonic() < end:
        begin = time.monotonic()
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        times.append((time.monotonic() - begin) * 1e3)
        assert "kepler_node_cpu_watts{" in text, "no watts"
        rows.append(sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith("kepler_vm_remote_rows_total")))
        for line in text.splitlines():
            if line.startswith("kepler_vm_remote_fallback{"):
                reason = line.split('"')[1]
                if reason not in reasons:
                    reasons.append(reason)
        begin = time.monotonic()
        control.request("GET", "/metrics")
        control.getresponse().read()
        control_times.append((time.monotonic() - begin) * 1e3)
        time.sleep(0.01)
    times.sort()
    control_times.sort()
    print(int(rows[-1] - rows[0]), f"{times[int(0.95 * len(times))]:.2f}", f"{times[-1]:.2f}",
          f"{control_times[int(0.95 * len(control_times))]:.2f}", ",".join(reasons))


def simulated(port, kind, seconds):
    from concurrent import futures
    import grpc
    import power_estimation_pb2 as pb

    def answer(data, context):
        watts = float("nan") if kind == "nan" else 11.5
        if kind == "slow":
            time.sleep(1)
        if kind == "garbage":
            return b"\xff" * 32
        return pb.EstimationResponse(zone_watts={"package": watts, "core": 7.0}, confidence=0.9,
                                     model_version="v1.0.0").SerializeToString()

    server = grpc.server(futures.ThreadPoolExecutor(max_workers=4))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(
        "PowerEstimationService", {"EstimatePower": grpc.unary_unary_rpc_method_handler(answer)}),))
    assert server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    print("serving", flush=True)
    time.sleep(float(seconds))


{"client": client, "scrapes": scrapes, "simulated": simulated}[sys.argv[1]](*sys.argv[2:])
