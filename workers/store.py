"""The feature store: each customer's state in Redis, and how far each partition of the log has been applied to it.

The log decides and Redis follows. Every write names the applied offset that the writer read before; if another writer,
or a Redis that lost data, has changed it since, the write is refused and nothing happens. So a reader that finds the
applied offset it expects also finds exactly the states that belong to it.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

from redis import Redis, RedisCluster, RedisError
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as AwayError
from redis.exceptions import OutOfMemoryError, ReadOnlyError, RedisClusterException
from redis.exceptions import TimeoutError as SlowError
from redis.retry import Retry

from model.state import LAYOUT, CustomerState, DamagedStateError, decode_state, encode_state
from workers.keys import applied_key, customer_key

# KEYS: applied offset, states. ARGV: applied offset expected ('' for none) and new, seconds to live, states.
# A SET with EX for each key costs 2.7 us; MSET and then EXPIRE costs 2.5 us and a second loop.
_WRITE = """
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
for i = 2, #KEYS do redis.call('SET', KEYS[i], ARGV[i + 2], 'EX', ARGV[3]) end
return 1
"""

# KEYS: applied offset, states. Someone who has begun to fill the partition anew must not lose what it wrote.
_FORGET = """
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
for i = 2, #KEYS do redis.call('UNLINK', KEYS[i]) end
return 1
"""

OFFSET_DIGITS = len(str(2**63 - 1))
_NO_STRING = "a key holds something that is not a string"
_AWAY = (RedisError, RedisClusterException)
# Of the others Redis may quote the command, and with it a customer's id: "unknown command, with args beginning with".
_QUOTES_NOTHING = (AwayError, SlowError, OutOfMemoryError, ReadOnlyError, RedisClusterException)


class StoreUnavailableError(Exception):
    """Redis did not answer in time, twice."""


class Snapshot(NamedTuple):
    """What one atomic read found: the applied offset (None: none, or of another layout) and the states that exist."""

    applied: int | None
    states: dict[str, CustomerState]


class FeatureStore:
    """States by partition and customer. Every method raises `StoreUnavailableError` when Redis is away."""

    def __init__(self, url: str, *, ttl_days: int, timeout_s: float) -> None:
        self._ttl_s = ttl_days * 86_400
        self._options = {
            "socket_timeout": timeout_s,
            "socket_connect_timeout": timeout_s,
            "retry": Retry(NoBackoff(), 1),
        }
        self._url = url
        self._client: Any = Redis.from_url(url, **self._options)

    def connect(self) -> None:
        """Find out whether Redis answers and whether it is a cluster; to be called once, before anything else."""
        if self._do("info", "cluster").get("cluster_enabled"):
            self._client.close()
            self._client = RedisCluster.from_url(self._url, **self._options)

    def read(self, partition: int, customers: Collection[str]) -> Snapshot:
        """The applied offset and the states of `customers` as of it; raises `DamagedStateError`."""
        keys = [applied_key(partition), *[customer_key(partition, customer) for customer in customers]]
        applied, *values = self._do("mget", keys)
        # To MGET a key that holds something else is absent too: taken for a new customer's, it would be overwritten.
        absent = [key for key, value in zip(keys[1:], values, strict=True) if value is None]
        if absent and self._do("exists", *absent):
            raise DamagedStateError(_NO_STRING)
        states = {c: decode_state(v) for c, v in zip(customers, values, strict=True) if v is not None}
        return Snapshot(decode_applied(applied), states)

    def states(self, places: Sequence[tuple[int, str]]) -> list[CustomerState | DamagedStateError | None]:
        """The state of each (partition, customer), an error in place of one that is damaged; not all of one moment."""
        keys = [customer_key(*place) for place in places]
        values = self._do("mget_nonatomic" if isinstance(self._client, RedisCluster) else "mget", keys)
        states = [_state(value) for value in values]
        absent = [i for i, value in enumerate(values) if value is None]
        if absent and self._do("exists", *[keys[i] for i in absent]):
            for i in absent:
                if self._do("exists", keys[i]):
                    states[i] = DamagedStateError(_NO_STRING)
        return states

    def write(self, partition: int, *, expected: int | None, applied: int, states: Mapping[str, CustomerState]) -> bool:
        """Write `states` and move the applied offset from `expected` to `applied`; False if it was not `expected`."""
        keys = [applied_key(partition), *[customer_key(partition, customer) for customer in states]]
        arguments = ["" if expected is None else _applied(expected), _applied(applied), self._ttl_s]
        return bool(self._do("eval", _WRITE, len(keys), *keys, *arguments, *map(encode_state, states.values())))

    def clear(self, partition: int) -> None:
        """Forget a partition's applied offset, then its states: from then on they are made anew from the log."""
        applied = applied_key(partition)
        self._do("delete", applied)
        keys = self._customer_keys(partition)
        while some := list(islice(keys, 1000)):
            self._do("eval", _FORGET, 1 + len(some), applied, *some)

    def info(self) -> list[dict[str, Any]]:
        """What `INFO` says of the server, or of each primary of a cluster."""
        if isinstance(self._client, RedisCluster):
            return [self._do("info", target_nodes=node) for node in self._client.get_primaries()]
        return [self._do("info")]

    def clock_s(self) -> float:
        """The server's clock, in seconds since 1970."""
        seconds, microseconds = self._do("time")
        return float(seconds + microseconds / 1e6)

    def close(self) -> None:
        """Disconnect."""
        self._client.close()

    def _customer_keys(self, partition: int) -> Iterator[bytes]:
        try:
            yield from self._client.scan_iter(customer_key(partition, "*"), count=1000)
        except _AWAY as error:
            raise StoreUnavailableError(_said(error)) from None

    def _do(self, command: str, *arguments: object, **options: object) -> Any:
        try:
            return getattr(self._client, command)(*arguments, **options)
        except _AWAY as error:
            raise StoreUnavailableError(_said(error)) from None


def _state(value: bytes | None) -> CustomerState | DamagedStateError | None:
    try:
        return None if value is None else decode_state(value)
    except DamagedStateError as error:
        return error


def _said(error: Exception) -> str:
    # Of a pipeline, redis-py itself quotes the command: "Command # 1 (MGET ...) of pipeline caused error: ...".
    said = str(error).rpartition("caused error: ")[2] if isinstance(error, _QUOTES_NOTHING) else ""
    return f"Redis: {said or type(error).__name__}"


def _applied(offset: int) -> str:
    return f"{LAYOUT}:{offset}"


def decode_applied(value: bytes | None) -> int | None:
    """The offset in an applied value; None when there is none, when it is of another layout, or when it is damaged."""
    layout, _, offset = (value or b"").decode("ascii", "replace").partition(":")
    return int(offset) if layout == LAYOUT and offset.isdecimal() and len(offset) <= OFFSET_DIGITS else None
