"""The Open Inference Protocol, version 2, over HTTP: for tools that know how to ask any model.

One input tensor, `features`, of shape [rows, inputs] with the inputs in the order that the metadata gives; two
outputs, `probability` of shape [rows] and `contributions` of shape [rows, inputs] in log-odds. The same numbers as
everywhere else, without reasons and freshness.
"""

from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from workers.api.bodies import decode_body
from workers.api.health import HealthChecks
from workers.api.messages import Request, Response, answer
from workers.api.models import Models
from workers.api.problems import ApiError, invalid
from workers.api.routes import Body, Parameter, Route

PLATFORM = "churn_curves"
Number = Annotated[float, msgspec.Meta(ge=-1e9, le=1e9)]
_NAME = Parameter("name", str, "the name of the model", place="path", required=True, example="churn-splines")


class ServerMetadata(msgspec.Struct, frozen=True):
    """What the server is."""

    name: str
    version: str
    extensions: list[str]


class Live(msgspec.Struct, frozen=True):
    """Whether the server lives."""

    live: bool


class Ready(msgspec.Struct, frozen=True):
    """Whether the server, or a model, is ready."""

    ready: bool


class TensorMetadata(msgspec.Struct, frozen=True):
    """A tensor that goes in or comes out; -1 in a shape is any number."""

    name: str
    datatype: str
    shape: list[int]


class ModelMetadata(msgspec.Struct, frozen=True):
    """What the model takes and gives; `parameters` has the names of the inputs, in order."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]
    parameters: dict[str, list[str]]


class InputTensor(msgspec.Struct, frozen=True):
    """A tensor of numbers; `data` may be flat or nested, row by row."""

    name: Literal["features"]
    shape: Annotated[list[Annotated[int, msgspec.Meta(ge=1)]], msgspec.Meta(min_length=2, max_length=2)]
    datatype: Literal["FP64", "FP32", "INT64", "INT32"]
    data: list[Number | list[Number]]
    parameters: dict[str, Any] | None = None


class RequestedOutput(msgspec.Struct, frozen=True):
    """A tensor that is wanted."""

    name: Literal["probability", "contributions"]
    parameters: dict[str, Any] | None = None


class InferRequest(msgspec.Struct, frozen=True):
    """Rows to be scored."""

    inputs: Annotated[list[InputTensor], msgspec.Meta(min_length=1, max_length=1)]
    id: Annotated[str, msgspec.Meta(max_length=200)] | None = None
    outputs: list[RequestedOutput] | None = None
    parameters: dict[str, Any] | None = None


class OutputTensor(msgspec.Struct, frozen=True):
    """A tensor of numbers, flat."""

    name: str
    shape: list[int]
    datatype: str
    data: list[float]


class InferResponse(msgspec.Struct, frozen=True):
    """The outputs, in the order that they were asked for."""

    model_name: str
    model_version: str
    id: str
    outputs: list[OutputTensor]


decode_infer = msgspec.json.Decoder(InferRequest).decode


class OpenInference:
    """The handlers; `rows` is the most that a request may have."""

    def __init__(self, models: Models, health: HealthChecks, version: str, rows: int) -> None:
        self._models, self._health, self._version, self._rows = models, health, version, rows

    def routes(self) -> list[Route]:
        """What is answered here."""
        row = [f.low if f.default is None else f.default for f in self._models.scorer.features]
        tensor = {"name": "features", "shape": [1, len(row)], "datatype": "FP64", "data": row}
        return [
            Route("GET", "/v2", self.server, None, "What the server is", ServerMetadata),
            Route("GET", "/v2/health/live", self.live, None, "Whether the server lives", Live),
            Route("GET", "/v2/health/ready", self.ready, None, "Whether the server can answer", Ready,
                  problems=("unavailable",)),
            Route("GET", "/v2/models/{name}", self.model, "predict", "What a model takes and gives", ModelMetadata,
                  parameters=(_NAME,), problems=("not-found",)),
            Route("GET", "/v2/models/{name}/ready", self.model_ready, "predict", "Whether a model is loaded", Ready,
                  parameters=(_NAME,), problems=("not-found",)),
            Route("POST", "/v2/models/{name}/infer", self.infer, "predict", "Score rows of numbers", InferResponse,
                  parameters=(_NAME,), problems=("not-found",),
                  body=Body(InferRequest, {"one row": {"inputs": [tensor]}}),
                  description="Rows have as many numbers as the model has inputs, in the order of its metadata."),
        ]  # fmt: skip

    async def server(self, _: Request) -> Response:
        """GET /v2."""
        return answer(ServerMetadata("churn", self._version, []))

    async def live(self, _: Request) -> Response:
        """GET /v2/health/live."""
        return answer(Live(live=True))

    async def ready(self, _: Request) -> Response:
        """GET /v2/health/ready."""
        await self._health.check()
        return answer(Ready(ready=True))

    async def model(self, request: Request) -> Response:
        """GET /v2/models/{name}."""
        manifest = self._named(request)
        width = len(manifest.features)
        return answer(
            ModelMetadata(
                manifest.name,
                [manifest.version],
                PLATFORM,
                [TensorMetadata("features", "FP64", [-1, width])],
                [
                    TensorMetadata("probability", "FP64", [-1]),
                    TensorMetadata("contributions", "FP64", [-1, width]),
                ],
                {"features": manifest.features},
            )
        )

    async def model_ready(self, request: Request) -> Response:
        """GET /v2/models/{name}/ready."""
        self._named(request)
        return answer(Ready(ready=True))

    async def infer(self, request: Request) -> Response:
        """POST /v2/models/{name}/infer."""
        manifest = self._named(request)
        asked = decode_body(decode_infer, await request.body())
        scorer = self._models.scorer
        rows = self._matrix(asked.inputs[0], len(scorer.features))
        for i, j in np.argwhere(scorer.outside(rows)).tolist():
            f = scorer.features[j]
            raise invalid(f"$.inputs[0].data, row {i}, {f.name}", float(rows[i, j]), f"{f.low:g} to {f.high:g}")
        scored = scorer.evaluate(rows)
        tensors = {"probability": scored.probabilities, "contributions": scored.contributions}
        wanted: list[str] = [output.name for output in asked.outputs or ()]
        return answer(
            InferResponse(
                manifest.name,
                manifest.version,
                asked.id or request.id,
                [
                    OutputTensor(name, [*tensors[name].shape], "FP64", np.ravel(tensors[name]).tolist())
                    for name in wanted or tensors
                ],
            )
        )

    def _matrix(self, tensor: InputTensor, width: int) -> NDArray[np.float64]:
        count, inputs = tensor.shape
        if inputs != width or count > self._rows:
            raise invalid("$.inputs[0].shape", tensor.shape, f"[rows, {width}], at most {self._rows:,} rows")
        flat = [x for item in tensor.data for x in (item if isinstance(item, list) else [item])]
        if len(flat) != count * width:
            raise invalid("$.inputs[0].data", f"{len(flat)} numbers", f"{count * width} numbers")
        return np.array(flat, dtype=np.float64).reshape(count, width)

    def _named(self, request: Request) -> Any:
        manifest = self._models.scorer.artifact.manifest
        if request.path["name"] != manifest.name:
            raise ApiError("not-found", f"there is no model of that name; expected {manifest.name}")
        return manifest
