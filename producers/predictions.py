"""The client that an application embeds to ask for predictions over HTTP, while the customer is on the phone."""

import json
import math
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from itertools import islice
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
import msgspec

from producers.errors import PredictionError, PredictionsUnavailableError, RequestRefusedError
from schemas.errors import InvalidRecordError, decoded
from schemas.http import BatchItem, Explanation, ProblemDetails
from schemas.scores import Score

ROWS_AT_ONCE = 1_000  # in one request: the API takes 10,000 and 4 MB, unless it is told otherwise
_USUAL_WAIT_S, _LEAST_WAIT_S = 1.0, 0.1
_AGAIN = {429, 503}  # asked too often; not now

_score = msgspec.json.Decoder(Score).decode
_explanation = msgspec.json.Decoder(Explanation).decode
_item = msgspec.json.Decoder(BatchItem).decode
_problem = msgspec.json.Decoder(ProblemDetails).decode
_T = TypeVar("_T")


class ChurnPredictions:
    """Asks how likely customers are to leave, and why.

        with ChurnPredictions("https://churn.example", key) as predictions:
            score = predictions.predict("1234")

    `key` is one of `churn key`. Connections are kept; threads may share the client. While the API answers that it
    cannot, or that it is asked too often, it is asked again as soon as it says, for `timeout_s` in all. After that, or
    when it is silent for so long, or not there, `PredictionsUnavailableError` is raised; `RequestRefusedError` when it
    does not answer such a request. httpx logs the address of each request at level INFO, with the customer's id in it.
    """

    def __init__(self, url: str, key: str | None = None, *, timeout_s: float = 5.0) -> None:
        self._timeout_s = timeout_s
        self._http = httpx.Client(base_url=checked(url), headers=asking(key))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def predict(self, customer: str, at: datetime | None = None) -> Score:
        """The customer's score as of now, or of `at` with its UTC offset; that of a stranger is `could-not-compute`."""
        return self._one(_score, "GET", "/predict", params=_asked(customer, at))

    def explain(self, customer: str, at: datetime | None = None) -> Explanation:
        """The same with every feature's part in it, and what would change it; the key needs the scope `explain`."""
        return self._one(_explanation, "GET", "/explain", params=_asked(customer, at))

    def predict_features(self, features: Mapping[str, float]) -> Score:
        """The score of features that you state, by name; what is absent is defaulted, and flagged so."""
        headers = {"content-type": "application/json"}
        return self._one(_score, "POST", "/predict", content=_json(features), headers=headers)

    def predict_many(self, rows: Iterable[Mapping[str, Any]]) -> Iterator[BatchItem]:
        """The answers to rows, in their order, each as it comes; what is wrong with a row stands in its answer.

        A row is `{"customer": "1234"}`, if need be with `at`, or `{"features": {…}}`. There may be any number.
        """
        waiting, first = iter(rows), 0
        headers = {"content-type": "application/x-ndjson"}
        while lines := [_json(row) for row in islice(waiting, ROWS_AT_ONCE)]:
            answered = 0
            with self._answer("POST", "/predict/batch", content=b"\n".join(lines), headers=headers) as response:
                for line in _lines(response.iter_bytes()):
                    item = self._decoded(_item, line)
                    yield msgspec.structs.replace(item, row=first + item.row)
                    answered += 1
            if answered != len(lines):
                raise PredictionsUnavailableError(f"{self._where}: {answered} answers to {len(lines)} rows")
            first += answered

    @property
    def _where(self) -> str:
        return str(self._http.base_url)

    def _one(self, decode: Callable[[bytes], _T], method: str, path: str, **request: Any) -> _T:
        with self._answer(method, path, **request) as response:
            return self._decoded(decode, response.read())

    @contextmanager
    def _answer(self, method: str, path: str, **request: Any) -> Iterator[httpx.Response]:
        """A good answer, still to be read; raises `PredictionError`, also for what goes wrong while it is read."""
        deadline_s = time.monotonic() + self._timeout_s
        left_s = self._timeout_s
        refusal: PredictionError | None = None
        try:
            while True:
                with self._http.stream(method, path, timeout=left_s, **request) as response:
                    if response.status_code == httpx.codes.OK:
                        yield response
                        return
                    refusal = self._refusal(response)
                wait_s = _wait_s(response)
                left_s = deadline_s - time.monotonic() - wait_s
                if left_s <= 0:
                    raise refusal
                time.sleep(wait_s)
        except httpx.TimeoutException:
            silent = PredictionsUnavailableError(f"{self._where}: no answer within {self._timeout_s:g} s")
            raise refusal or silent from None
        except httpx.HTTPError as error:
            raise PredictionsUnavailableError(f"{self._where}: {str(error) or type(error).__name__}") from None
        except (httpx.InvalidURL, UnicodeError) as error:
            raise RequestRefusedError(f"{method} {path} cannot be sent: {error}") from None

    def _refusal(self, response: httpx.Response) -> PredictionError:
        """The error that an answer other than a good one stands for."""
        code = response.status_code
        kind = PredictionsUnavailableError if code >= 500 or code in _AGAIN else RequestRefusedError
        try:
            problem = decoded(_problem, response.read())
        except InvalidRecordError:
            return kind(f"{self._where}: HTTP {code} {response.reason_phrase}, and not in the words of this API")
        return kind(problem.detail if problem.errors else f"{problem.title}: {problem.detail}", problem)

    def _decoded(self, decode: Callable[[bytes], _T], body: bytes) -> _T:
        try:
            return decoded(decode, body)
        except InvalidRecordError as error:
            raise PredictionsUnavailableError(f"{self._where}: the answer is not of this API: {error}") from None


def asking(key: str | None) -> dict[str, str]:
    """The headers of somebody with `key` who takes JSON; raises `RequestRefusedError` when it cannot be sent."""
    headers = {"accept": "application/json"}
    if key is not None:
        # Checked here, because the error of a header that cannot be sent quotes it.
        if not re.fullmatch(r"[!-~]+", key):
            raise RequestRefusedError("the key cannot be sent; expected what `churn key` prints")
        headers["authorization"] = f"Bearer {key}"
    return headers


def checked(url: str) -> str:
    """`url`, unless nothing can be asked there or it has a password in it, which errors would show."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        parsed = httpx.URL()
    if not (parsed.scheme in {"http", "https"} and parsed.host and (parsed.port or 0) < 65_536) or parsed.userinfo:
        raise RequestRefusedError("the address is none; expected http://host:port, without user and password")
    return url


def _asked(customer: str, at: datetime | None) -> dict[str, str]:
    return {"customer": customer} | ({"at": at.isoformat()} if at else {})


def _json(content: Mapping[str, Any]) -> bytes:
    """`content` in one line; raises `RequestRefusedError`, also for NaN and infinity, which JSON does not have."""
    try:
        return json.dumps(content, allow_nan=False, default=_text).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise RequestRefusedError(f"what is asked cannot be JSON: {error}") from None


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is not known there")


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """What stands between the line feeds; what comes behind the last one was cut off, and is no answer."""
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines


def _wait_s(response: httpx.Response) -> float:
    """How long to wait before asking again; for ever where that makes no sense or the answer names a date."""
    if response.status_code not in _AGAIN:
        return math.inf
    said = response.headers.get("retry-after", str(_USUAL_WAIT_S))
    try:
        return max(float(said), _LEAST_WAIT_S)
    except ValueError:
        return math.inf
