"""Micro-batches: what is asked while one batch is answered is the next. Nobody waits for a batch to fill.

One read of Redis, one matrix and one pass of the model serve all requests that are in flight together; a request that
is alone starts at once.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Generic, NamedTuple, Protocol, TypeVar

from model.scoring import Question, Scorer
from model.state import CustomerState, DamagedStateError
from model.vector import Reading, Vectorizer, given
from schemas.cloudevents import from_ms
from schemas.partitioning import partition_of
from schemas.scores import Problem, Score
from workers.api.models import Models
from workers.api.problems import ApiError, unavailable
from workers.store import FeatureStore, StoreUnavailableError

MOST = 256
RETRY_AFTER_S = 1

_Ask = TypeVar("_Ask")


class Answer(NamedTuple):
    """A score and the scorer that made it."""

    score: Score
    scorer: Scorer


class ByCustomer(NamedTuple):
    """Ask for a customer's score as of `at_ms`, or as of now."""

    customer: str
    at_ms: int | None
    request_id: str


class ByFeatures(NamedTuple):
    """Ask for the score of features that the caller states."""

    features: Mapping[str, float]
    request_id: str


Work = Callable[[Sequence[_Ask]], Awaitable[Sequence[Answer | Exception]]]


class Batches(Generic[_Ask]):
    """Hands everything that waits to `work`, in turn; `work` gives an answer, or an error in its place, for each."""

    def __init__(self, work: Work[_Ask]) -> None:
        self._work = work
        self._waiting: list[tuple[_Ask, asyncio.Future[Answer]]] = []
        self._running: asyncio.Task[None] | None = None

    async def ask(self, ask: _Ask) -> Answer:
        """The answer; raises what stands in its place."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Answer] = loop.create_future()
        self._waiting.append((ask, future))
        if self._running is None:
            self._running = loop.create_task(self._run())
        return await future

    async def _run(self) -> None:
        while self._waiting:
            batch = self._waiting[:MOST]
            del self._waiting[:MOST]
            results = await self._results([ask for ask, _ in batch])
            for (_, future), result in zip(batch, results, strict=True):
                if future.done():  # whoever asked has gone away
                    continue
                if isinstance(result, Exception):
                    future.set_exception(result)
                else:
                    future.set_result(result)
        self._running = None

    async def _results(self, asks: Sequence[_Ask]) -> Sequence[Answer | Exception]:
        try:
            return await self._work(asks)
        except Exception as error:  # noqa: BLE001 - raised again where each of them is answered
            return [error] * len(asks)


class AnswerCounts(Protocol):
    """Where answers are counted."""

    def answered(self, scorer: Scorer, scores: Sequence[Score]) -> None:
        """Count answers of one moment."""

    def trouble(self, what: str) -> None:
        """Count that a service, such as "redis", did not answer."""


class Uncounted:
    """Counts nothing."""

    def answered(self, scorer: Scorer, scores: Sequence[Score]) -> None:
        """Forget it."""

    def trouble(self, what: str) -> None:
        """Forget it."""


class Answering:
    """Scores customers by id, from the feature store, and by features, without it."""

    def __init__(
        self, store: FeatureStore, models: Models, *, partitions: int, clock_ms: Callable[[], int],
        counts: AnswerCounts | None = None,
    ) -> None:  # fmt: skip
        self._store, self._models = store, models
        self._counts = counts or Uncounted()
        self._partitions, self._clock_ms = partitions, clock_ms
        self._reader = ThreadPoolExecutor(1, "redis")
        self.customers = Batches[ByCustomer](self._by_customer)
        self.features = Batches[ByFeatures](self._by_features)

    async def states(self, customers: Sequence[str]) -> list[CustomerState | DamagedStateError | None]:
        """What is known of each customer; raises `ApiError` while Redis is away."""
        places = [(partition_of(customer, self._partitions), customer) for customer in customers]
        try:
            return await asyncio.get_running_loop().run_in_executor(self._reader, self._store.states, places)
        except StoreUnavailableError as error:
            self._counts.trouble("redis")
            raise unavailable(str(error), RETRY_AFTER_S) from None

    def reading(
        self, vectorizer: Vectorizer, state: CustomerState | DamagedStateError | None, at_ms: int | None
    ) -> Reading:
        """What is known of a customer as of a moment, or of now; raises `ApiError`."""
        try:
            if isinstance(state, DamagedStateError):
                raise state
            known = state or CustomerState.new()
            return vectorizer.read(known, self._moment_ms(known, at_ms))
        except DamagedStateError as error:
            raise unavailable(f"the customer's features are damaged: {error}", RETRY_AFTER_S) from None

    def _moment_ms(self, state: CustomerState, at_ms: int | None) -> int:
        if at_ms is None:
            return max(self._clock_ms(), state.newest_ms)
        if at_ms < state.newest_ms:
            newest = from_ms(state.newest_ms).isoformat()
            raise ApiError("before-newest-event", f"at is {from_ms(at_ms).isoformat()}; expected {newest} or later")
        return at_ms

    async def _by_customer(self, asks: Sequence[ByCustomer]) -> Sequence[Answer | Exception]:
        states = await self.states([ask.customer for ask in asks])
        scorer = self._models.scorer
        results: list[Answer | Exception | None] = [None] * len(asks)
        asked: list[int] = []
        questions: list[Question] = []
        for i, (ask, state) in enumerate(zip(asks, states, strict=True)):
            try:
                questions.append(Question(self.reading(scorer.vectorizer, state, ask.at_ms), ask.request_id))
                asked.append(i)
            except ApiError as error:
                results[i] = error
        scores = scorer.answer(questions, self._now())
        self._counts.answered(scorer, scores)
        for i, score in zip(asked, scores, strict=True):
            results[i] = Answer(score, scorer)
        return [result for result in results if result]

    async def _by_features(self, asks: Sequence[ByFeatures]) -> Sequence[Answer]:
        scorer = self._models.scorer
        now_ms = self._clock_ms()
        questions = [Question((now_ms,), ask.request_id, _missing(ask.features, scorer)) for ask in asks]
        matrix = given(scorer.features, [ask.features for ask in asks])
        scores = scorer.answer_given(matrix, questions, self._now())
        self._counts.answered(scorer, scores)
        return [Answer(score, scorer) for score in scores]

    def _now(self) -> datetime:
        return from_ms(self._clock_ms())


def _missing(features: Mapping[str, float], scorer: Scorer) -> Problem | None:
    """The problem of a feature that the model cannot do without and nobody stated."""
    for f in scorer.features:
        if f.default is None and f.policy == "refuse" and f.name not in features:
            return Problem("feature-missing", f"{f.name} was not given, and has no default")
    return None
