"""Checks of this machine: the settings, the model, and the disks."""

import os
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from churn.doctor.finding import Finding, counted, failed, ok, size, together, warning
from churn.settings import Settings
from model.artifact import ModelError, load, newest
from workers.spans import duration

LEAST_FREE = 100 * 2**20
LITTLE_FREE = 2**30
LITTLE_SHARE = 0.1


def judged_settings(chosen: Mapping[str, str], wrong: Sequence[str]) -> Finding:
    """What there is to say of the variables that are set, and of those that are wrong."""
    if wrong:
        remedy = "Correct or unset it (docs/reference/settings.md). Until then the other checks use the default."
        return together([failed(sentence, remedy) for sentence in wrong])
    return ok(", ".join(f"{name}={value}" for name, value in chosen.items()) or "all at their defaults")


def model(settings: Settings) -> Finding:
    """Whether the newest model can be used, and how old it is."""
    try:
        folder = newest(settings.models)
    except ModelError as error:
        return failed(str(error), "Train one, or set CHURN_MODELS to the folder that holds them.")
    try:
        manifest = load(folder).manifest
    except ModelError as error:
        return failed(str(error), "Train a new one, or remove this folder: workers then take the one before it.")
    age_s = max(0.0, time.time() - manifest.trained_at.timestamp())
    return ok(
        f"{manifest.version}, trained {duration(age_s)} ago on {counted(manifest.customers, 'customer')}, "
        f"{counted(len(manifest.features), 'feature')}"
    )


def disk(settings: Settings) -> Finding:
    """Whether there is space in the folders that are written to, and the models can be read."""
    return together([*_spaces({"CHURN_LOCAL": settings.local, "CHURN_MODELS": settings.models}), *_unread(settings)])


def _spaces(folders: Mapping[str, Path]) -> list[Finding]:
    """The space of each file system that the folders are on."""
    names: dict[int, list[str]] = {}
    spaces = {}
    for name, folder in folders.items():
        # What is not there yet will be made there.
        place = next(path for path in (folder.absolute(), *folder.absolute().parents) if os.access(path, os.F_OK))
        device = place.stat().st_dev
        names.setdefault(device, []).append(name)
        spaces[device] = shutil.disk_usage(place)
    return [judged_space(" and ".join(names[device]), space.free, space.total) for device, space in spaces.items()]


def judged_space(what: str, free: int, total: int) -> Finding:
    """What there is to say of a file system on which so many bytes are free."""
    found = f"{what}: {size(free)} free of {size(total)}"
    if free < LEAST_FREE:
        return failed(found, "Make space: a model or a checkpoint can hardly be written.")
    if free < LITTLE_FREE or free < LITTLE_SHARE * total:
        return warning(found, "Make space before it is full.")
    return ok(found)


def _unread(settings: Settings) -> list[Finding]:
    try:
        list(settings.models.iterdir())
    except FileNotFoundError:
        pass  # the check of the model says so
    except OSError as error:
        remedy = "Let the user that runs this read the folder CHURN_MODELS."
        return [failed(f"{settings.models} cannot be read: {error.strerror}", remedy)]
    return []
