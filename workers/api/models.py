"""The model in service, and its successor when one appears."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from model.artifact import ModelError
from model.scoring import Scorer

logger = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0


class Models:
    """`scorer` is exchanged between batches; `newest` tells the folder of the newest model, `load` reads it."""

    def __init__(self, newest: Callable[[], Path], load: Callable[[Path], Scorer]) -> None:
        """Load the newest model; raises `ModelError`."""
        self._newest, self._load = newest, load
        self._seen = newest()
        self.scorer = load(self._seen)

    async def watch(self) -> None:
        """Look for a newer model for ever; one that cannot be used is told once, and the old one stays."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            await asyncio.to_thread(self._look)

    def _look(self) -> None:
        try:
            if (folder := self._newest()) == self._seen:
                return
            self._seen = folder
            self.scorer = self._load(folder)
        except ModelError as error:
            logger.error("the new model cannot be used; the old one stays", extra={"error": str(error)})  # noqa: TRY400
            return
        logger.info("model exchanged", extra={"version": self.scorer.artifact.manifest.version})
