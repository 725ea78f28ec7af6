"""The artifact on disk: whole or refused, and never executed."""

import hashlib
import json
from pathlib import Path

import msgspec
import pytest

from model.artifact import ModelError, load, newest, save
from tests.unit.model.test_training import ARTIFACT


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A saved model."""
    return save(ARTIFACT, tmp_path)


def edit(path: Path, **changes: object) -> None:
    """Change entries of a JSON file."""
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_saved_model_is_the_same_when_loaded(folder: Path) -> None:
    """Every number survives, and nothing but the two files is left in the folder."""
    loaded = load(folder)
    assert loaded.curves == ARTIFACT.curves
    assert loaded.baseline == ARTIFACT.baseline
    assert msgspec.structs.replace(loaded.manifest, parameters_sha256="") == ARTIFACT.manifest
    assert sorted(path.name for path in folder.iterdir()) == ["manifest.json", "parameters.json"]


def test_damaged_parameters_are_refused(folder: Path) -> None:
    """One changed byte is found before the file is used."""
    raw = bytearray((folder / "parameters.json").read_bytes())
    raw[50] ^= 1
    (folder / "parameters.json").write_bytes(raw)
    with pytest.raises(ModelError, match="its sha256 is not the one in the manifest"):
        load(folder)


def test_pickle_is_refused(folder: Path) -> None:
    """A pickle in the model's place is never opened as one."""
    (folder / "manifest.json").write_bytes(b"cos\nsystem\n(S'touch /tmp/pwned'\ntR.")
    with pytest.raises(ModelError, match="malformed"):
        load(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 2}, "model format 2, this program reads 1"),
        ({"feature_hash": "0"}, "declared otherwise here"),
        ({"features": ["tenure", "horoscope"]}, "declared otherwise here"),
        ({"version": "../../x"}, "version"),
        ({"customers": "many"}, "customers"),
        ({"features": []}, "features"),
        ({"name": "x" * 65}, "name"),
    ],
)
def test_manifest_that_does_not_fit_is_refused(folder: Path, changes: dict[str, object], message: str) -> None:
    """A newer format, other features or a bad entry is refused with its name."""
    edit(folder / "manifest.json", **changes)
    with pytest.raises(ModelError, match=message):
        load(folder)


def test_parameters_that_do_not_fit_are_refused(folder: Path) -> None:
    """Parameters with a right hash and a wrong shape are refused."""
    raw = b'{"baseline":0.0,"curves":[]}'
    (folder / "parameters.json").write_bytes(raw)
    edit(folder / "manifest.json", parameters_sha256=hashlib.sha256(raw).hexdigest())
    with pytest.raises(ModelError, match="0 curves for 5 features"):
        load(folder)


@pytest.mark.parametrize("content", [b'{"name": "\xff"}', b'{"x": ' + b"[" * 100_000], ids=["not UTF-8", "nested"])
def test_manifest_that_is_no_json_is_refused(folder: Path, content: bytes) -> None:
    """However the manifest is damaged, it is one error, in one line."""
    (folder / "manifest.json").write_bytes(content)
    with pytest.raises(ModelError, match=r"manifest\.json: (not UTF-8|JSON is nested too deeply)"):
        load(folder)


@pytest.mark.parametrize(
    ("curve", "message"),
    [
        ({"knots": [1.0, 1.0]}, "Expected ascending knots"),
        ({"knots": [0.0, 1.0, 2.0]}, "Expected as many coefficients"),
        ({"knots": [0.0, 1.0, 2.0], "coefficients": [[1.0], [1.0, 2.0]]}, "Expected as many coefficients"),
        ({"coefficients": [[]]}, "Expected as many coefficients"),
        ({"center": 1e7}, "more than 1,000,000 log-odds"),
        ({"coefficients": [[1e308, 1e308]]}, "more than 1,000,000 log-odds"),
        ({"knots": [-1e308, 1e308], "coefficients": [[0.0, 0.0]]}, "more than 1,000,000 log-odds"),
    ],
)
def test_curve_that_gives_no_numbers_is_refused(folder: Path, curve: dict[str, object], message: str) -> None:
    """A model whose scores could fail or be infinite is refused before it is used, however right its hash."""
    straight = {"knots": [0.0, 1.0], "coefficients": [[1.0, 0.0]], "center": 0.5}
    raw = json.dumps({"baseline": 0.0, "curves": [straight | curve] * 5}).encode()
    (folder / "parameters.json").write_bytes(raw)
    edit(folder / "manifest.json", parameters_sha256=hashlib.sha256(raw).hexdigest())
    with pytest.raises(ModelError, match=message):
        load(folder)


def test_absent_model_is_refused(tmp_path: Path) -> None:
    """A folder without a model gives one clear line."""
    with pytest.raises(ModelError, match="no model here"):
        newest(tmp_path)
    with pytest.raises(ModelError, match="No such file"):
        load(tmp_path)


def test_newest_is_the_last_version(folder: Path) -> None:
    """Versions begin with their time, so the last by name is the newest."""
    (folder.parent / "unfinished").mkdir()
    assert newest(folder.parent) == folder
