"""The fuzzer itself: it finds a bug, keeps it small, and can be repeated from any round."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.fuzz import hostile
from tests.fuzz.campaign import Campaign, saved, shrunk
from tests.fuzz.mutator import JSON_SCALAR, msgpack_seed, text_seed
from tests.fuzz.run import main
from tests.fuzz.states import good_states
from tests.fuzz.targets import Target

GOOD = b'{"a": 1, "b": ["x", true, null, -1.5e3]}'


def target(feed: Callable[[bytes], str]) -> Target:
    """A decoder of its own."""
    return Target("planted", 10, [text_seed(GOOD, JSON_SCALAR)], hostile.JSON, hostile.HUGE_JSON, feed)


def planted(value: bytes) -> str:
    """A decoder with a bug."""
    if b"NaN" in value:
        raise KeyError
    return "accepted"


def test_bug_is_found_and_kept_once_and_small(tmp_path: Path) -> None:
    """The kept input is all that the bug needs, in one file, however often it was found."""
    campaign = Campaign([target(planted)], 1, corpus=tmp_path)
    for _ in campaign.run(100_000):
        pass
    (bug,) = campaign.bugs.values()
    assert bug.error.startswith("KeyError at test_campaign.py")
    assert campaign.tallies["planted"].outcomes["KeyError"] > 1
    assert saved(tmp_path) == [bug.file]
    assert bug.file.read_bytes() == b"NaN"
    assert bug.file.parent.name == "planted"


def rounds(seed: int, start: int, tmp_path: Path) -> list[bytes]:
    """What is fed by two rounds from `start` on."""
    fed: list[bytes] = []

    def feed(value: bytes) -> str:
        fed.append(value)
        return "accepted"

    campaign = Campaign([target(feed)], seed, start, tmp_path)
    for _ in campaign.run(100_000):
        pass
    assert campaign.round == start + 2
    return fed


def test_run_is_repeated_by_its_seed_from_any_round(tmp_path: Path) -> None:
    """The same seed feeds the same inputs, also from the middle on; another seed others."""
    first, second = rounds(1, 0, tmp_path), rounds(1, 1, tmp_path)
    assert first == rounds(1, 0, tmp_path)
    assert second[0] in first
    assert first[0] not in rounds(2, 0, tmp_path)


def test_seed_is_the_same_in_one_piece() -> None:
    """Cutting an input into pieces loses nothing."""
    assert text_seed(GOOD, JSON_SCALAR).whole == GOOD
    assert tuple(msgpack_seed(state).whole for state in good_states()) == good_states()


def test_shrinking_keeps_the_failure() -> None:
    """What cannot be left out stays, in its order."""
    assert shrunk(b"x" * 50 + b"a" + b"y" * 50 + b"b", lambda v: b"a" in v and v.endswith(b"b")) == b"ab"


def test_command_prints_what_it_did() -> None:
    """The result has the seed, where to go on, and every decoder."""
    result = CliRunner().invoke(main, ["--seed", "7:3", "--bytes", "1", "--json"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert (found["seed"], found["go_on"], found["bugs"]) == (7, "7:4", [])
    assert sum(tally["fed_bytes"] for tally in found["decoders"].values()) == found["bytes"]
    table = CliRunner().invoke(main, ["--seed", "7", "--bytes", "1"])
    assert "0 bugs; go on with --seed 7:1" in table.stdout


@pytest.mark.parametrize("seed", ["x", "1:x", "-1", ":1"])
def test_wrong_seed_is_refused(seed: str) -> None:
    """What is no seed is said to be none."""
    result = CliRunner().invoke(main, ["--seed", seed])
    assert result.exit_code == 2
    assert "is no seed" in result.output
