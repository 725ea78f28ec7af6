"""Dead letters as people and programs see them; nothing that a stranger wrote reaches a terminal as it is."""

import json
from base64 import b64encode
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from rich.table import Table
from rich.text import Text

from schemas.cloudevents import from_ms
from workers.letters import DeadLetter, Status

SHOWN_BYTES = 4000
_LAST_MS = 253_402_300_799_999  # of the year 9999


def safe(text: str) -> str:
    """`text` with escapes for what a terminal would act upon or hide."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def safe_bytes(data: bytes) -> str:
    """The text that `data` is, with escapes also for what is not UTF-8."""
    return safe(data.decode("utf-8", "backslashreplace"))


def as_json(content: object) -> str:
    """One line of plain ASCII."""
    return json.dumps(content, ensure_ascii=True)


def summary(letter: DeadLetter, status: Status) -> dict[str, Any]:
    """What `list` says of a letter."""
    added = letter.added
    return {
        "place": str(letter.place),
        "status": status,
        "at": _when(letter).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "error_class": letter.error_class,
        "error_message": _message(letter),
        "topic": added and added.topic,
        "partition": added and int(added.partition),
        "offset": added and int(added.offset),
        "schema_version": added and added.schema_version,
        "bytes": letter.size,
    }


def contents(letter: DeadLetter) -> dict[str, Any]:
    """The original headers, key and value; an object says whether it has a text or, where that is none, base64."""
    headers = [{"name": name, "value": _exact(value)} for name, value in letter.headers]
    return {"headers": headers, "key": _exact(letter.key), "value": _exact(letter.value)}


def table(rows: Iterable[Iterable[Text]], *, with_status: bool) -> Table:
    """The table of letters whose cells are `rows`."""
    result = Table(box=None, pad_edge=False)
    for name in ("place", *(["status"] if with_status else []), "when (UTC)", "from", "error class"):
        result.add_column(name, no_wrap=True)
    result.add_column("bytes", justify="right", no_wrap=True)
    result.add_column("message", overflow="fold")
    for cells in rows:
        result.add_row(*cells)
    return result


def row(letter: DeadLetter, status: Status, *, with_status: bool) -> list[Text]:
    """The cells of a letter in the table."""
    cells = [
        str(letter.place),
        *([status] if with_status else []),
        f"{_when(letter):%F %T}",
        f"{letter.added.partition}:{letter.added.offset}" if letter.added else "?",
        letter.error_class,
        f"{letter.size:,}",
        safe(_message(letter)),
    ]
    return [Text(cell) for cell in cells]


def page(letter: DeadLetter, status: Status) -> Iterator[str]:
    """The lines of `show`; the value comes last, and line by line, so that it can pass for nothing else."""
    yield f"dead letter {letter.place}, {status}"
    yield f"when         {_when(letter):%F %T} UTC"
    yield f"error class  {letter.error_class}"
    yield f"message      {safe(_message(letter))}"
    if letter.added:
        yield f"from         {safe(letter.added.topic)} {letter.added.partition}:{letter.added.offset}"
    for name, value in letter.headers:
        yield f"header       {safe(name)}: {_short(value)}"
    yield f"key          {_short(letter.key)}"
    if letter.value is None:
        yield "value        none"
        return
    yield f"value        {len(letter.value):,} bytes"
    for line in letter.value[:SHOWN_BYTES].split(b"\n"):
        yield f"  {safe_bytes(line)}"
    if len(letter.value) > SHOWN_BYTES:
        yield f"cut after {SHOWN_BYTES:,} of {len(letter.value):,} bytes; --json has them all"


def _when(letter: DeadLetter) -> datetime:
    return from_ms(min(letter.timestamp_ms, _LAST_MS))


def _message(letter: DeadLetter) -> str:
    return letter.added.error_message if letter.added else "its headers are not those of a dead letter"


def _short(data: bytes | None) -> str:
    if data is None:
        return "none"
    more = f" … ({len(data):,} bytes)" if len(data) > SHOWN_BYTES else ""
    return safe_bytes(data[:SHOWN_BYTES]) + more


def _exact(data: bytes | None) -> dict[str, str] | None:
    if data is None:
        return None
    try:
        return {"text": data.decode()}
    except UnicodeDecodeError:
        return {"base64": b64encode(data).decode()}
