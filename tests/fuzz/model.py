"""A model that reads every feature, made by hand, so that no feature goes unread."""

from datetime import UTC, datetime

from model.artifact import Artifact, FeatureCurve, Manifest, Metrics, feature_hash
from model.decision import Costs, Decision
from model.features import FEATURES
from model.reference import FeatureReference, Reference
from model.scoring import Scorer
from schemas.telemetry import SCORE_EDGES

NOW = datetime(2026, 6, 30, 9, 30, tzinfo=UTC)
ARTIFACT = Artifact(
    Manifest(
        name="by-hand",
        version="1",
        trained_at=NOW,
        features=[feature.name for feature in FEATURES],
        left_out=[],
        feature_hash=feature_hash(FEATURES),
        sklearn_version="none",
        data_name="none",
        data_sha256="",
        customers=0,
        leavers=0,
        penalty_c=1.0,
        training_metrics=Metrics(0, 0.0, 0.0, 0.0, 0.0, 0.0),
    ),
    baseline=-1.0,
    curves=[
        FeatureCurve(knots=[0.0, 1.0, feature.high + 1], coefficients=[[0.5, 0.0], [0.0, 0.5]], center=0.1)
        for feature in FEATURES
    ],
    reference=Reference(
        {feature.name: FeatureReference([0.5, feature.high], [1, 2, 3, 0]) for feature in FEATURES},
        [1] * (len(SCORE_EDGES) + 1),
    ),
)
DECISION = Decision(Costs(500, 40, 2, 30, 0.3, 0.5))
SCORER = Scorer(ARTIFACT, DECISION)
