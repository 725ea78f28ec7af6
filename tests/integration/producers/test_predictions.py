"""The client for predictions, asking a real `churn api` with a real Redis behind it."""

import threading
import time
from datetime import timedelta
from typing import Any

import pytest

from churn.stack.redis import LocalRedis
from producers.errors import PredictionsUnavailableError, RequestRefusedError
from producers.predictions import ROWS_AT_ONCE, ChurnPredictions
from schemas.cloudevents import from_ms
from schemas.http import FieldError
from tests.integration.api import ApiProcess
from tests.integration.api_fixtures import StartApi, api, api_redis, start_api
from tests.unit.model.test_state import NOW
from workers.api.keys import new_key

__all__ = ["api", "api_redis", "start_api"]  # fixtures that are used here too

LATER = NOW + timedelta(days=30)


def test_customers_and_features_are_scored(api: ApiProcess) -> None:
    """A customer has the score that the features behind it have; a stranger has none, and that is no error."""
    with ChurnPredictions(api.url) as predictions:
        score = predictions.predict("c7", LATER)
        assert (score.status, score.as_of) == ("scored", LATER)
        features = {name: value.value for name, value in score.features.items() if value.value is not None}
        assert predictions.predict_features(features).probability == score.probability
        assert predictions.predict("c7").as_of > LATER
        stranger = predictions.predict("c99")
    assert stranger.problem is not None
    assert (stranger.status, stranger.problem.code) == ("could-not-compute", "unknown-customer")


def test_explanation_adds_up(api: ApiProcess) -> None:
    """An explanation is that of the score, with a part for each feature that the model reads."""
    with ChurnPredictions(api.url) as predictions:
        explanation = predictions.explain("c7", LATER)
        score = predictions.predict("c7", LATER)
    assert explanation.score.probability == score.probability
    assert {part.feature for part in explanation.parts} == {*score.features}


def test_many_rows_are_answered_in_order(api: ApiProcess) -> None:
    """More rows than one request takes have answers with their own numbers; a wrong one has a problem."""
    rows: list[dict[str, Any]] = [{"customer": f"c{i % 20}", "at": LATER} for i in range(ROWS_AT_ONCE)]
    rows += [{"customer": "\u2028"}, {"features": {"tenure": 1.7}}, {"features": {"tenure": 1.7}, "at": LATER}]
    with ChurnPredictions(api.url) as predictions:
        items = list(predictions.predict_many(rows))
        assert [item.row for item in items] == [*range(len(rows))]
        assert all(
            item.score and item.customer == row["customer"] for item, row in zip(items, rows[:1000], strict=False)
        )
        wrong, good, both = items[-3:]
        assert wrong.problem is not None
        assert [(error.field, error.value) for error in wrong.problem.errors] == [("$.customer", "\u2028")]
        assert good.score is not None
        assert both.problem is not None
        assert list(predictions.predict_many([])) == []
        abandoned = predictions.predict_many(rows)
        assert next(abandoned).row == 0
        abandoned.close()  # type: ignore[attr-defined]  # it is a generator
        assert predictions.predict("c1", LATER).status == "scored"


def test_refused_request_says_field_value_and_expected(api: ApiProcess) -> None:
    """What is wrong with a request is in the one line of the error, and as problem details beside it."""
    with ChurnPredictions(api.url) as predictions:
        with pytest.raises(RequestRefusedError, match=r'^customer is "-1"; expected 1 to 64 letters') as caught:
            predictions.predict("-1")
        assert caught.value.problem is not None
        assert caught.value.problem.status == 422
        (error,) = caught.value.problem.errors
        assert (error.field, error.value) == ("customer", "-1")
        with pytest.raises(RequestRefusedError, match="later moment: at is 1970-01-01T00:00:00") as early:
            predictions.predict("c7", from_ms(0))
        assert early.value.problem is not None
        assert early.value.problem.status == 409
        with pytest.raises(RequestRefusedError, match=r"^at is .*; expected a time such as"):
            predictions.predict("c7", LATER.replace(tzinfo=None))
        with pytest.raises(RequestRefusedError) as unknown:
            predictions.predict_features({"tenor": 1.7})
        assert unknown.value.problem is not None
        assert unknown.value.problem.errors == [FieldError("$.tenor", 1.7, "the fields are in /docs")]


def test_key_is_needed_and_never_shown(start_api: StartApi) -> None:
    """Without the right key and scope there is no answer, and no error shows the key."""
    key, line = new_key("crm", ["predict"])
    other, _ = new_key("crm", ["predict"])
    api = start_api(CHURN_API_KEYS=line)
    with ChurnPredictions(api.url, key) as predictions:
        assert predictions.predict("c7").status == "scored"
        with pytest.raises(RequestRefusedError, match="the key of crm has no scope explain") as without_scope:
            predictions.explain("c7")
        shown = f"{predictions!r} {vars(predictions)} {without_scope.value!r}"
    with ChurnPredictions(api.url, other) as predictions, pytest.raises(RequestRefusedError) as wrong:
        predictions.predict("c7")
    assert wrong.value.problem is not None
    assert wrong.value.problem.status == 401
    assert key not in shown
    assert other not in repr(wrong.value)


def test_client_that_asks_too_often_waits(start_api: StartApi) -> None:
    """After 429 the client waits as long as it is told; when that is longer than its time-out, it says so at once."""
    api = start_api(CHURN_API_RATE_PER_S="0.5")
    with ChurnPredictions(api.url) as predictions:
        predictions.predict("c7")
        start_s = time.monotonic()
        predictions.predict("c7")
        assert time.monotonic() - start_s >= 1
    with ChurnPredictions(api.url, timeout_s=0.9) as hasty:
        with pytest.raises(PredictionsUnavailableError, match=r"asks too often: again in \d s") as caught:
            hasty.predict("c7")
        assert caught.value.problem is not None
        assert caught.value.problem.status == 429


def test_redis_that_is_silent_for_a_while_is_waited_for(start_api: StartApi, api_redis: LocalRedis) -> None:
    """The client asks again when Retry-After says so, not sooner; it gives up after its time-out, not later."""
    api = start_api()
    api_redis.process.pause()
    try:
        start_s = time.monotonic()
        with ChurnPredictions(api.url, timeout_s=1.5) as hasty:
            with pytest.raises(PredictionsUnavailableError, match="cannot be read right now: Redis: ") as caught:
                hasty.predict("c7")
            assert time.monotonic() - start_s < 3
            assert caught.value.problem is not None
            assert caught.value.problem.status == 503
        refused = api.log.read_text().count("status=503")
        timer = threading.Timer(2.5, api_redis.process.resume)
        timer.start()
        start_s = time.monotonic()
        with ChurnPredictions(api.url, timeout_s=30) as patient:
            assert patient.predict("c7").status == "scored"
        assert time.monotonic() - start_s >= 2.5
        assert 1 <= api.log.read_text().count("status=503") - refused <= 3
        timer.join()
    finally:
        api_redis.process.resume()


def test_api_that_is_not_there_is_one_line(start_api: StartApi) -> None:
    """Nobody at the address is told at once; when an API is back there, the same client goes on."""
    api = start_api()
    with ChurnPredictions(api.url) as predictions:
        assert predictions.predict("c7").status == "scored"
        assert api.stop() == 0
        with pytest.raises(PredictionsUnavailableError, match=rf"^{api.url}: \[Errno 111\] Connection refused$"):
            predictions.predict("c7")
        again = start_api(port=api.port)
        assert again.url == api.url
        assert predictions.predict("c7").status == "scored"
