# SPDX-License-Identifier: Apache-2.0
"""Files that may be loaded: not writable by others, and signed in minisign's format by a trusted key.

A file is read once; what was verified is what is loaded, whatever happens to the file meanwhile.
"""
import base64
import binascii
import hashlib
import os
import pathlib
import stat
from typing import Dict, List

from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

MAX_BYTES = 512 << 20


class Refused(Exception):
    """One sentence that names the file and the remedy."""


def _decode(path: pathlib.Path, line: str, size: int) -> bytes:
    try:
        raw = base64.b64decode(line.strip(), validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != size:
        raise Refused(f"{path}: not in minisign's format")
    return raw


def _check_mode(path: pathlib.Path, status: os.stat_result) -> None:
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise Refused(f"{path}: group or others may write it: chmod go-w")
    if status.st_uid not in (0, os.geteuid()):
        raise Refused(f"{path}: belongs to user {status.st_uid}, neither root nor ours: chown it")


def read_file(path: pathlib.Path) -> bytes:
    """The whole file, if nobody else may write it or, unless the folder is sticky, replace it."""
    folder = os.stat(path.parent)
    if not folder.st_mode & stat.S_ISVTX:
        _check_mode(path.parent, folder)
    with open(path, "rb") as f:
        status = os.fstat(f.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise Refused(f"{path}: not a plain file")
        _check_mode(path, status)
        if status.st_size > MAX_BYTES:
            raise Refused(f"{path}: larger than {MAX_BYTES >> 20} MiB")
        return f.read(MAX_BYTES + 1)


class Trust:
    """Trusted keys by their id."""

    def __init__(self, where: str) -> None:
        at = pathlib.Path(where)
        files: List[pathlib.Path] = sorted(at.glob("*.pub")) if at.is_dir() else [at]
        self.keys: Dict[bytes, VerifyKey] = {}
        for path in files:
            lines = read_file(path).decode("ascii", "replace").splitlines()
            raw = _decode(path, lines[1] if len(lines) > 1 else "", 42)
            if raw[:2] != b"Ed":
                raise Refused(f"{path}: not a public key of minisign")
            self.keys[raw[2:10]] = VerifyKey(raw[10:])
        if not self.keys:
            raise Refused(f"{where}: no NAME.pub there: no model could be trusted")

    def read(self, path: pathlib.Path) -> bytes:
        """The bytes of a signed file. Refused when the signature is missing, wrong or of an unknown key."""
        data = read_file(path)
        beside = path.with_name(path.name + ".minisig")
        if not beside.exists():
            raise Refused(f"{path}: not signed: {beside.name} is not beside it")
        lines = read_file(beside).decode("utf-8", "replace").splitlines()
        if len(lines) < 4 or not lines[2].startswith("trusted comment: "):
            raise Refused(f"{beside}: not in minisign's format")
        raw, both = _decode(beside, lines[1], 74), _decode(beside, lines[3], 64)
        key = self.keys.get(raw[2:10])
        if key is None:
            raise Refused(f"{path}: signed by a key that is not trusted")
        if raw[:2] not in (b"Ed", b"ED"):
            raise Refused(f"{beside}: not in minisign's format")
        message = hashlib.blake2b(data).digest() if raw[:2] == b"ED" else data
        try:
            key.verify(message, raw[10:])
            key.verify(raw[10:] + lines[2][len("trusted comment: "):].encode(), both)
        except BadSignatureError:
            raise Refused(f"{path}: the signature does not fit: the file or it was changed") from None
        return data
