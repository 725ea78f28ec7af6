"""`/predict`, `/predict/batch` and `/customers/{id}/features`."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import msgspec

from model.features import FEATURES
from model.fold import counted_ms
from model.scoring import feature_values
from model.vector import Vectorizer
from schemas.cloudevents import CUSTOMER_ID, CustomerId, Time, from_ms
from schemas.http import BatchItem, CustomerFeatures
from schemas.scores import Score
from workers.api.batches import Answer, Answering, ByCustomer, ByFeatures
from workers.api.bodies import decode_body
from workers.api.messages import JSON, NDJSON, Request, Response, answer, encode
from workers.api.problems import ApiError, invalid, missing, unknown
from workers.api.routes import Body, Parameter, Route

ROWS_AT_ONCE = 100  # so that a batch leaves room for those who ask for one
_T = TypeVar("_T")

CUSTOMER = Parameter("customer", CustomerId, CUSTOMER_ID, required=True, example="1234")
AT = Parameter(
    "at", Time, "a time such as 2026-03-01T12:00:00Z, not before the customer's newest event",
)  # fmt: skip
ALIAS = "customer_id"

if TYPE_CHECKING:

    class GivenFeatures(msgspec.Struct):
        """Made below, from the declarations."""

else:
    GivenFeatures = msgspec.defstruct(
        "GivenFeatures",
        [
            (
                f.name,
                Annotated[float, msgspec.Meta(ge=f.low, le=f.high, description=f"{f.about} ({f.unit})")] | None,
                None,
            )
            for f in FEATURES
        ],
        forbid_unknown_fields=True,
        frozen=True,
        namespace={
            "__doc__": "The features that the caller knows, by name; what is absent is defaulted and flagged so."
        },
    )


class Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One row of a batch: a customer by id, as of `at` or of now, or features. One of the two."""

    customer: CustomerId | msgspec.UnsetType = msgspec.UNSET
    at: Time | msgspec.UnsetType = msgspec.UNSET
    features: GivenFeatures | msgspec.UnsetType = msgspec.UNSET

    def __post_init__(self) -> None:
        """Refuse a row of both or neither."""
        by_id = self.customer is not msgspec.UNSET
        if by_id == (self.features is not msgspec.UNSET) or (self.at is not msgspec.UNSET and not by_id):
            raise ValueError("either customer, with or without at, or features")


decode_features = msgspec.json.Decoder(GivenFeatures).decode
decode_row = msgspec.json.Decoder(Row).decode
decode_rows = msgspec.json.Decoder(list[Row]).decode


def asked_for(request: Request) -> tuple[str, int | None]:
    """The customer and the moment in the query; raises `ApiError`."""
    query = request.query()
    if ALIAS in query:
        if CUSTOMER.name in query:
            raise invalid(ALIAS, query[ALIAS], f"either {CUSTOMER.name} or {ALIAS}")
        query[CUSTOMER.name] = query.pop(ALIAS)
    known = {parameter.name: parameter for parameter in (CUSTOMER, AT)}
    for name, value in query.items():
        if name not in known:
            raise unknown(name, value, f"there are {', '.join(known)}")
    if CUSTOMER.name not in query:
        raise missing(CUSTOMER.name, CUSTOMER.expected)
    at = AT.parse(query[AT.name]) if AT.name in query else None
    return CUSTOMER.parse(query[CUSTOMER.name]), None if at is None else counted_ms(at)


def stated(features: msgspec.Struct) -> dict[str, float]:
    """What the caller has said of the features."""
    return {name: value for name, value in msgspec.structs.asdict(features).items() if value is not None}


class Predict:
    """The handlers; `batch_rows` is the most that a batch may have."""

    def __init__(self, answering: Answering, batch_rows: int) -> None:
        self._answering, self._batch_rows = answering, batch_rows
        self._vectorizer = Vectorizer(FEATURES)
        self._names = [f.name for f in FEATURES]

    def routes(self) -> list[Route]:
        """What is answered here."""
        return [
            Route(
                "GET", "/predict", self.by_customer, "predict", "How likely a customer is to leave, and why",
                Score, parameters=(CUSTOMER, AT), problems=("before-newest-event", "unavailable"), example=_SCORED,
                description="The same answer as on the topic churn.scores, as of now or of `at`. A customer of whom "
                "nothing is known is answered too: `could-not-compute`, `unknown-customer`. `customer_id` is another "
                "name of `customer`.",
            ),
            Route(
                "POST", "/predict", self.by_features, "predict", "The same for features that you state", Score,
                body=Body(GivenFeatures, {
                    "three features": {"tenure": 1.7, "spend": 1257, "calls": 3},
                    "a long-standing customer who complained": {"tenure": 38, "spend": 120.5, "complaints": 1},
                }), example=_SCORED,
                description="What is not stated is defaulted, and named in `flags` where that matters. Without "
                "`tenure`, which has no default, the answer is `could-not-compute`.",
            ),
            Route(
                "POST", "/predict/batch", self.batch, "predict", "Many at once", list[BatchItem],
                body=Body(list[Row], {
                    "by id and by features": [{"customer": "1234"}, {"features": {"tenure": 1.7}}],
                }, (JSON, NDJSON)), media=(JSON, NDJSON), problems=("unavailable",),
                description="An array, or one row a line (application/x-ndjson), which is answered line by line while "
                f"the rest is still being computed. At most {self._batch_rows:,} rows. In an array a row that is not "
                "as expected fails the whole; of lines only its own.",
            ),
            Route(
                "GET", "/customers/{id}/features", self.customer_features, "predict",
                "Everything that is known of a customer", CustomerFeatures, problems=("unavailable",),
                parameters=(CUSTOMER._replace(name="id", place="path"),),
                description="Every feature with its age and freshness as of now, used by the model or not.",
            ),
        ]  # fmt: skip

    async def by_customer(self, request: Request) -> Response:
        """GET /predict."""
        customer, at_ms = asked_for(request)
        return answer((await self._answering.customers.ask(ByCustomer(customer, at_ms, request.id))).score)

    async def by_features(self, request: Request) -> Response:
        """POST /predict."""
        features = stated(decode_body(decode_features, await request.body()))
        return answer((await self._answering.features.ask(ByFeatures(features, request.id))).score)

    async def batch(self, request: Request) -> Response:
        """POST /predict/batch."""
        if request.content_type(JSON, NDJSON) == JSON:
            rows = decode_body(decode_rows, await request.body())
            self._limit(len(rows))
            return answer([item async for item in self._items(rows, request.id)])
        lines = (await request.body(NDJSON)).splitlines()
        self._limit(len(lines))
        return Response(200, self._lines(lines, request.id), NDJSON)

    async def customer_features(self, request: Request) -> Response:
        """GET /customers/{id}/features."""
        customer = CUSTOMER._replace(name="id").parse(request.path["id"])
        (state,) = await self._answering.states([customer])
        reading = self._answering.reading(self._vectorizer, state, None)
        (cells,) = feature_values(self._names, self._vectorizer.matrix([reading]))
        return answer(CustomerFeatures(customer, from_ms(int(reading[0])), cells))

    def _limit(self, rows: int) -> None:
        if rows > self._batch_rows:
            raise invalid("$", f"{rows:,} rows", f"at most {self._batch_rows:,} rows")

    async def _lines(self, lines: Sequence[bytes], request_id: str) -> AsyncIterator[bytes]:
        rows = (_row(line) for line in lines)
        async for item in self._items(rows, request_id):
            yield encode(item) + b"\n"

    async def _items(self, rows: Iterable[Row | ApiError], request_id: str) -> AsyncIterator[BatchItem]:
        """The answers in order, some at a time."""
        number = 0
        for some in _in_turn(rows, ROWS_AT_ONCE):
            for item in await asyncio.gather(
                *[self._item(n, row, request_id) for n, row in enumerate(some, start=number)]
            ):
                yield item
            number += len(some)

    async def _item(self, number: int, row: Row | ApiError, request_id: str) -> BatchItem:
        customer = None if isinstance(row, ApiError) or not isinstance(row.customer, str) else row.customer
        try:
            found = await self._asked(row, request_id)
        except ApiError as error:
            return BatchItem(number, customer, problem=error.details(request_id))
        return BatchItem(number, customer, found.score)

    async def _asked(self, row: Row | ApiError, request_id: str) -> Answer:
        if isinstance(row, ApiError):
            raise row
        if isinstance(row.features, msgspec.Struct):
            return await self._answering.features.ask(ByFeatures(stated(row.features), request_id))
        at_ms = counted_ms(row.at) if isinstance(row.at, datetime) else None
        return await self._answering.customers.ask(ByCustomer(str(row.customer), at_ms, request_id))


def _row(line: bytes) -> Row | ApiError:
    try:
        return decode_body(decode_row, line)
    except ApiError as error:
        return error


def _in_turn(items: Iterable[_T], size: int) -> Iterator[list[_T]]:
    iterator = iter(items)
    while some := list(islice(iterator, size)):
        yield some


_SCORED: dict[str, Any] = {
    "status": "scored",
    "probability": 0.62,
    "band": "high",
    "action": "hand-to-retention",
    "reasons": [
        {
            "feature": "complaints",
            "value": 1.0,
            "contribution": 2.4,
            "text": "You complained 1 time in the last 9 months.",
        }
    ],
    "features": {"complaints": {"value": 1.0, "age_s": 86_400, "freshness": "fresh"}},
    "flags": [],
    "model": {"name": "churn-splines", "version": "20260301T120000Z"},
    "event_id": "4e0c7c1a-9a55-4d1c-8a34-0b8a1a3e8a10",
    "as_of": "2026-03-01T12:00:00Z",
    "scored_at": "2026-03-01T12:00:00Z",
    "problem": None,
}
