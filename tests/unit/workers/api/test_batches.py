"""Micro-batches: what waits is taken together, everybody gets what is theirs."""

import asyncio
from collections.abc import Sequence
from typing import cast

import pytest

from schemas.scores import Score
from tests.unit.model.test_scoring import SCORER
from workers.api.batches import MOST, Answer, Batches


def answer(number: int) -> Answer:
    """An answer that can be told from others."""
    return Answer(cast("Score", number), SCORER)


class Work:
    """Answers with the number that was asked, slowly; refuses multiples of 7; breaks when told to."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.breaks = False

    async def __call__(self, asks: Sequence[int]) -> Sequence[Answer | Exception]:
        """One batch."""
        self.batches.append([*asks])
        await asyncio.sleep(0.001)
        if self.breaks:
            raise RuntimeError("broken")
        return [ValueError(str(n)) if n % 7 == 6 else answer(n) for n in asks]


def test_what_waits_is_taken_together() -> None:
    """The first starts at once and alone; the rest are as few batches as can be, in order; each has its own answer."""
    work = Work()

    async def ask() -> list[object]:
        batches = Batches[int](work)
        first = asyncio.ensure_future(batches.ask(0))
        await asyncio.sleep(0)
        rest = [batches.ask(n) for n in range(1, 2 * MOST + 2)]
        return [await first, *await asyncio.gather(*rest, return_exceptions=True)]

    answers = asyncio.run(ask())
    assert [len(batch) for batch in work.batches] == [1, MOST, MOST, 1]
    assert [n for batch in work.batches for n in batch] == list(range(2 * MOST + 2))
    for n, found in enumerate(answers):
        assert repr(found) == (repr(ValueError(str(n))) if n % 7 == 6 else repr(answer(n)))


def test_work_that_breaks_is_told_to_all_of_its_batch() -> None:
    """And the next batch is answered."""
    work = Work()

    async def ask() -> None:
        batches = Batches[int](work)
        work.breaks = True
        found = await asyncio.gather(batches.ask(1), batches.ask(2), return_exceptions=True)
        assert [repr(one) for one in found] == [repr(RuntimeError("broken"))] * 2
        work.breaks = False
        assert await batches.ask(3) == answer(3)

    asyncio.run(ask())


def test_one_who_goes_away_disturbs_nobody() -> None:
    """A caller that is cancelled while its batch is answered."""
    work = Work()

    async def ask() -> None:
        batches = Batches[int](work)
        gone, stays = asyncio.ensure_future(batches.ask(1)), asyncio.ensure_future(batches.ask(2))
        await asyncio.sleep(0)
        gone.cancel()
        assert await stays == answer(2)
        with pytest.raises(asyncio.CancelledError):
            await gone

    asyncio.run(ask())
