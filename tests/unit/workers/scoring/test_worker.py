"""Which of the records that a poll gives are taken."""

from workers.scoring.records import Record
from workers.scoring.worker import Owned, ours


def test_only_records_of_ours_from_the_position_on_are_taken() -> None:
    """After a rebalance within a poll, records of lost partitions and repeated or older offsets are dropped."""
    owned = {1: Owned(None, 5, 0), 2: Owned(None, 0, 0)}
    records = [Record(p, offset, None, None, 0, []) for p, offset in [(1, 4), (1, 5), (3, 0), (1, 6), (1, 5), (2, 7)]]
    taken = ours(records, owned)
    assert {partition: [record.offset for record in some] for partition, some in taken.items()} == {1: [5, 6], 2: [7]}
    assert (owned[1].position, owned[2].position) == (7, 8)
