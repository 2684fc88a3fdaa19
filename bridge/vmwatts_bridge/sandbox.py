# SPDX-License-Identifier: Apache-2.0
"""Where pickles are opened: a process of its own that can compute and answer, and little else.

A pickle is a program. It runs here with no network, no other programs, no files written, bounded memory, and a pipe
for rows and watts: JSON lines, never pickles. Limits that this kernel does not give are named on stderr.

The parent's side is `SandboxedModel`; the child's is `python -m vmwatts_bridge.sandbox`.
"""
import base64
import ctypes
import json
import os
import platform
import resource
import select
import struct
import subprocess
import sys
import threading
import time
from typing import Any, Dict, List, Optional, Tuple

MEMORY_BYTES = 4 << 30
ANSWER_BYTES = 16 << 20  # 10,000 rows are a tenth of it
ANSWER_S = 5.0
START_S = 60.0
PAUSE_S = 5.0  # before a child that died, or was late, is started anew

# Refused with EPERM: connections, programs, other processes (signals to them too), changes to files, mounts, keys, the kernel.
SYSTEM_CALLS: Dict[str, List[int]] = {
    "x86_64": [41, 42, 43, 44, 46, 49, 50, 53, 57, 58, 59, 62, 76, 77, 82, 83, 84, 85, 86, 87, 88, 90, 91, 92, 93, 94, 101, 129,
               132, 133, 155, 161, 165, 166, 169, 175, 176, 188, 189, 190, 197, 198, 199, 200, 234, 235, 246, 248, 249, 250,
               258, 259, 260, 261, 263, 264, 265, 266, 268, 272, 280, 288, 297, 304, 307, 308, 310, 311, 313, 316, 320, 321, 322,
               323, 424, 425, 426, 427, 434, 438, 452],
    "aarch64": [5, 6, 7, 14, 15, 16, 33, 34, 35, 36, 37, 38, 39, 40, 41, 45, 46, 51, 52, 53, 54, 55, 88, 97, 104, 105, 106, 117,
                129, 130, 131, 138, 142, 198, 199, 200, 201, 202, 203, 206, 211, 217, 218, 219, 221, 240, 241, 242, 265, 268, 269,
                270, 271, 273, 276, 280, 281, 282, 424, 425, 426, 427, 434, 438, 452],
}
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
CLONE, CLONE3, CLONE_THREAD = {"x86_64": 56, "aarch64": 220}, 435, 0x10000
OPENAT2, OPENS = 437, {"x86_64": [(2, 1), (257, 2)], "aarch64": [(56, 2)]}  # number, which argument has the flags
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
PRLIMIT = {"x86_64": 302, "aarch64": 261}  # of itself only
CLONE_NEWNET, CLONE_NEWUSER = 0x40000000, 0x10000000


def _filter(machine: str) -> bytes:
    """BPF: another architecture is killed; the list, x32 numbers, files opened to be written and new processes are EPERM."""
    load, equal, at_least, any_bit, answer = 0x20, 0x15, 0x35, 0x45, 0x06
    code: List[Tuple[int, str, str, int]] = [
        (load, "", "", 4), (equal, "", "kill", ARCHITECTURES[machine]), (load, "", "", 0), (at_least, "deny", "", 0x40000000)]
    code += [(equal, "deny", "", number) for number in SYSTEM_CALLS[machine]]
    code += [(equal, "unknown", "", number) for number in (CLONE3, OPENAT2)]  # libraries fall back to what is looked at here
    code += [(equal, "", "+2", PRLIMIT[machine]), (load, "", "", 16), (any_bit, "deny", "allow", 0xFFFFFFFF)]
    for number, argument in OPENS[machine]:
        code += [(equal, "", "+2", number), (load, "", "", 16 + 8 * argument), (any_bit, "deny", "allow", WRITES)]
    code += [(equal, "", "allow", CLONE[machine]), (load, "", "", 16), (any_bit, "allow", "deny", CLONE_THREAD)]
    ends = {"allow": 0x7FFF0000, "deny": 0x00050001, "unknown": 0x00050026, "kill": 0}
    at = {name: len(code) + i for i, name in enumerate(ends)}

    def jump(i: int, to: str) -> int:
        return 0 if not to else int(to) if to[0] == "+" else at[to] - i - 1

    lines = [(op, jump(i, yes), jump(i, no), k) for i, (op, yes, no, k) in enumerate(code)]
    lines += [(answer, 0, 0, value) for value in ends.values()]
    return b"".join(struct.pack("<HBBI", *line) for line in lines)


def close_doors() -> List[str]:
    """What could not be closed, in words."""
    missing = []
    libc = ctypes.CDLL(None, use_errno=True)
    for what, value in ((resource.RLIMIT_CORE, 0), (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_NOFILE, 256),
                        (resource.RLIMIT_AS, MEMORY_BYTES)):
        resource.setrlimit(what, (value, value))
    if libc.unshare(CLONE_NEWUSER | CLONE_NEWNET):
        missing.append("no network namespace")
    machine = platform.machine()
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        missing.append("privileges may grow")
    if machine not in SYSTEM_CALLS:
        return missing + ["no system-call filter for " + machine]
    code = ctypes.create_string_buffer(_filter(machine))
    program = struct.pack("HxxxxxxQ", (len(code) - 1) // 8, ctypes.addressof(code))
    if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.create_string_buffer(program), 0, 0):
        missing.append("no system-call filter")
    return missing


def _serve() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the pickle prints is no answer
    first = json.loads(sys.stdin.readline())
    import pickle  # noqa: S403 - this process exists to contain it

    import numpy

    for name in ("sklearn", "joblib", "xgboost"):  # while files may still be opened at ease
        try:
            __import__(name)
        except ImportError:
            pass
    missing = close_doors()

    def say(**fields: Any) -> None:
        answers.write(json.dumps(fields) + "\n")
        answers.flush()

    import io

    def load(data: str) -> Any:
        raw = base64.b64decode(data)
        try:
            return pickle.loads(raw)
        except Exception:
            import joblib

            return joblib.load(io.BytesIO(raw))

    model = load(first["model"])
    scaler = load(first["scaler"]) if first["scaler"] else None
    names = getattr(scaler if scaler is not None else model, "feature_names_in_", None)
    say(missing=missing, features=None if names is None else [str(n) for n in names])
    for line in sys.stdin:
        rows = numpy.array(json.loads(line)["rows"], dtype=float)
        try:
            say(watts=[float(w) for w in numpy.ravel(model.predict(scaler.transform(rows) if scaler is not None else rows))])
        except Exception as e:
            say(error=f"{type(e).__name__}: {e}"[:200])


class SandboxedModel:
    """A pickled model behind a pipe. Raises RuntimeError when the child does not answer."""

    def __init__(self, model: bytes, scaler: Optional[bytes]) -> None:
        self._model, self._scaler = model, scaler
        self._lock = threading.Lock()
        self._again_s = 0.0
        about = self._start()
        self.missing: List[str] = about["missing"]
        self.features: Optional[List[str]] = about["features"]

    def _start(self) -> Dict[str, Any]:
        path = [p for p in sys.path if p]
        self._child = subprocess.Popen(
            [sys.executable, "-m", "vmwatts_bridge.sandbox"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, close_fds=True,
            start_new_session=True,  # without a terminal, or it could type into ours
            env={"PYTHONPATH": os.pathsep.join(path), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "LC_ALL": "C.UTF-8",
                 "PYTHONDONTWRITEBYTECODE": "1", "PYTHONWARNINGS": "ignore"}, cwd="/")
        self._rest = bytearray()
        encoded = {"model": base64.b64encode(self._model).decode(),
                   "scaler": base64.b64encode(self._scaler).decode() if self._scaler else ""}
        try:
            return self._ask(encoded, START_S)
        except RuntimeError:
            self.close()
            raise

    def _ask(self, question: Dict[str, Any], seconds: float) -> Dict[str, Any]:
        pipe = self._child.stdin, self._child.stdout
        assert pipe[0] and pipe[1]
        end = time.monotonic() + seconds
        try:
            pipe[0].write(json.dumps(question).encode() + b"\n")
            pipe[0].flush()
            while b"\n" not in self._rest[-1 << 16:]:
                if not select.select([pipe[1]], [], [], max(end - time.monotonic(), 0))[0]:
                    raise RuntimeError(f"the sandbox did not answer within {seconds:g} s")
                more = os.read(pipe[1].fileno(), 1 << 16)
                if not more:
                    raise RuntimeError("the sandbox died: the model did what it may not, or is none")
                self._rest += more
                if len(self._rest) > ANSWER_BYTES:
                    raise RuntimeError(f"the sandbox says more than {ANSWER_BYTES >> 20} MiB")
        except (BrokenPipeError, ValueError):
            raise RuntimeError("the sandbox is gone") from None
        line, _, rest = bytes(self._rest).partition(b"\n")
        self._rest[:] = rest
        try:
            answer = json.loads(line)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise RuntimeError("the sandbox says what is no answer")
        return answer

    def predict(self, rows: List[List[float]]) -> List[float]:
        with self._lock:
            gone = self._child.poll() is not None
            if gone and time.monotonic() < self._again_s:
                raise RuntimeError("the sandbox is gone, and is not started anew yet")
            try:
                if gone:
                    self._start()
                answer = self._ask({"rows": rows}, ANSWER_S)
            except RuntimeError:
                self.close()  # a late answer would be taken for the next one
                self._again_s = time.monotonic() + PAUSE_S
                raise
        if "error" in answer:
            raise RuntimeError(answer["error"])
        watts: List[float] = answer["watts"]
        return watts

    def close(self) -> None:
        self._child.kill()
        self._child.wait()


if __name__ == "__main__":
    _serve()
