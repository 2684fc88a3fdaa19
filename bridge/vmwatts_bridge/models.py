# SPDX-License-Identifier: Apache-2.0
"""A folder of models as the proposal lays it out, signed file by file:

    ZONE_model.onnx | ZONE_model.json | ZONE_model.ubj | ZONE_model.pkl      package, core, dram, uncore, platform
    ZONE_scaler.json {"mean": [...], "scale": [...]} | ZONE_scaler.pkl | scaler.pkl
    features.json    ["cpu_utilization", ...]    in the order of the models, where they do not name them
    card.json        {"name": ..., "version": ..., "scope": ..., "confidence": {ZONE: 0.8}}    all optional
"""
import dataclasses
import json
import pathlib
import time
from typing import Any, Callable, Dict, List, Mapping, Optional

import numpy

from vmwatts_bridge.sandbox import SandboxedModel
from vmwatts_bridge.trust import Refused, Trust

ZONES = ("package", "core", "dram", "uncore", "platform")
Predict = Callable[[List[List[float]]], List[float]]


@dataclasses.dataclass
class Zone:
    runtime: str
    features: List[str]
    predict: Predict
    close: Callable[[], None] = lambda: None


@dataclasses.dataclass
class Models:
    zones: Dict[str, Zone]
    name: str = "bridge"
    version: str = "0"
    scope: str = "vm_active"
    confidence: Dict[str, float] = dataclasses.field(default_factory=dict)
    loaded_s: float = 0.0

    def estimate(self, row: Mapping[str, float]) -> Dict[str, float]:
        """Watts of the zones whose features are all there and finite."""
        watts = {}
        for name, zone in self.zones.items():
            values = [row.get(f) for f in zone.features]
            if any(v is None or not numpy.isfinite(v) for v in values):
                continue
            w = zone.predict([[float(v) for v in values if v is not None]])[0]
            if numpy.isfinite(w):
                watts[name] = max(w, 0.0)
        return watts

    def close(self) -> None:
        for zone in self.zones.values():
            zone.close()


def _names(path: pathlib.Path, own: Optional[List[str]], listed: Optional[List[str]]) -> List[str]:
    names = own or listed
    if not names:
        raise Refused(f"{path}: does not name its features: list them in features.json beside it, signed")
    return names


def _scaled(path: pathlib.Path, scaler: Optional[Mapping[str, Any]], predict: Callable[[Any], Any]) -> Predict:
    if scaler is None:
        return lambda rows: [float(w) for w in numpy.ravel(predict(numpy.array(rows)))]
    try:
        mean, scale = numpy.array(scaler["mean"], dtype=float), numpy.array(scaler["scale"], dtype=float)
    except (KeyError, ValueError, TypeError):
        raise Refused(f"{path}: its scaler has no lists mean and scale of numbers") from None
    if mean.shape != scale.shape or not numpy.all(scale):
        raise Refused(f"{path}: its scaler's mean and scale do not fit each other")
    return lambda rows: [float(w) for w in numpy.ravel(predict((numpy.array(rows) - mean) / scale))]


def _load_onnx(path: pathlib.Path, data: bytes, scaler: Optional[Mapping[str, Any]], listed: Optional[List[str]]) -> Zone:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    inputs = session.get_inputs()
    kinds = {"tensor(float)": numpy.float32, "tensor(double)": numpy.float64}
    if any(i.type not in kinds for i in inputs):
        raise Refused(f"{path}: an input is neither float nor double")
    columns = len(inputs) > 1 or inputs[0].shape[-1] == 1

    def predict(rows: Any) -> Any:
        if columns:
            fed = {i.name: rows[:, k:k + 1].astype(kinds[i.type]) for k, i in enumerate(inputs)}
        else:
            fed = {inputs[0].name: rows.astype(kinds[inputs[0].type])}
        return session.run([session.get_outputs()[0].name], fed)[0]

    names = _names(path, [i.name for i in inputs] if columns else None, listed)
    return Zone("onnx", names, _scaled(path, scaler, predict))


def _load_xgboost(path: pathlib.Path, data: bytes, scaler: Optional[Mapping[str, Any]],
                  listed: Optional[List[str]]) -> Zone:
    import xgboost

    booster = xgboost.Booster({"nthread": 1})
    booster.load_model(bytearray(data))
    names = _names(path, booster.feature_names, listed)

    def predict(rows: Any) -> Any:
        return booster.inplace_predict(rows.astype(numpy.float32), validate_features=False)

    return Zone("xgboost", names, _scaled(path, scaler, predict))


def _load_pickle(path: pathlib.Path, data: bytes, scaler: Optional[bytes], listed: Optional[List[str]],
                 warn: Callable[[str], None]) -> Zone:
    warn(f"{path}: a pickle is a program; it runs in a sandbox, but ONNX is safer and faster")
    try:
        model = SandboxedModel(data, scaler)
    except RuntimeError as e:
        raise Refused(f"{path}: {e}") from None
    for what in model.missing:
        warn(f"{path}: its sandbox has {what}")
    try:
        return Zone("sklearn", _names(path, model.features, listed), model.predict, model.close)
    except Refused:
        model.close()
        raise


class Loader:
    """Loads folders for a server that trusts some keys and, only if told so, pickles."""

    def __init__(self, trust: Trust, allow_pickle: bool, warn: Callable[[str], None]) -> None:
        self.trust, self.allow_pickle, self.warn = trust, allow_pickle, warn

    def _optional(self, path: pathlib.Path) -> Any:
        if not path.exists():
            return None
        try:
            return json.loads(self.trust.read(path))
        except ValueError:
            raise Refused(f"{path}: not JSON") from None

    def _pickled(self, path: pathlib.Path) -> bytes:
        if not self.allow_pickle:
            raise Refused(f"{path}: a pickle can run any program: convert it to ONNX, or say --allow-pickle")
        return self.trust.read(path)

    def _zone(self, folder: pathlib.Path, zone: str, listed: Optional[List[str]]) -> Optional[Zone]:
        scaler = self._optional(folder / f"{zone}_scaler.json")
        for end, load in (("onnx", _load_onnx), ("json", _load_xgboost), ("ubj", _load_xgboost)):
            path = folder / f"{zone}_model.{end}"
            if not path.exists():
                continue
            data = self.trust.read(path)
            try:
                return load(path, data, scaler, listed)
            except ImportError as e:
                raise Refused(f"{path}: {e.name} is not installed: pip install 'vmwatts-bridge[{e.name}]'") from None
            except Refused:
                raise
            except Exception as e:
                raise Refused(f"{path}: {type(e).__name__}: {str(e)[:200]}") from None
        path = folder / f"{zone}_model.pkl"
        if not path.exists():
            return None
        own, common = folder / f"{zone}_scaler.pkl", folder / "scaler.pkl"
        scale = next((self._pickled(p) for p in (own, common) if p.exists()), None)
        return _load_pickle(path, self._pickled(path), scale, listed, self.warn)

    def load(self, folder: pathlib.Path) -> Models:
        listed = self._optional(folder / "features.json")
        card = self._optional(folder / "card.json") or {}
        if listed is not None and not (isinstance(listed, list) and all(isinstance(n, str) for n in listed)):
            raise Refused(f"{folder / 'features.json'}: not a list of names")
        if not isinstance(card, dict):
            raise Refused(f"{folder / 'card.json'}: not an object")
        confidence = card.get("confidence", {})
        if not isinstance(confidence, dict) or not all(isinstance(c, (int, float)) and 0 <= c <= 1 for c in confidence.values()):
            raise Refused(f"{folder / 'card.json'}: confidence: zones and numbers from 0 to 1 are expected")
        zones: Dict[str, Zone] = {}
        try:
            for name in ZONES:
                zone = self._zone(folder, name, listed)
                if zone:
                    zones[name] = zone
        except Refused:
            Models(zones).close()
            raise
        if not zones:
            raise Refused(f"{folder}: no ZONE_model.onnx, .json, .ubj or .pkl there")
        return Models(zones, str(card.get("name", "bridge")), str(card.get("version", "0")), str(card.get("scope", "vm_active")),
                      {z: float(c) for z, c in confidence.items()}, time.time())
