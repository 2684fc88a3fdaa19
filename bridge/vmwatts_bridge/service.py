# SPDX-License-Identifier: Apache-2.0
"""The proposal's service over a folder of models: messages and methods of proto/power_estimation.proto."""
import pathlib
import threading
from typing import Any, Iterator, List

import grpc

from vmwatts_bridge import power_estimation_pb2 as messages
from vmwatts_bridge.models import Loader, Models
from vmwatts_bridge.trust import Refused

BATCH_ROWS_MAX = 10_000


class Service:
    """Answers by the models that are loaded now; a reload that is refused leaves them."""

    def __init__(self, loader: Loader, folders: List[pathlib.Path], version: str, rows_at_a_time: int) -> None:
        self.loader, self.version = loader, version
        self.folders = [f.resolve() for f in folders]
        self.models: Models = loader.load(self.folders[0])
        self._reload = threading.Lock()
        self._turn = threading.BoundedSemaphore(rows_at_a_time)

    def _answer(self, models: Models, request: Any, context: Any) -> Any:
        try:
            with self._turn:
                watts = models.estimate(dict(request.features))
        except RuntimeError as e:
            context.abort(grpc.StatusCode.INTERNAL, str(e))
        if not watts:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT,
                          "no zone has all its features: " + ", ".join(sorted({f for z in models.zones.values() for f in z.features})))
        return messages.EstimationResponse(
            zone_watts=watts, confidence=min(models.confidence.get(z, 0.0) for z in watts), model_version=models.version,
            model_name=models.name, scope=models.scope)

    def estimate(self, request: Any, context: Any) -> Any:
        return self._answer(self.models, request, context)

    def batch(self, request: Any, context: Any) -> Any:
        models = self.models
        if len(request.rows) > BATCH_ROWS_MAX:
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, f"at most {BATCH_ROWS_MAX} rows a call")
        return messages.BatchResponse(rows=[self._answer(models, row, context) for row in request.rows])

    def stream(self, requests: Iterator[Any], context: Any) -> Iterator[Any]:
        for request in requests:
            yield self._answer(self.models, request, context)

    def load(self, request: Any, context: Any) -> Any:
        folder = pathlib.Path(request.model_directory).resolve()
        if folder not in self.folders:
            context.abort(grpc.StatusCode.PERMISSION_DENIED, "not a folder that this server was started with (--models)")
        with self._reload:
            try:
                new = self.loader.load(folder)
            except (Refused, OSError) as e:
                return messages.LoadModelsResponse(success=False, message=str(e))
            self.models = new  # the one before goes when the last call that holds it ends
        return messages.LoadModelsResponse(success=True, model_name=new.name, model_version=new.version)

    def info(self, request: Any, context: Any) -> Any:
        m = self.models
        return messages.ModelInfoResponse(
            model_name=m.name, model_version=m.version, scope=m.scope, provenance="trained", server_version=self.version,
            loaded_unix_s=m.loaded_s, features=sorted({f for z in m.zones.values() for f in z.features}),
            runtime="+".join(sorted({z.runtime for z in m.zones.values()})),
            zones=[messages.ZoneInfo(zone=name, model=zone.runtime) for name, zone in m.zones.items()])

    def handler(self) -> Any:
        def unary(method: Any, request: Any, response: Any) -> Any:
            return grpc.unary_unary_rpc_method_handler(method, request.FromString, response.SerializeToString)

        return grpc.method_handlers_generic_handler("PowerEstimationService", {
            "EstimatePower": unary(self.estimate, messages.EstimationRequest, messages.EstimationResponse),
            "EstimateBatch": unary(self.batch, messages.BatchRequest, messages.BatchResponse),
            "EstimateStream": grpc.stream_stream_rpc_method_handler(
                self.stream, messages.EstimationRequest.FromString, messages.EstimationResponse.SerializeToString),
            "LoadModels": unary(self.load, messages.LoadModelsRequest, messages.LoadModelsResponse),
            "GetModelInfo": unary(self.info, messages.Empty, messages.ModelInfoResponse),
        })
