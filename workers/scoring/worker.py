"""The loop of the scoring worker: consume, decode, read states, fold, score, publish, write states.

Publishing commits the answers and the consumed offsets in one Kafka transaction; the states follow in Redis. Whatever
happens between the two, the next owner of a partition finds how far Redis is behind, folds the records in the gap
without answering them again, and goes on (`_synchronise`). Every fault ends there: a crash, a rebalance, an aborted
transaction, a Redis that was away or has lost data, another worker that believes it owns the partition.
"""

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain

import msgspec

from model.scoring import Scorer
from model.state import DamagedStateError
from workers.failpoints import reach
from workers.scoring.account import Account, Watcher
from workers.scoring.batch import Letter, Outcome, Rules, decode, fold_and_ask
from workers.scoring.log import Bounds, Log
from workers.scoring.outputs import outputs
from workers.scoring.records import Record
from workers.scoring.transactions import LogError
from workers.store import FeatureStore, StoreUnavailableError
from workers.traces import Trace, untraced

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Owned:
    """A partition of ours: the applied offset in Redis, the next record to take, and where answering begins."""

    applied: int | None
    position: int
    publish_from: int


@dataclass(slots=True)
class Batch:
    """What a batch of records of one partition came to."""

    partition: int
    letters: list[Letter]
    outcome: Outcome
    end: int


class ScoringWorker:
    """One thread that owns some partitions of `customer.events`; `stop` may be called from a signal handler."""

    def __init__(
        self, log: Callable[..., Log], store: FeatureStore, scorer: Scorer, rules: Rules, *, batch_records: int,
        watchers: Sequence[Watcher], trace: Trace = untraced,
    ) -> None:  # fmt: skip
        self._log = log(gained=self._gained, lost=self._lost)
        self._store, self._scorer, self._rules = store, scorer, rules
        self._batch_records = batch_records
        self._watchers, self._trace = watchers, trace
        self._owned: dict[int, Owned] = {}
        self._unsynchronised: set[int] = set()
        self._stopping = False
        self._troubled = False
        self._hand: dict[int, list[Record]] = {}

    def stop(self) -> None:
        """End after the batch in hand."""
        self._stopping = True

    def in_hand(self) -> dict[str, str]:
        """What is being worked on and with which model, for whoever tells of a fault: no customer is in it."""
        version = {"model_version": self._scorer.artifact.manifest.version}
        if not self._hand:
            return version
        ranges = (f"{some[0].offset}-{some[-1].offset}" for some in self._hand.values())
        return {"partition": ",".join(map(str, self._hand)), "offset": ",".join(ranges), **version}

    def run(self) -> None:
        """Work until told to stop."""
        self._log.subscribe()
        try:
            while not self._stopping:
                self._turn()
        finally:
            self._log.close()

    def _turn(self) -> None:
        self._hand = {}
        trouble = ""
        try:
            records = self._log.poll(self._batch_records)
            self._synchronise()
            if records:
                with self._trace("batch"):
                    self._work(records)
            else:
                self._verify()
        except (LogError, StoreUnavailableError) as error:
            if not self._troubled:
                logger.warning("going back to the committed offsets", extra={"error": str(error)})
            self._troubled = True
            trouble = "kafka" if isinstance(error, LogError) else "redis"
            self._forsake(list(self._owned))
        else:
            if self._troubled:
                logger.info("working again")
            self._troubled = False
        positions = {partition: owned.position for partition, owned in self._owned.items()}
        for watcher in self._watchers:
            watcher.report(positions, self._log.lag, trouble)

    def _verify(self) -> None:
        """While there is nothing to do, notice a Redis that lost data: others read the states too."""
        for partition, owned in list(self._owned.items()):
            if self._store.read(partition, ()).applied != owned.applied:
                self._forsake([partition])

    def _work(self, records: Iterable[Record]) -> None:
        taken = self._hand = ours(records, self._owned)
        if stuck := {p: self._owned[p].position for p, some in taken.items() if some[-1].trouble}:
            self._log.start(stuck)
        batches = [batch for partition, some in taken.items() if (batch := self._fold(partition, some))]
        ends = {b.partition: b.end for b in batches if b.end > self._owned[b.partition].publish_from}
        if ends:
            self._publish(batches, ends)
        for batch in batches:
            self._apply(batch)

    def _fold(self, partition: int, records: list[Record]) -> Batch | None:
        owned = self._owned[partition]
        decoded = decode(records)
        try:
            snapshot = self._store.read(partition, decoded.customers)
            if snapshot.applied != owned.applied:
                self._forsake([partition])
                return None
            outcome = fold_and_ask(decoded.accepted, snapshot.states, self._scorer, self._rules, owned.publish_from)
        except DamagedStateError as error:
            logger.error(  # noqa: TRY400 - where it was noticed says nothing of where it was done
                "a state in Redis is damaged; making all anew",
                extra={"partition": partition, "offset": records[0].offset, "error": str(error)},
            )
            self._store.clear(partition)
            self._forsake([partition])
            return None
        letters = [letter for letter in decoded.letters if letter.record.offset >= owned.publish_from]
        return Batch(partition, letters, outcome, records[-1].offset + 1)

    def _publish(self, batches: list[Batch], ends: dict[int, int]) -> None:
        """Publish everything there is to say about the batches, with the offsets that are then answered."""
        account = Account(self._scorer, datetime.now(UTC))
        letters = list(chain.from_iterable(batch.letters for batch in batches))
        outcomes = [batch.outcome for batch in batches]
        self._log.publish(outputs(letters, outcomes, account), ends)
        account.committed_ms = time.time_ns() // 1_000_000
        for watcher in self._watchers:
            watcher.count(account)

    def _apply(self, batch: Batch) -> None:
        """Write what was published; a refusal means that another writer, or a Redis that lost data, came between."""
        owned = self._owned[batch.partition]
        reach("write")
        if self._store.write(batch.partition, expected=owned.applied, applied=batch.end, states=batch.outcome.states):
            reach("written")
            owned.applied = batch.end
            owned.publish_from = max(owned.publish_from, batch.end)
        else:
            self._forsake([batch.partition])

    def _synchronise(self) -> None:
        """Find out how far each new partition's states are, and start it there."""
        if not self._unsynchronised:
            return
        starts = {p: self._start(p, bounds) for p, bounds in self._log.bounds(self._unsynchronised).items()}
        self._log.start({partition: owned.position for partition, owned in starts.items()})
        self._owned |= starts
        self._unsynchronised.clear()

    def _start(self, partition: int, bounds: Bounds) -> Owned:
        """Where to take up a partition.

        Records up to the committed offset were answered already: those that were not applied are folded only. States
        that are ahead of the committed offset, or gone, are made anew from the beginning. Where Kafka has forgotten the
        committed offset (a group that was away for a week), the applied offset is as good.
        """
        applied = self._store.read(partition, ()).applied
        committed = applied if bounds.committed is None else bounds.committed
        if committed is None or committed > bounds.end:  # never answered, or the topic was made anew
            committed = bounds.beginning
        if applied is None or applied > committed:
            self._store.clear(partition)
            owned = Owned(None, bounds.beginning, committed)
        else:
            owned = Owned(applied, max(applied, bounds.beginning), committed)
        seen = {"partition": partition, "applied": applied, "committed": committed, "position": owned.position}
        if applied is not None and owned.position > applied:
            logger.error("records were deleted before they were applied", extra=seen)
        logger.info("partition started", extra=seen)
        return owned

    def _forsake(self, partitions: Iterable[int]) -> None:
        """Stop working on partitions that are still ours until they are synchronised again."""
        gone = [partition for partition in partitions if self._owned.pop(partition, None)]
        self._log.pause(gone)
        self._unsynchronised |= set(gone)

    def _gained(self, partitions: list[int]) -> None:
        self._unsynchronised |= set(partitions)

    def _lost(self, partitions: list[int]) -> None:
        self._unsynchronised -= set(partitions)
        for partition in partitions:
            self._owned.pop(partition, None)


def ours(records: Iterable[Record], owned: Mapping[int, Owned]) -> dict[int, list[Record]]:
    """The records to take, by partition, and the positions moved behind them.

    What was still on the way from a partition that was lost, or started anew, is dropped. Of a batch that cannot be
    unpacked nobody knows how many records it has: the next one is taken for lost, and fetching begins behind it.
    """
    result: dict[int, list[Record]] = {}
    for record in records:
        place, before = owned.get(record.partition), result.get(record.partition)
        if place is None or (before and before[-1].trouble):
            continue
        offset = max(record.offset, place.position) if record.trouble else record.offset
        if offset >= place.position:
            place.position = offset + 1
            one = msgspec.structs.replace(record, offset=offset) if record.trouble else record
            result.setdefault(record.partition, []).append(one)
    return result
