"""What the monitor is made of, where that can be seen without one."""

import asyncio
from pathlib import Path

import pytest

from churn.commands.monitor import _reference, _until_told
from churn.settings import Settings
from model.artifact import save
from tests.unit.model.test_training import ARTIFACT


def test_version_that_is_not_here_has_no_reference(tmp_path: Path) -> None:
    """Its shifts cannot be judged; those of a version that is here can."""
    settings = Settings(models=tmp_path)
    save(ARTIFACT, tmp_path)
    assert _reference(settings, ARTIFACT.manifest.version) == ARTIFACT.reference
    assert _reference(settings, "another") is None


def test_what_fails_ends_the_rest() -> None:
    """So that a monitor does not go on by half."""
    ended: list[str] = []

    async def fails() -> None:
        await asyncio.sleep(0)
        raise ValueError("broken")

    async def works() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append("works")

    with pytest.raises(ValueError, match="broken"):
        asyncio.run(_until_told(works(), fails()))
    assert ended == ["works"]
