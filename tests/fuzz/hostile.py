"""Pieces that break decoders: numbers, strings, ids and times in JSON, and values in msgpack."""

import msgspec

from model.state import LATEST_MS, SUM_LIMIT, WIDTH, Past

DEPTH = 100_000
LONG = 1_000_000

NUMBERS = [
    b"NaN", b"-NaN", b"Infinity", b"-Infinity", b"1e999", b"-1e999", b"1e-999", b"1.7976931348623157e308", b"5e-324",
    b"-0", b"-0.0", b"-1", b"01", b"1.", b".5", b"0x1F", b"1_000", b"1e9", b"1000000000.0000001", b"9007199254740993",
    b"9223372036854775807", b"9223372036854775808", b"-9223372036854775809", b"18446744073709551616",
    b"1" * 310, b"9" * 4000, b"9" * 5000, b"0." + b"3" * 5000, b"1" + b"0" * 5000 + b".5",
]  # fmt: skip
OTHERS = [b"null", b"true", b"[]", b"{}", b"[{}]", b"[" * 50, b'{"a":' * 50, b"\x00", b"\xef\xbb\xbf", b"\r\n", b"//"]
STRINGS = [
    b'""', b'" "', b'"\\u0000"', b'"\x00"', b'"\\ud800"', b'"\\udfff\\ud800"', b'"\xed\xa0\x80"', b'"\xff"', b'"\xc3"',
    b'"\\x"', b'"\\ud83d\\ude00"', '"😀"'.encode(), b'"\\r\\n"', b'"a\r\nb"', b'"' + b"x" * 201 + b'"',
]  # fmt: skip
IDS = [
    b'"1234\\n"', b'"1234\\r\\nX: y"', b'"-5"', b'"0"', b'"27.5"', b'"1' + b"0" * 30 + b'"', b'"*"', b'"{0}"',
    b'"../../etc/passwd"', "\"１２３４\"".encode(), "\"12З4\"".encode(), "\"\u202e4321\"".encode(),
    "\"1234\u200b\"".encode(), b'"' + b"1" * 65 + b'"', b'"' + b"1" * 10_000 + b'"', b"1234", b"-5",
]  # fmt: skip
TIMES = [
    f'"{time}"'.encode()
    for time in (
        "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+23:59", "1969-12-31T23:59:59.999Z", "1970-01-01T00:00:00Z",
        "2100-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59-23:59", "2026-06-30T24:00:00Z",
        "2026-06-30T23:59:60Z", "2026-02-30T00:00:00Z", "2026-06-30T09:30:00", "2026-06-30", "0000-01-01T00:00:00Z",
        "2026-06-30T09:30:00.123456789Z", "10000-01-01T00:00:00Z", "2026-06-30T09:30:00+24:00",
    )
]  # fmt: skip
TWICE = [b'"a":1,"a":2,', b'"data":{},', b'"subject":"other",', b'"type":"call.started",', b'"type":1,']

JSON = [*NUMBERS, *OTHERS, *STRINGS, *IDS, *TIMES, *TWICE]
HUGE_JSON = [
    b"[" * DEPTH,
    b"[" * DEPTH + b"]" * DEPTH,
    b'{"a":' * DEPTH,
    b'{"a":' * DEPTH + b"1" + b"}" * DEPTH,
    b'"' + b"x" * LONG + b'"',
    b'"' + b"\\u0000" * (LONG // 6) + b'"',
    b'"' + "😀".encode() * (LONG // 4) + b'"',
    b"9" * LONG,
    b" " * LONG,
    b"0," * (LONG // 2),
]

_packed = msgspec.msgpack.encode
PASTS = [
    Past([], [1]),
    Past([5], []),
    Past([5, 4], [0] * 2 * WIDTH),
    Past([5, 5], [1] * 2 * WIDTH),
    Past([-5, 5], [1] * 2 * WIDTH),
    Past([2**62], [1] * WIDTH),
    Past([5], [-1] * WIDTH),
    Past([5], [SUM_LIMIT + 1] * WIDTH),
    Past([5], [2**64 - 1] * WIDTH),
    Past([5], [SUM_LIMIT] * WIDTH),
    Past(list(range(20_000, 20_400)), [SUM_LIMIT] * 400 * WIDTH),
]
_VALUES: list[object] = [
    None, True, 0, -1, 1.5, -0.0, float("nan"), float("inf"), -float("inf"), 5e-324, 1.79e308, 1e9, 1e9 + 1,
    SUM_LIMIT, SUM_LIMIT + 1, LATEST_MS, LATEST_MS + 1, 2**63 - 1, 2**63, 2**64 - 1, -(2**63), "", "x", b"", b"x" * 64,
    b"x" * 65, [], [0], [[]], {}, {"a": 1}, *map(_packed, PASTS),
]  # fmt: skip
_BYTES = [
    b"\xc1", b"\xa2\xff\xfe", b"\xca\x7f\xc0\x00\x00", b"\xdc\xff\xff", b"\xdd\xff\xff\xff\xff",
    b"\xdf\xff\xff\xff\xff", b"\xc6\xff\xff\xff\xff", b"\xdb\xff\xff\xff\xff", b"\xd6\xff\x00\x00\x00\x00",
    b"\xc7\x0c\xff" + b"\xff" * 12, b"\x91" * 50, b"\x81\xa1a" * 50,
]  # fmt: skip
MSGPACK = [*map(_packed, _VALUES), *_BYTES]
HUGE_MSGPACK = [
    b"\x91" * DEPTH,
    b"\x91" * DEPTH + b"\xc0",
    b"\x81\xa1a" * DEPTH,
    _packed(b"\x91" * DEPTH),
    _packed(b"\x92\x90\x90" + b"\x91" * DEPTH),
    _packed(b"x" * LONG),
    _packed("x" * LONG),
    _packed([0] * LONG),
]
