"""Whatever bytes come from outside, a decoder takes them or raises what it declares."""

import pickle
from collections.abc import Iterator
from pathlib import Path
from random import randrange

import pytest

from schemas import documents
from tests.fuzz.campaign import CORPUS, Campaign, saved
from tests.fuzz.mutator import Seed
from tests.fuzz.targets import Target, all_targets
from tests.fuzz.watch import CodeWasRunError, nothing_is_run

NAMES = ["events", "states", "scores", "outcomes", "telemetry", "alerts", "headers", "decisions", "applied",
         "checkpoint", "stack", "manifest", "parameters"]  # fmt: skip
EXAMPLES = sorted((Path(documents.__file__).parent / "examples").glob("*/*"))
SLICE_BYTES = 3_000_000


@pytest.fixture(scope="module")
def targets() -> Iterator[dict[str, Target]]:
    """The decoders by name."""
    with all_targets() as found:
        yield {target.name: target for target in found}


def test_all_decoders_are_here(targets: dict[str, Target]) -> None:
    """The list of names is complete, and so are the shares of the bytes."""
    assert list(targets) == NAMES
    assert sum(target.share for target in targets.values()) == 100


@pytest.mark.parametrize("path", saved(), ids=lambda path: str(path.relative_to(CORPUS)))
def test_what_once_was_a_bug_stays_mended(path: Path, targets: dict[str, Target]) -> None:
    """An input that is kept gives nothing but what its decoder declares."""
    assert targets[path.parent.name].feed(path.read_bytes())


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: f"{path.parent.name}/{path.name}")
@pytest.mark.parametrize("name", NAMES)
def test_every_example_in_every_decoder(name: str, path: Path, targets: dict[str, Target]) -> None:
    """A message of another kind is no reason to fail either."""
    assert targets[name].feed(path.read_bytes())


@pytest.mark.parametrize("name", NAMES)
def test_good_input_is_accepted(name: str, targets: dict[str, Target]) -> None:
    """What the fuzzer damages is good to begin with, or it would only ever be refused at the gate."""
    outcomes = {targets[name].feed(seed.whole) for seed in targets[name].seeds}
    assert outcomes & {"accepted", "scored", "could-not-compute"}


def with_one_swapped(seed: Seed, slot: int, token: bytes) -> bytes:
    """The seed with something else in one place."""
    return b"".join([*seed.pieces[:slot], token, *seed.pieces[slot + 1 :]])


@pytest.mark.parametrize("name", ["events", "states"])
def test_every_hostile_piece_in_every_place(name: str, targets: dict[str, Target]) -> None:
    """Each hostile number, string, id, time or value, in the place of each that an event or a state has."""
    target = targets[name]
    seed = target.seeds[1]
    for slot in seed.slots:
        for token in target.tokens:
            assert target.feed(with_one_swapped(seed, slot, token))


@pytest.mark.parametrize("name", NAMES)
def test_huge_pieces(name: str, targets: dict[str, Target]) -> None:
    """100,000 levels, a megabyte of one string, a million digits: at the beginning, within, and behind."""
    target = targets[name]
    seed = target.seeds[0]
    for token in target.huge:
        assert target.feed(token)
        assert target.feed(with_one_swapped(seed, seed.slots[-1], token))
        assert target.feed(with_one_swapped(seed, seed.slots[0], token))
        assert target.feed(seed.whole + token)


def test_slice_of_the_campaign(targets: dict[str, Target], tmp_path: Path) -> None:
    """A few million bytes, others in every run."""
    seed = randrange(10**9)
    campaign = Campaign(list(targets.values()), seed, corpus=tmp_path)
    for _ in campaign.run(SLICE_BYTES):
        pass
    assert not campaign.bugs, f"python -m tests.fuzz.run --seed {seed} finds it again and keeps it"
    assert campaign.tallies["events"].outcomes.keys() >= {"could-not-compute", "sent-on", "undecodable", "invalid"}


def test_running_code_is_noticed() -> None:
    """The watch over the model's files sees a pickle being opened, and looks away afterwards."""
    harmless = b"cos\ngetpid\n(tR."
    with pytest.raises(CodeWasRunError, match="find_class"), nothing_is_run():
        pickle.loads(harmless)
    assert pickle.loads(harmless) > 0
