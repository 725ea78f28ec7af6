"""Stream, HTTP by id and HTTP by features: one answer, to the last bit, for every customer of the bundled set."""

from pathlib import Path

import httpx
import msgspec
import pytest

from churn.stack.record import Stack
from producers.datasets import IRANIAN_FILE, load
from schemas.http import BatchItem
from schemas.scores import Score, decode_score
from schemas.topics import SCORES
from tests.conftest import Churn
from tests.integration.api import ApiProcess, with_key
from tests.integration.worker import Worker, read


@pytest.mark.usefixtures("topics", "redis")
def test_every_customer_has_one_answer(churn: Churn, environment: dict[str, str], stack: Stack, tmp_path: Path) -> None:
    """The last streamed score of each, asked for again as of its moment, and again with its own features."""
    dataset = load(IRANIAN_FILE)
    environment, headers = with_key(environment, "predict")
    assert churn("model", "train", "iranian", environment=environment).returncode == 0
    worker = Worker(environment, tmp_path / "worker.log")
    api = ApiProcess(environment, tmp_path / "api.log")
    try:
        assert churn("replay", "iranian", environment=environment, timeout_s=120).returncode == 0
        streamed: dict[str, Score] = {}
        for message in read(stack.kafka.address, SCORES, least=len(dataset.events), timeout_s=120):
            scored = decode_score(message.value() or b"")
            streamed[scored.subject] = scored.data
        assert len(streamed) == len(dataset.outcomes)
        api.wait()
        by_id = ask(api, headers, [{"customer": c, "at": score.as_of} for c, score in streamed.items()])
        by_features = ask(
            api, headers,
            [{"features": {n: cell.value for n, cell in score.features.items()}} for score in streamed.values()],
        )  # fmt: skip
        assert worker.stop() == 0
    finally:
        api.end()
    for streamed_score, one, other in zip(streamed.values(), by_id, by_features, strict=True):
        assert msgspec.structs.replace(one, event_id="", scored_at=one.as_of) == msgspec.structs.replace(
            streamed_score, event_id="", scored_at=one.as_of
        )
        assert (other.probability, other.reasons, other.band, other.action) == (
            one.probability, one.reasons, one.band, one.action,
        )  # fmt: skip


def ask(api: ApiProcess, headers: dict[str, str], rows: list[dict[str, object]]) -> list[Score]:
    """The scores of `rows`, in order."""
    body = b"\n".join(msgspec.json.encode(row) for row in rows)
    kind = {"Content-Type": "application/x-ndjson"}
    response = httpx.post(f"{api.url}/predict/batch", content=body, headers=headers | kind, timeout=60)
    items = [msgspec.json.decode(line, type=BatchItem) for line in response.content.splitlines()]
    return [item.score for item in items if item.score]
