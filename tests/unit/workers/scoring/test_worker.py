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


def test_record_that_cannot_be_unpacked_is_the_next_one_and_the_last_of_its_poll() -> None:
    """It has no offset of its own: what comes with it is fetched again, from behind it."""
    stuck = Record(1, 3, None, None, 0, [], "bad compression")
    owned = {1: Owned(None, 5, 0)}
    good = [Record(1, offset, None, None, 0, []) for offset in (5, 6, 7)]
    assert [record.offset for record in ours([good[0], stuck, stuck, *good[1:]], owned)[1]] == [5, 6]
    assert owned[1].position == 7
    later = Record(1, 20, None, None, 0, [], "bad compression")
    assert [record.offset for record in ours([later], owned)[1]] == [20]
