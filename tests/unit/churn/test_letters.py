"""Dead letters as they are shown: exact for programs, harmless for terminals."""

import base64
import json

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from churn import letters as shown
from schemas.deadletters import DeadLetterHeaders, Place
from workers.letters import DeadLetter
from workers.scoring.records import LARGEST_BYTES

ADDED = DeadLetterHeaders("invalid", "wrong \x1b[31m[red]\u202e", "customer.events", "3", "17")
LETTER = DeadLetter(Place(0, 7), 1_782_907_200_123, b"c1", b"{}", [("trace", b"t"), ("none", None)], ADDED)


def changed(**values: object) -> DeadLetter:
    """The letter with other values."""
    return msgspec.structs.replace(LETTER, **values)


@given(st.binary() | st.text().map(str.encode))
def test_nothing_hostile_reaches_the_terminal(data: bytes) -> None:
    """Whatever the bytes, the lines for people are printable, and the line for programs is plain ASCII."""
    name = data.decode("utf-8", "replace")
    letter = changed(key=data, value=data, headers=[(name, data)], added=msgspec.structs.replace(ADDED, topic=name))
    assert all(line.isprintable() for line in shown.page(letter, "open"))
    line = shown.as_json(shown.summary(letter, "open") | shown.contents(letter))
    assert line.isascii()
    assert line.isprintable()


@given(st.binary() | st.text().map(str.encode) | st.none())
def test_json_is_exact(data: bytes | None) -> None:
    """A program gets back the very bytes: a text where they are one, else base64, and null where there are none."""
    content = json.loads(shown.as_json(shown.contents(changed(key=data, value=data, headers=[("h", data)]))))
    assert content["key"] == content["value"] == content["headers"][0]["value"]
    if data is None:
        assert content["key"] is None
    elif "text" in content["key"]:
        assert content["key"]["text"].encode() == data
    else:
        assert base64.b64decode(content["key"]["base64"]) == data


def test_summary_says_where_from_and_why() -> None:
    """The line for programs has the place, the status, the time, the reason, and where the record was."""
    expected = {"place": "0:7", "status": "dropped", "at": "2026-07-01T12:00:00.123Z", "error_class": "invalid",
                "error_message": ADDED.error_message, "topic": "customer.events", "partition": 3, "offset": 17,
                "schema_version": "1.0.0", "bytes": 4}  # fmt: skip
    assert shown.summary(LETTER, "dropped") == expected
    foreign = shown.summary(changed(added=None, key=None, value=None), "open")
    assert (foreign["error_class"], foreign["partition"], foreign["bytes"]) == ("unknown", None, 0)


def test_page_of_a_letter() -> None:
    """Every header has its line, and the value comes last, line by line."""
    assert list(shown.page(changed(value=b'{"a":\r\n\t1}'), "open")) == [
        "dead letter 0:7, open",
        "when         2026-07-01 12:00:00 UTC",
        "error class  invalid",
        r"message      wrong \x1b[31m[red]\u202e",
        "from         customer.events 3:17",
        "header       trace: t",
        "header       none: none",
        "key          c1",
        "value        10 bytes",
        r'  {"a":\r',
        r"  \t1}",
    ]
    foreign = list(shown.page(changed(added=None, key=None, value=None, headers=[]), "open"))
    assert foreign[2:] == [
        "error class  unknown",
        "message      its headers are not those of a dead letter",
        "key          none",
        "value        none",
    ]


def test_long_ones_are_cut() -> None:
    """A long value or key is cut, which is said, and a clock gone mad is no reason to fail."""
    lines = list(shown.page(changed(key=b"k" * 5000, value=b"x" * LARGEST_BYTES, timestamp_ms=10**17), "open"))
    assert lines[1] == "when         9999-12-31 23:59:59 UTC"
    assert lines[-4] == f"key          {'k' * 4000} … (5,000 bytes)"
    assert lines[-3:] == [
        "value        1,048,588 bytes",
        f"  {'x' * 4000}",
        "cut after 4,000 of 1,048,588 bytes; --json has them all",
    ]
    assert not any("cut" in line for line in shown.page(changed(value=b"x" * 4000), "open"))


def test_table_has_a_row_for_each() -> None:
    """The table has the cells, with the status where it is wanted, and takes no markup from strangers."""
    rows = [
        shown.row(LETTER, "replayed", with_status=True),
        shown.row(changed(added=None), "open", with_status=True),
    ]
    console = Console(width=160)
    with console.capture() as capture:
        console.print(shown.table(rows, with_status=True))
    head, first, second = (line.rstrip() for line in capture.get().splitlines())
    assert head.split("  ")[:2] == ["place", "status"]
    assert first == r"0:7    replayed  2026-07-01 12:00:00  3:17  invalid          4  wrong \x1b[31m[red]\u202e"
    assert second.split()[4:6] == ["?", "unknown"]
    assert len(shown.row(LETTER, "open", with_status=False)) == 6
