"""Row 31 of the matrix, the soak: hours of steady work with a kill every few minutes: `make soak`.

One worker of three is never killed: what its memory does is measured. The others are killed in turn. Every few
seconds the memory of the steady worker and the number of answered events are written down, as lines of JSON.
"""

import logging
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from statistics import linear_regression

import click
import msgspec
from confluent_kafka import Producer
from rich.console import Console
from rich.progress import Progress, TimeRemainingColumn

from schemas.topics import EVENTS
from tests.conftest import ROOT
from tests.faults.load import Record, load
from tests.faults.site import Site, assert_exact
from tests.faults.table import Soaked, keep_soak

SAMPLE_S = 10.0
WARM_UP_SHARE = 0.5  # of the run: so long do the sentences of the reasons, which are kept, become more
MOST_GROWTH_MB_PER_H = 1.0
POINTS = 60  # of the plot


class Sample(msgspec.Struct, frozen=True):
    """One moment: seconds since the start, resident bytes of the steady worker, events published and applied so far."""

    at_s: float
    resident_bytes: int
    published: int
    applied: int


class Soak:
    """One run at a site that is empty."""

    def __init__(self, site: Site, records: Sequence[Record], *, rate: float, kill_every_s: float) -> None:
        self._site, self._records, self._rate, self._kill_every_s = site, records, rate, kill_every_s
        self.published = self.kills = 0
        self._stop = threading.Event()

    def run(self) -> Iterator[Sample]:
        """Publish all records, kill, and tell how it goes."""
        steady = self._site.start_worker()
        others = [self._site.start_worker() for _ in range(2)]
        publisher = threading.Thread(target=self._publish, name="publisher")
        publisher.start()
        began_s = next_kill_s = time.monotonic()
        random = Random(1)
        try:
            while self._site.applied() < len(self._records):
                now_s = time.monotonic()
                if now_s >= next_kill_s + self._kill_every_s and self.published < len(self._records):
                    next_kill_s += self._kill_every_s
                    others.pop(random.randrange(len(others))).kill()
                    others.append(self._site.start_worker())
                    self.kills += 1
                yield Sample(now_s - began_s, _resident_bytes(steady.process.pid), self.published, self._site.applied())
                time.sleep(SAMPLE_S)
        finally:
            self._stop.set()
            publisher.join()
        assert [worker.stop() for worker in (steady, *others)] == [0, 0, 0]

    def _publish(self) -> None:
        producer = Producer(
            {"bootstrap.servers": self._site.kafka, "partitioner": "murmur2_random", "enable.idempotence": True}
        )
        began_s = time.monotonic()
        for n, (key, value) in enumerate(self._records):
            while (early_s := began_s + n / self._rate - time.monotonic()) > 0:
                if self._stop.wait(early_s):
                    return
            producer.produce(EVENTS, value, key)
            producer.poll(0)
            self.published = n + 1
        assert producer.flush(30) == 0


def growth_mb_per_h(samples: Sequence[Sample]) -> float:
    """The slope of the steady worker's memory, by least squares, after the warm-up."""
    warm = [s for s in samples if s.at_s >= WARM_UP_SHARE * samples[-1].at_s]
    return linear_regression([s.at_s / 3600 for s in warm], [s.resident_bytes / 1e6 for s in warm]).slope


def summary(samples: Sequence[Sample], events: int, kills: int) -> Soaked:
    """What is kept of a run that was exact."""
    every = max(1, len(samples) // POINTS)
    chosen = samples[every::every]
    before = [samples[0], *chosen]
    return Soaked(
        on=f"{datetime.now(UTC):%Y-%m-%d}",
        seconds=round(samples[-1].at_s),
        events=events,
        kills=kills,
        growth_mb_per_h=round(growth_mb_per_h(samples), 2),
        minutes=[round(s.at_s / 60, 1) for s in chosen],
        memory_mb=[round(s.resident_bytes / 1e6, 1) for s in chosen],
        events_per_s=[
            round((s.applied - b.applied) / (s.at_s - b.at_s), 1) for b, s in zip(before, chosen, strict=False)
        ],
    )


def _resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


@click.command()
@click.option("--hours", type=float, default=2.0, show_default=True)
@click.option("--rate", type=float, default=100.0, show_default=True, help="events a second")
@click.option("--kill-every", type=float, default=300.0, show_default=True, help="seconds")
@click.option("--samples", type=click.Path(path_type=Path), default=ROOT / ".local" / "soak.jsonl", show_default=True)
def main(hours: float, rate: float, kill_every: float, samples: Path) -> None:
    """Work for hours, count every record, and compare with a run in which nothing happened."""
    logging.basicConfig(level=logging.WARNING)
    records = load(round(hours * 3600 * rate))
    taken: list[Sample] = []
    console = Console(stderr=True)
    samples.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, samples.open("wb") as file:
        site = Site(Path(folder))
        try:
            site.start()
            with console.status("the same events without a fault"):
                expected = site.clean_run(records)
            site.clear()
            soak = Soak(site, records, rate=rate, kill_every_s=kill_every)
            with Progress(*Progress.get_default_columns()[:-1], TimeRemainingColumn(), console=console) as progress:
                task = progress.add_task("soak", total=len(records))
                for sample in soak.run():
                    taken.append(sample)
                    file.write(msgspec.json.encode(sample) + b"\n")
                    file.flush()
                    progress.update(task, completed=sample.applied)
            assert_exact(site, expected)
        finally:
            site.close()
    result = summary(taken, len(records), soak.kills)
    keep_soak(result)
    click.echo(f"{result.events:,} events, {result.kills} kills: exact; memory grew by {result.growth_mb_per_h} MB/h")
    if result.growth_mb_per_h > MOST_GROWTH_MB_PER_H:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
