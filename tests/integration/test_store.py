"""The feature store on a real Redis: compare and set, atomic reads, and what happens when Redis is not well."""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis

from churn.stack.record import Stack
from churn.stack.redis import LocalRedis
from model.state import LAYOUT, CustomerState, DamagedStateError
from tests.integration.clusters import redis_cluster
from tests.unit.model.test_state import folded, made_up_history
from workers.keys import applied_key, customer_key
from workers.store import _FORGET, FeatureStore, StoreUnavailableError

STATE = folded(*made_up_history())
OTHER = CustomerState.new()


@contextmanager
def connected(url: str, timeout_s: float = 1.0) -> Iterator[FeatureStore]:
    """A store at `url`."""
    with closing(FeatureStore(url, ttl_days=400, timeout_s=timeout_s)) as store:
        store.connect()
        yield store


@pytest.fixture
def store(stack: Stack, redis: Any) -> Iterator[FeatureStore]:  # noqa: ARG001 - nothing of ours is in Redis
    """An empty store."""
    with connected(stack.redis.address) as store:
        yield store


def test_what_is_written_is_read(store: FeatureStore, redis: Any) -> None:
    """States and the applied offset come back; an unknown customer is left out; states expire, the offset does not."""
    assert store.read(3, ["a"]) == (None, {})
    assert store.write(3, expected=None, applied=10, states={"a": STATE, "b": OTHER})
    assert store.read(3, ["b", "a", "stranger"]) == (10, {"a": STATE, "b": OTHER})
    assert store.read(4, ["a"]) == (None, {}), "another partition knows nothing of it"
    assert 399 * 86_400 < redis.ttl(customer_key(3, "a")) <= 400 * 86_400
    assert redis.ttl(applied_key(3)) == -1


@pytest.mark.parametrize("expected", [None, 9, 11])
def test_write_with_another_applied_offset_is_refused(store: FeatureStore, expected: int | None) -> None:
    """A writer that read another applied offset, or none, changes nothing."""
    store.write(3, expected=None, applied=10, states={"a": STATE})
    assert not store.write(3, expected=expected, applied=20, states={"a": OTHER, "b": OTHER})
    assert store.read(3, ["a", "b"]) == (10, {"a": STATE})


def test_write_after_the_data_is_gone_is_refused(store: FeatureStore, redis: Any) -> None:
    """A writer whose Redis lost everything does not write states into the void."""
    store.write(3, expected=None, applied=10, states={"a": STATE})
    redis.delete(applied_key(3), customer_key(3, "a"))
    assert not store.write(3, expected=10, applied=20, states={"a": STATE})
    assert store.read(3, ["a"]) == (None, {})


@pytest.mark.parametrize(
    "value", [b"000000000000:10", b"10", b"\xff:1", f"{LAYOUT}:-1".encode(), f"{LAYOUT}:x".encode()]
)
def test_applied_offset_of_another_layout_is_none(store: FeatureStore, redis: Any, value: bytes) -> None:
    """States of features that were declared otherwise are not used."""
    redis.set(applied_key(0), value)
    assert store.read(0, []).applied is None


@pytest.mark.parametrize("value", [b"\xc1", b"", b"\x93\x01\x02\x03", b"\x91" * 100_000])
def test_damaged_state_is_told(store: FeatureStore, redis: Any, value: bytes) -> None:
    """Bytes that are no state are told as damage, and never taken for a new customer."""
    redis.set(customer_key(0, "a"), value)
    with pytest.raises(DamagedStateError):
        store.read(0, ["a"])


def test_clear_forgets_one_partition(store: FeatureStore, redis: Any) -> None:
    """Everything of the partition goes, thousands of customers too, and nothing of another."""
    many = {f"c{n}": OTHER for n in range(2500)}
    store.write(1, expected=None, applied=5, states=many)
    store.write(11, expected=None, applied=6, states={"a": STATE})
    store.clear(1)
    assert store.read(1, list(many)) == (None, {})
    assert store.read(11, ["a"]) == (6, {"a": STATE})
    assert len(list(redis.scan_iter("churn:*"))) == 2


def test_clear_spares_what_another_writer_began(store: FeatureStore, redis: Any) -> None:
    """Of two that clear a partition, the slower one does not delete what the faster one has written since."""
    store.write(1, expected=None, applied=5, states={"a": OTHER})
    keys = store._customer_keys(1)
    found = list(keys)
    store.clear(1)
    assert store.write(1, expected=None, applied=1, states={"a": STATE})
    assert redis.eval(_FORGET, 2, applied_key(1), *found) == 0
    assert store.read(1, ["a"]) == (1, {"a": STATE})


@given(st.lists(st.tuples(st.sampled_from([None, 0, 1, 2, 3]), st.integers(0, 3)), max_size=12))
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_writes_are_a_compare_and_set(store: FeatureStore, writes: list[tuple[int | None, int]]) -> None:
    """Whatever the order of writes, exactly those that name the present applied offset happen."""
    store.clear(9)
    present: int | None = None
    for expected, applied in writes:
        happened = store.write(9, expected=expected, applied=applied, states={})
        assert happened == (expected == present)
        present = applied if happened else present
        assert store.read(9, []).applied == present


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[LocalRedis]:
    """A Redis of this test's own, to be mistreated."""
    server = LocalRedis(tmp_path / "redis")
    server.start()
    yield server
    server.process.resume()
    server.stop()


def test_paused_redis_is_unavailable_soon(own_redis: LocalRedis) -> None:
    """A Redis that does not answer is waited for twice 0.2 s and not for ever."""
    with connected(own_redis.url, timeout_s=0.2) as store:
        own_redis.process.pause()
        started_s = time.monotonic()
        with pytest.raises(StoreUnavailableError, match="Redis: "):
            store.read(0, ["a"])
        assert time.monotonic() - started_s < 2
        with pytest.raises(StoreUnavailableError):
            list(store._customer_keys(0))
        own_redis.process.resume()
        assert store.read(0, ["a"]) == (None, {})


def test_full_redis_is_unavailable_and_stays_whole(own_redis: LocalRedis) -> None:
    """A Redis at its memory limit refuses the whole write."""
    client: Any = Redis.from_url(own_redis.url)
    with connected(own_redis.url) as store, closing(client):
        client.config_set("maxmemory", 1)
        with pytest.raises(StoreUnavailableError, match="memory"):
            store.write(0, expected=None, applied=1, states={"a": STATE})
        assert store.read(0, ["a"]) == (None, {})


def test_cluster_is_recognised_and_used(tmp_path: Path) -> None:
    """On a Redis Cluster every call stays within one slot."""
    with redis_cluster(tmp_path) as url, connected(url) as store:
        for partition in range(6):
            assert store.write(partition, expected=None, applied=partition, states={"a": STATE, "b": OTHER})
            assert store.read(partition, ["a", "b"]) == (partition, {"a": STATE, "b": OTHER})
        store.clear(2)
        assert store.read(2, ["a"]) == (None, {})
        assert store.read(3, ["a"]).applied == 3
