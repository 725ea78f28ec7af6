"""A trained model on disk: numbers in JSON with a manifest. Opening one runs no code of its own."""

import hashlib
import json
import os
from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from model.curves import Curves
from model.declaration import Feature
from model.features import FEATURES
from model.reference import Reference
from schemas.errors import InvalidRecordError, decoded

FORMAT = 1
MOST_LOG_ODDS = 1e6  # far beyond any model, and far from infinite
_T = TypeVar("_T")
_BY_NAME = {feature.name: feature for feature in FEATURES}


class ModelError(Exception):
    """A model that must not be used; the message names the file and says what is wrong with it."""


class FeatureCurve(msgspec.Struct, frozen=True):
    """A feature's part of the logit: a polynomial between every two knots, level outside, less its mean `center`.

    `coefficients[i]` belong to [knots[i], knots[i + 1]], highest power of (x - knots[i]) first.
    """

    knots: Annotated[list[float], msgspec.Meta(min_length=2)]
    coefficients: Annotated[list[list[float]], msgspec.Meta(min_length=1)]
    center: float

    def __post_init__(self) -> None:
        """Refuse what is no such polynomial."""
        if any(left >= right for left, right in pairwise(self.knots)):
            raise ValueError("Expected ascending knots")
        lengths = {len(row) for row in self.coefficients}
        if len(self.coefficients) != len(self.knots) - 1 or len(lengths) != 1 or 0 in lengths:
            raise ValueError("Expected as many coefficients between every two knots")

    @property
    def reach(self) -> float:
        """A bound of what `at` can come to; infinite or NaN where it might overflow."""
        most = 0.0
        for row, (left, right) in zip(self.coefficients, pairwise(self.knots), strict=True):
            bound = 0.0
            for coefficient in row:
                bound = bound * (right - left) + abs(coefficient)
            most = bound if not bound <= most else most  # so written, it keeps nan
        return most + abs(self.center)

    def at(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """The contribution, in log-odds, of values of shape (n,)."""
        return Curves([self]).at(values[:, np.newaxis])[:, 0]


class Metrics(msgspec.Struct, frozen=True):
    """Metrics of n probabilities; `ece` is the expected calibration error over ten equal bins."""

    customers: int
    churn_rate: float
    roc_auc: float
    log_loss: float
    brier: float
    ece: float


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a model is and where it comes from."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    version: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9-]{1,64}$(?!\n)")]
    trained_at: datetime
    features: Annotated[list[str], msgspec.Meta(min_length=1)]
    left_out: list[str]
    feature_hash: str
    sklearn_version: str
    data_name: str
    data_sha256: str
    customers: int
    leavers: int
    penalty_c: float
    training_metrics: Metrics
    parameters_sha256: str = ""
    format: int = FORMAT


class _Parameters(msgspec.Struct, frozen=True):
    baseline: float
    curves: list[FeatureCurve]
    reference: Reference = Reference()


class Artifact(msgspec.Struct, frozen=True):
    """A model: its manifest, the mean logit of its training customers, a curve for each of its features.

    `reference` is what it saw in training.
    """

    manifest: Manifest
    baseline: float
    curves: list[FeatureCurve]
    reference: Reference = Reference()

    @property
    def features(self) -> list[Feature]:
        """The declarations of the inputs, in order."""
        return [_BY_NAME[name] for name in self.manifest.features]


def feature_hash(features: Sequence[Feature]) -> str:
    """A hash of all that the values of `features` depend on."""
    return hashlib.sha256(json.dumps([f.computing() for f in features]).encode()).hexdigest()[:16]


def save(artifact: Artifact, models: Path) -> Path:
    """Write the artifact to the folder `models`/<version>, whole or not at all, and return that folder."""
    parameters = msgspec.json.encode(_Parameters(artifact.baseline, artifact.curves, artifact.reference))
    manifest = msgspec.structs.replace(artifact.manifest, parameters_sha256=hashlib.sha256(parameters).hexdigest())
    folder = models / manifest.version
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / "parameters.json", parameters)
    write_whole(folder / "manifest.json", msgspec.json.format(msgspec.json.encode(manifest), indent=2))
    return folder


def load(folder: Path) -> Artifact:
    """Read and check a model; raises `ModelError` when it is absent, damaged, newer, or of other features."""
    manifest = _decoded(folder / "manifest.json", _read(folder / "manifest.json"), Manifest)
    if manifest.format != FORMAT:
        raise ModelError(f"{folder}: model format {manifest.format}, this program reads {FORMAT}")
    raw = _read(folder / "parameters.json")
    if hashlib.sha256(raw).hexdigest() != manifest.parameters_sha256:
        raise ModelError(f"{folder}/parameters.json: its sha256 is not the one in the manifest")
    parameters = _decoded(folder / "parameters.json", raw, _Parameters)
    unknown = [name for name in manifest.features if name not in _BY_NAME]
    if unknown or feature_hash([_BY_NAME[name] for name in manifest.features]) != manifest.feature_hash:
        raise ModelError(f"{folder}: trained on features that are declared otherwise here; retrain it")
    if len(parameters.curves) != len(manifest.features):
        raise ModelError(f"{folder}: {len(parameters.curves)} curves for {len(manifest.features)} features")
    if (referred := parameters.reference.features) and referred.keys() != set(manifest.features):
        raise ModelError(f"{folder}: its reference is of other features than the model; expected the same")
    if not abs(parameters.baseline) + sum(curve.reach for curve in parameters.curves) <= MOST_LOG_ODDS:
        raise ModelError(f"{folder}: a score may be more than {MOST_LOG_ODDS:,.0f} log-odds; expected a few")
    return Artifact(manifest, parameters.baseline, parameters.curves, parameters.reference)


def newest(models: Path) -> Path:
    """The folder of the newest version in `models`; raises `ModelError` when there is none."""
    versions = sorted(path.parent for path in models.glob("*/manifest.json"))
    if not versions:
        raise ModelError(f"{models}: no model here; expected <version>/manifest.json (see `churn model train`)")
    return versions[-1]


def write_whole(path: Path, data: bytes) -> None:
    """Write `data` to `path` so that a reader, or a crash, sees the old file or the new one and nothing between."""
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror}") from None


def _decoded(path: Path, raw: bytes, kind: type[_T]) -> _T:
    try:
        return decoded(msgspec.json.Decoder(kind).decode, raw)
    except InvalidRecordError as error:
        raise ModelError(f"{path}: {error}") from None
