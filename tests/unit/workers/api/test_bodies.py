"""Bodies: whatever the bytes are, a struct or a problem that says what is wrong."""

from contextlib import suppress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.hostile import HUGE_JSON, JSON
from workers.api.bodies import decode_body
from workers.api.oip import decode_infer
from workers.api.predict import Row, decode_features, decode_row, decode_rows, stated
from workers.api.problems import ApiError

DECODERS = [decode_features, decode_row, decode_rows, decode_infer]
_PIECES = st.sampled_from(
    [*JSON, b'{"tenure":', b'{"customer":', b'{"inputs":[{"name":"features","data":', b"}", b"]", b","]
)
_NAMES = st.sampled_from(["tenure", "customer", "at", "features", "inputs"]) | st.text()
_NUMBERS = st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
_JSON = st.recursive(
    st.none() | st.booleans() | _NUMBERS | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(_NAMES, inner),
)


def tried(raw: bytes) -> None:
    """Every decoder gives a struct, or the one error that is declared, short and whole."""
    for decode in DECODERS:
        with suppress(ApiError):
            decode_body(decode, raw)
            continue
        with pytest.raises(ApiError) as caught:
            decode_body(decode, raw)
        assert caught.value.kind in {"invalid", "not-json"}
        assert len(msgspec.json.encode(caught.value.details("r"))) < 3000


@given(st.lists(_PIECES | st.binary(max_size=20), max_size=8).map(b"".join))
def test_bytes(raw: bytes) -> None:
    """Pieces of JSON in any order, and what is no JSON at all."""
    tried(raw)


@given(_JSON)
def test_json_of_any_shape(value: object) -> None:
    """JSON that is not what was asked for."""
    tried(msgspec.json.encode(value))


@pytest.mark.parametrize("number", range(len(HUGE_JSON)))
def test_huge_json(number: int) -> None:
    """A hundred thousand levels, a megabyte of digits."""
    tried(HUGE_JSON[number])


@given(st.dictionaries(st.sampled_from(["tenure", "spend", "calls"]), st.floats(0, 600) | st.none()))
def test_what_is_stated_is_what_was_sent(features: dict[str, float | None]) -> None:
    """To the last bit; null is as good as absent."""
    decoded = decode_body(decode_features, msgspec.json.encode(features))
    assert stated(decoded) == {name: value for name, value in features.items() if value is not None}


@pytest.mark.parametrize(
    ("raw", "field", "said"),
    [
        (b'[{"customer":"1"},{"customer":"-"}]', "$[1].customer", '$[1].customer is "-"; expected 1 to 64 letters'),
        (b'[{"customer":null}]', "$[0].customer", "$[0].customer is null; expected str"),
        (b'[{"customer":"1","x":{}}]', "$[0].x", "$[0].x is not known here"),
        (b'[{"customer":"1","features":{}}]', "$[0]", "expected either customer, with or without at, or features"),
        (b'[{"features":{"a b":1}}]', "$[0].features.a b", "$[0].features.a b is not known here"),
    ],
)
def test_problem_names_the_place(raw: bytes, field: str, said: str) -> None:
    """The row, the field, what was there."""
    with pytest.raises(ApiError) as caught:
        decode_body(decode_rows, raw)
    assert caught.value.errors[0].field == field
    assert said in caught.value.detail


def test_missing_field_is_named() -> None:
    """One that has no default."""
    with pytest.raises(ApiError, match=r"\$\.inputs is missing; expected a value"):
        decode_body(decode_infer, b"{}")


def test_row_is_by_id_or_by_features() -> None:
    """Never both, never neither, and a moment only with an id."""
    assert isinstance(decode_row(b'{"customer":"1","at":"2026-01-01T00:00:00Z"}'), Row)
    for raw in (b"{}", b'{"customer":"1","features":{}}', b'{"features":{},"at":"2026-01-01T00:00:00Z"}'):
        with pytest.raises(msgspec.ValidationError, match="either customer"):
            decode_row(raw)
