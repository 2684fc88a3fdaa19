# SPDX-License-Identifier: Apache-2.0
"""vmwatts-bridge: serve a folder of Python's models over gRPC.

TLS and a token unless both are given up in words, which is allowed on loopback only. Tokens are kept as hashes: a line
`NAME SHA256` each; `vmwatts-bridge --new-token NAME` makes one.
"""
import argparse
import concurrent.futures
import hashlib
import hmac
import ipaddress
import pathlib
import secrets
import signal
import sys
import threading
from typing import Any, Callable, List, Optional

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from vmwatts_bridge.models import Loader
from vmwatts_bridge.service import Service
from vmwatts_bridge.trust import Refused, Trust, read_file

VERSION = "0.1.0"
MESSAGE_BYTES_MAX = 1 << 20
CALLS_MAX = 256  # open at a time, idle ones too; what is beyond is refused
SERVICE = "PowerEstimationService"


class Tokens(grpc.ServerInterceptor):  # type: ignore[misc]
    """Lets calls pass whose bearer token has one of the hashes, and questions for health."""

    def __init__(self, hashes: List[bytes]) -> None:
        self.hashes = hashes

    def _good(self, token: str) -> bool:
        mine = hashlib.sha256(token.encode()).hexdigest().encode()
        found = False
        for h in self.hashes:  # all of them, whichever fits
            found |= hmac.compare_digest(mine, h)
        return found

    def intercept_service(self, continuation: Callable[[Any], Any], call: Any) -> Any:
        if call.method.startswith(f"/{health.SERVICE_NAME}/"):
            return continuation(call)
        header = dict(call.invocation_metadata).get("authorization", "")
        if isinstance(header, str) and header.startswith("Bearer ") and self._good(header[7:]):
            return continuation(call)

        def refuse(requests: Any, context: Any) -> Any:
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "a valid bearer token is needed")

        return grpc.stream_stream_rpc_method_handler(refuse)  # of any call: the other kind would wait for a stranger's message


def _is_loopback(address: str) -> bool:
    host = address.rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False  # a name may be anything tomorrow


def _hashes(path: str) -> List[bytes]:
    hashes = []
    for number, line in enumerate(read_file(pathlib.Path(path)).decode("utf-8", "replace").splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if len(words) != 2 or len(words[1]) != 64:
            raise Refused(f"{path}:{number}: NAME SHA256 is expected (--new-token NAME makes such a line)")
        hashes.append(words[1].lower().encode())
    if not hashes:
        raise Refused(f"{path}: no token there: nobody could call")
    return hashes


def _warn(sentence: str) -> None:
    print(f"vmwatts-bridge: warning: {sentence}", file=sys.stderr, flush=True)


def _open_port(server: Any, a: argparse.Namespace) -> int:
    if a.plaintext:
        _warn("no TLS: only this machine may call")
        credentials = None
    else:
        with open(a.tls_cert, "rb") as cert:
            chain = cert.read()
        credentials = grpc.ssl_server_credentials([(read_file(pathlib.Path(a.tls_key)), chain)])
    try:
        port = int(server.add_secure_port(a.listen, credentials) if credentials else server.add_insecure_port(a.listen))
    except RuntimeError:  # newer grpcio raises where older ones give 0
        port = 0
    if not port:
        also = "" if a.plaintext else f", or {a.tls_cert} and {a.tls_key} are no certificate and its key"
        raise Refused(f"--listen {a.listen}: in use, or not an address of this machine{also}")
    return port


def _is_address(address: str) -> bool:
    host, colon, port = address.rpartition(":")
    return bool(host and colon) and port.isascii() and port.isdigit() and int(port) <= 65535


def _check(a: argparse.Namespace) -> None:
    if not _is_address(a.listen):  # gRPC would take a port modulo 65536
        raise Refused(f"--listen {a.listen}: ADDRESS:PORT is needed")
    if (a.plaintext or a.no_token) and not _is_loopback(a.listen):
        raise Refused(f"--listen {a.listen}: --plaintext and --no-token are for 127.0.0.1 and [::1] alone")
    if not a.plaintext and not (a.tls_cert and a.tls_key):
        raise Refused("--tls-cert and --tls-key are needed (or --plaintext on loopback)")
    if not a.no_token and not a.tokens:
        raise Refused("--tokens FILE is needed (or --no-token on loopback)")


def _add_health(server: Any) -> Any:
    servicer = health.HealthServicer(experimental_non_blocking=True)  # or each Watch would hold a thread
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    for name in (health.OVERALL_HEALTH, SERVICE):
        servicer.set(name, health_pb2.HealthCheckResponse.SERVING)
    return servicer


def serve(a: argparse.Namespace) -> None:
    _check(a)
    guards = [] if a.no_token else [Tokens(_hashes(a.tokens))]
    service = Service(Loader(Trust(a.trust), a.allow_pickle, _warn), [pathlib.Path(p) for p in a.models], VERSION, a.threads)
    server = grpc.server(  # an open call holds a thread though nobody asks; --threads is for those that do
        concurrent.futures.ThreadPoolExecutor(CALLS_MAX), interceptors=guards, maximum_concurrent_rpcs=CALLS_MAX,
        options=[("grpc.max_receive_message_length", MESSAGE_BYTES_MAX), ("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers((service.handler(),))
    wellness = _add_health(server)
    reflection.enable_server_reflection((SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME), server)
    port = _open_port(server, a)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    server.start()
    print(f"vmwatts-bridge: {', '.join(service.models.zones)} on port {port}", flush=True)
    stop.wait()
    wellness.enter_graceful_shutdown()
    server.stop(5).wait()
    service.models.close()


def main(argv: Optional[List[str]] = None) -> int:
    p = argparse.ArgumentParser(prog="vmwatts-bridge", description=__doc__)
    p.add_argument("--models", nargs="+", metavar="DIR", help="folders that may be loaded; the first is, at start")
    p.add_argument("--trust", metavar="K.pub|DIR", help="minisign public keys that model files must be signed by")
    p.add_argument("--listen", default="127.0.0.1:9104", metavar="A:P", help="address (127.0.0.1:9104)")
    p.add_argument("--tls-cert", metavar="FILE", help="the server's certificate chain, PEM")
    p.add_argument("--tls-key", metavar="FILE", help="its key, which only we may write")
    p.add_argument("--tokens", metavar="FILE", help="who may call: NAME SHA256 a line")
    p.add_argument("--new-token", metavar="NAME", help="print a token (stderr) and its line for --tokens (stdout)")
    p.add_argument("--plaintext", action="store_true", help="no TLS; loopback only")
    p.add_argument("--no-token", action="store_true", help="anybody on this machine may call; loopback only")
    p.add_argument("--allow-pickle", action="store_true", help="load signed pickles, in a sandbox")
    p.add_argument("--threads", type=int, default=4, metavar="N", help="rows that are estimated at a time (4)")
    a = p.parse_args(argv)
    if a.threads < 1:
        p.error(f"--threads takes 1 or more, not {a.threads}")
    if a.new_token and len(a.new_token.split()) != 1:
        p.error("--new-token takes a name without blanks")
    if a.new_token:
        token = secrets.token_urlsafe(32)
        print(token, file=sys.stderr)
        print(a.new_token, hashlib.sha256(token.encode()).hexdigest())
        return 0
    if not a.models or not a.trust:
        p.error("--models DIR and --trust K.pub are needed")
    try:
        serve(a)
    except OSError as e:
        print(f"vmwatts-bridge: {e.filename}: {e.strerror}" if e.filename else f"vmwatts-bridge: {e}", file=sys.stderr)
        return 1
    except Refused as e:
        print(f"vmwatts-bridge: {e}", file=sys.stderr)
        return 1
    return 0
