"""What is said of this machine: settings, model, and disks."""

from pathlib import Path

import pytest

from churn.doctor.machine import disk, judged_settings, judged_space, model
from churn.settings import Settings
from model.artifact import save
from tests.unit.model.test_training import ARTIFACT

MIB, GIB = 2**20, 2**30


def test_settings() -> None:
    """What is set is told; what is wrong is named, with what it means for the rest."""
    assert judged_settings({}, []).found == "all at their defaults"
    assert judged_settings({"A": "1", "B": "***"}, []).found == "A=1, B=***"
    found = judged_settings({"A": "1"}, ["B='x': no number", "C is not a setting"])
    assert (found.status, found.found) == ("failed", "B='x': no number; C is not a setting")
    assert "use the default" in found.remedies[0]


def test_model(tmp_path: Path) -> None:
    """The newest model is told with its age; none, or a damaged one, is a failure that names it."""
    settings = Settings(models=tmp_path / "models")
    none = model(settings)
    assert (none.status, "no model here" in none.found) == ("failed", True)
    folder = save(ARTIFACT, settings.models)
    well = model(settings)
    assert well.status == "ok"
    assert well.found.startswith(f"{ARTIFACT.manifest.version}, trained ")
    (folder / "parameters.json").write_text("{}")
    damaged = model(settings)
    assert (damaged.status, "its sha256 is not the one in the manifest" in damaged.found) == ("failed", True)


@pytest.mark.parametrize(
    ("free", "total", "status"),
    [
        (100 * MIB - 1, GIB, "failed"),
        (100 * MIB, GIB, "warning"),
        (GIB - 1, 5 * GIB, "warning"),
        (GIB, 10 * GIB, "ok"),
        (GIB, 10 * GIB + 20, "warning"),
        (50 * GIB, 400 * GIB, "ok"),
    ],
)
def test_space(free: int, total: int, status: str) -> None:
    """Less than a tenth or 1 GiB is a warning, less than 100 MiB a failure."""
    assert judged_space("x", free, total).status == status


def test_disk(tmp_path: Path) -> None:
    """Folders that will be made are on the disk of what there is; a folder that cannot be read is a failure."""
    (tmp_path / "models").mkdir()
    well = disk(Settings(local=tmp_path / "a" / "b", models=tmp_path / "models"))
    assert well.found.startswith("CHURN_LOCAL and CHURN_MODELS: ")
    absent = disk(Settings(local=tmp_path, models=tmp_path / "none"))
    assert "cannot be read" not in absent.found
    (tmp_path / "file").touch()
    found = disk(Settings(local=Path("/dev"), models=tmp_path / "file"))
    assert found.status == "failed"
    assert f"{tmp_path / 'file'} cannot be read: Not a directory" in found.found
    assert "CHURN_MODELS: " in found.found, "two file systems are told apart"
