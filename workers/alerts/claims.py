"""What several monitors share in Redis, so that one of them tells: the last record of each episode, and leases.

A lease is held while receivers are told. Its holder may be killed meanwhile, so it ends by itself; then another monitor
tells. So an alert is never lost, and is told twice if the holder was killed when it had told and not yet said so.
"""

import uuid
from contextlib import suppress
from typing import Any

from redis import Redis, RedisCluster, RedisError
from redis.backoff import NoBackoff
from redis.exceptions import RedisClusterException
from redis.retry import Retry

from schemas.alerts import AlertRecord, decode_alert, encode_alert
from schemas.cloudevents import to_ms
from schemas.errors import InvalidRecordError
from workers.keys import EPISODES_KEY, lease_key

LEASE_S = 60.0  # longer than receivers are tried

# ARGV: subject, record. The newest record stays, whoever writes last; the first 15 characters are its time.
_PUT = """
local there = redis.call('HGET', KEYS[1], ARGV[1])
if there and (tonumber(string.sub(there, 1, 15)) or 0) >= tonumber(string.sub(ARGV[2], 1, 15)) then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return 1
"""

# ARGV: who holds the lease. One that has ended may be another's by now.
_RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"

_TIME_DIGITS = 15
_AWAY = (RedisError, RedisClusterException)


class ClaimsUnavailableError(Exception):
    """Redis did not answer in time, twice."""


class Claims:
    """The episodes that monitors share. Every method raises `ClaimsUnavailableError` when Redis is away.

    Nothing is asked of Redis before the first call: a monitor also starts while Redis is away.
    """

    def __init__(self, url: str, *, timeout_s: float, lease_s: float = LEASE_S) -> None:
        self._url, self._lease_ms = url, int(lease_s * 1000)
        self._options = {
            "socket_timeout": timeout_s,
            "socket_connect_timeout": timeout_s,
            "retry": Retry(NoBackoff(), 1),
        }
        self._holder = uuid.uuid4().hex
        self._client: Any = Redis.from_url(url, **self._options)
        self._kind_known = False  # whether it has been asked if it is a cluster

    def records(self) -> list[AlertRecord]:
        """The last record of every episode; one that cannot be read is left out, and written anew by whoever knows."""
        found = []
        for value in self._do("hgetall", EPISODES_KEY).values():
            with suppress(InvalidRecordError):
                found.append(decode_alert(value[_TIME_DIGITS:]))
        return found

    def last(self, subject: str) -> AlertRecord | None:
        """The last record of one subject."""
        value = self._do("hget", EPISODES_KEY, subject)
        try:
            return None if value is None else decode_alert(value[_TIME_DIGITS:])
        except InvalidRecordError:
            return None

    def put(self, record: AlertRecord) -> None:
        """Write the record, unless there is a newer one."""
        value = f"{to_ms(record.at):0{_TIME_DIGITS}d}".encode() + encode_alert(record)
        self._do("eval", _PUT, 1, EPISODES_KEY, record.alert.subject, value)

    def take(self, subject: str) -> bool:
        """Take the lease; False when another monitor has it."""
        return bool(self._do("set", lease_key(subject), self._holder, nx=True, px=self._lease_ms))

    def release(self, subject: str) -> None:
        """End the lease, if it has not ended."""
        self._do("eval", _RELEASE, 1, lease_key(subject), self._holder)

    def close(self) -> None:
        """Disconnect."""
        self._client.close()

    def _do(self, command: str, *arguments: object, **options: object) -> Any:
        try:
            if not self._kind_known:
                self._find_kind()
            return getattr(self._client, command)(*arguments, **options)
        except _AWAY as error:
            raise ClaimsUnavailableError(f"Redis: {error or type(error).__name__}") from None

    def _find_kind(self) -> None:
        if self._client.info("cluster").get("cluster_enabled"):
            self._client.close()
            self._client = RedisCluster.from_url(self._url, **self._options)
        self._kind_known = True
