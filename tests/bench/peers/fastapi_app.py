"""The job of GET /predict on FastAPI and uvicorn, written as their documentation shows: features from Redis, a score, reasons.

`uvicorn fastapi_app:app`. Reads REDIS_URL and PEER_MODEL, a folder with `pipeline.joblib` (scikit-learn) and `features.json`,
the names of its inputs; with PEER_CURVES=1 the score is made by the model code of this repository, one customer at a time.
Needs: fastapi, uvicorn, redis[hiredis], scikit-learn, numpy, msgspec.
"""
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import joblib
import numpy as np
from fastapi import FastAPI, Query
from pydantic import BaseModel
from redis.asyncio import Redis

FOLDER = Path(os.environ["PEER_MODEL"])
FEATURES = json.loads((FOLDER / "features.json").read_text())
pipeline = joblib.load(FOLDER / "pipeline.joblib")
splines, scaler, regression = pipeline
PARTS = [splines.output_indices_[name] for name, _, _ in splines.transformers_]

if os.environ.get("PEER_CURVES"):
    from model.artifact import load
    from model.decision import Costs, Decision
    from model.scoring import Question, Scorer
    from model.vector import given

    scorer = Scorer(load(next((FOLDER.parent / "models").iterdir())), Decision(Costs(500, 40, 2, 30, 0.3, 0.5)))
else:
    scorer = None

app = FastAPI()
redis = Redis.from_url(os.environ["REDIS_URL"], decode_responses=True)


class Reason(BaseModel):
    feature: str
    value: float
    contribution: float


class Score(BaseModel):
    customer: str
    probability: float
    reasons: list[Reason]


def by_pipeline(values: list[float]) -> tuple[float, list[float]]:
    row = np.array([values])
    probability = pipeline.predict_proba(row)[0, 1]
    parts = scaler.transform(splines.transform(row))[0] * regression.coef_[0]
    return float(probability), [float(parts[columns].sum()) for columns in PARTS]


@app.get("/predict")
async def predict(customer: Annotated[str, Query(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@:-]{0,63}$")]) -> Score:
    values = [float(value) for value in await redis.hmget(f"peer:{customer}", FEATURES)]
    if scorer:
        now = datetime.now(UTC)
        stated = dict(zip(FEATURES, values))
        question = Question((int(now.timestamp() * 1000),), "1")
        (score,) = scorer.answer_given(given(scorer.features, [stated]), [question], now)
        reasons = [Reason(feature=r.feature, value=r.value, contribution=r.contribution) for r in score.reasons]
        return Score(customer=customer, probability=score.probability, reasons=reasons)
    probability, parts = by_pipeline(values)
    best = sorted(range(len(parts)), key=lambda j: -abs(parts[j]))[:4]
    reasons = [Reason(feature=FEATURES[j], value=values[j], contribution=parts[j]) for j in best]
    return Score(customer=customer, probability=probability, reasons=reasons)
