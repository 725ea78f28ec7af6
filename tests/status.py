"""Made-up states of the whole system: a rich one, one in which nothing happened yet, one full of hostile words."""

import math
import random
from datetime import UTC, datetime, timedelta

import msgspec

from model.features import FEATURES
from schemas.alerts import Alert, AlertRecord
from schemas.status import (
    CalibrationPoint,
    Expected,
    Hour,
    Interval,
    Measured,
    ModelStatus,
    Process,
    Shift,
    Status,
    TopicStatus,
)

AT = datetime(2026, 11, 25, 14, 3, 7, tzinfo=UTC)
OLD, NEW = "20261012T081500Z-4be19c", "20261109T081500Z-90e98b"
HOSTILE = "<img src=x onerror=alert(1)>\"'&\x1b[31m[bold]{{ 7 * 7 }}</script><script>alert(2)</script>"
_LABELS = ["under 0.5%", "0.5% to 1%", "1% to 2%", "2% to 4%", "4% to 8%", "8% to 15%", "15% to 30%", "30% or more"]


def empty_status(at: datetime = AT) -> Status:
    """A system that was just set up."""
    return Status(
        at=at, healthy=True, sentence="nothing has happened yet", open_alerts=[], recent_alerts=[], hours=[],
        processes=[], topics=[], lag=None, models=[], measured=[], expected=[], calibration=[], shifts=[], freshness={},
        latency_p50_s=None, latency_p99_s=None, errors={}, problems={}, dead_letters=0, outcomes=0,
        outcomes_without_score=0,
    )  # fmt: skip


def rich_status(at: datetime = AT) -> Status:
    """A system that works, with one feature that drifted and one version that replaced another."""
    luck = random.Random(7)
    drifted = Alert(
        kind="drift", about="spend", severity="warning", audience="data",
        summary="The values of spend have shifted: PSI 0.35 over 18,204 records",
        since=at - timedelta(hours=3, minutes=11),
        look_at="the feature's distribution on the dashboard, then the application that publishes charges",
    )  # fmt: skip
    lagging = Alert(
        kind="stalled", about="churn-score", severity="critical", audience="oncall",
        summary="The scoring workers answered nothing for 94 s", since=at - timedelta(hours=27),
        look_at="the workers' logs",
    )  # fmt: skip
    hours = [_hour(at, n, luck) for n in range(24, 0, -1)]
    return msgspec.structs.replace(
        empty_status(at),
        healthy=False,
        sentence="Scores are up to date, but the values of one feature have drifted away from those of training",
        open_alerts=[AlertRecord(alert=drifted, state="raised", at=drifted.since)],
        recent_alerts=[
            AlertRecord(alert=drifted, state="raised", at=drifted.since, undelivered=["slack://…"]),
            AlertRecord(alert=lagging, state="cleared", at=lagging.since + timedelta(minutes=6)),
        ],
        hours=hours,
        processes=[
            Process(f"{kind}-{host}", kind, at - timedelta(seconds=age_s), [NEW], partitions, lag)
            for kind, host, age_s, partitions, lag in (
                ("score", "worker-7c9f-1", 2, 3, 12), ("score", "worker-7c9f-2", 4, 3, 0), ("api", "edge-1", 3, 0, None)
            )
        ],
        topics=[
            TopicStatus("customer.events", at - timedelta(seconds=1.2), 1.2, 86_400.0),
            TopicStatus("customer.outcomes", at - timedelta(days=4), 345_600.0, 172_800.0),
            TopicStatus("churn.scores", None, None, 3_600.0),
        ],
        lag=12,
        models=[
            ModelStatus(OLD, at - timedelta(days=44), at - timedelta(days=16), 812_402),
            ModelStatus(NEW, at - timedelta(days=16), at - timedelta(seconds=2), 301_877),
        ],
        measured=[*_weeks(OLD, 36, 8, 0.90, luck), *_weeks(NEW, 43, 5, 0.93, luck), *_segments()],
        expected=[
            Expected(OLD, 812_402, 0.921, 0.221, 0.064, 0.151), Expected(NEW, 301_877, 0.941, 0.188, 0.055, 0.149)
        ],
        calibration=[_point(NEW, n, luck) for n in range(9)],
        shifts=[
            Shift("score", _LABELS, [0.21, 0.14, 0.12, 0.12, 0.11, 0.1, 0.09, 0.11],
                  [0.2, 0.13, 0.13, 0.12, 0.11, 0.11, 0.09, 0.11], 18_204, 0.004, 0.61, False),
            *(_shift(feature.name, luck) for feature in FEATURES),
        ],
        freshness={feature.name: _freshness(18_204, luck) for feature in FEATURES},
        latency_p50_s=0.0146,
        latency_p99_s=0.0823,
        errors={"undecodable": 14, "invalid": 9, "unknown-type": 3},
        problems={"unknown-customer": 31, "feature-out-of-range": 4},
        dead_letters=26,
        outcomes=9_412,
        outcomes_without_score=118,
    )  # fmt: skip


def hostile_status(at: datetime = AT) -> Status:
    """The rich one with words everywhere that would run, colour a terminal, or break a page; and very long ones."""
    long = HOSTILE + "x" * 100
    rich = rich_status(at)
    replace = msgspec.structs.replace
    record = rich.open_alerts[0]
    hostile = replace(
        record, alert=replace(record.alert, about=HOSTILE, summary=long, look_at=long), undelivered=[long]
    )
    return replace(
        rich,
        sentence=HOSTILE,
        open_alerts=[hostile],
        recent_alerts=[hostile, replace(hostile, state="cleared")],
        hours=[replace(hour, counts={**hour.counts, HOSTILE: 1}, requests={HOSTILE: 2}) for hour in rich.hours],
        processes=[replace(process, name=long, models=[long]) for process in rich.processes],
        topics=[replace(topic, name=long) for topic in rich.topics],
        models=[replace(model, version=long) for model in rich.models],
        measured=[replace(m, version=long, segment=m.segment and long) for m in rich.measured],
        expected=[replace(e, version=long) for e in rich.expected],
        calibration=[replace(point, version=long) for point in rich.calibration],
        shifts=[
            *rich.shifts[:1],
            replace(rich.shifts[1], name=long, labels=[HOSTILE for _ in rich.shifts[1].labels]),
            replace(rich.shifts[2], name='"] [data-x="'),
        ],
        freshness={long: {"fresh": 1, HOSTILE: 3}},
        errors={long: 1},
        problems={long: 1},
    )


def _hour(at: datetime, ago: int, luck: random.Random) -> Hour:
    start = at.replace(minute=0, second=0) - timedelta(hours=ago - 1)
    busy = 260 + 640 * max(0.0, math.sin((start.hour - 6) / 14 * math.pi)) + luck.uniform(-40, 40)
    counts = {"scored": int(busy), "could-not-compute": luck.randrange(4), "dead-letter": luck.randrange(3)}
    counts["sent-on"] = int(ago == 9) * 48
    asked = int(busy * 0.3)
    return Hour(start, counts, {"200": asked, "422": luck.randrange(6), "503": 25 if ago == 15 else 0})


def _around(value: float, half: float) -> Interval:
    return Interval(value, max(0.0, value - half), min(1.0, value + half))


def _weeks(version: str, first: int, weeks: int, auc: float, luck: random.Random) -> list[Measured]:
    return [
        _measured(version, f"2026-W{first + n}", "", luck.randrange(400, 900), auc + luck.uniform(-0.015, 0.015))
        for n in range(weeks)
    ]


def _segments() -> list[Measured]:
    return [
        _measured(NEW, "", segment, pairs, auc)
        for segment, pairs, auc in (("", 3_110, 0.931), ("contract", 1_204, 0.912), ("pay as you go", 1_906, 0.938))
    ] + [_measured(NEW, "", "under 25", 3, None)]  # fmt: skip


def _measured(version: str, week: str, segment: str, pairs: int, auc: float | None) -> Measured:
    none = Interval(None)
    known = auc is not None
    return Measured(
        version=version, week=week, segment=segment, pairs=pairs, leavers=pairs // 7,
        roc_auc=none if auc is None else _around(auc, 0.022),
        log_loss=none if auc is None else _around(0.19 + (0.93 - auc), 0.02),
        brier=none if auc is None else _around(0.056 + (0.93 - auc) / 4, 0.006),
        mean_score=0.15, churn_rate=_around(0.148, 0.012) if known else none,
        precision_at_action=_around(0.72, 0.05) if known else none, acted=pairs // 9 if known else 0,
    )  # fmt: skip


def _point(version: str, number: int, luck: random.Random) -> CalibrationPoint:
    predicted = (0.01, 0.03, 0.06, 0.11, 0.2, 0.32, 0.47, 0.63, 0.81)[number]
    observed = Interval(None) if number == 7 else _around(predicted * luck.uniform(0.85, 1.15), 0.01 + predicted * 0.1)
    return CalibrationPoint(version, predicted, observed, 800 - 70 * number)


def _shift(name: str, luck: random.Random) -> Shift:
    labels = ["under 2", "2 to 5", "5 to 9", "9 to 14", "14 to 20", "20 to 40", "40 or more", "missing"]
    reference = [0.14, 0.15, 0.14, 0.14, 0.14, 0.14, 0.14, 0.01]
    drifted = name == "spend"
    tilt = 0.115 if drifted else luck.uniform(-0.04, 0.04)
    now = [share + tilt * (n - 3.5) / 3.5 * (n < 7) for n, share in enumerate(reference)]
    total = sum(now)
    psi = sum((b / total - a) * math.log(b / total / a) for a, b in zip(reference, now, strict=True))
    return Shift(name, labels, reference, [b / total for b in now], 18_204, psi, 0.0004 if drifted else 0.8, drifted)


def _freshness(total: int, luck: random.Random) -> dict[str, int]:
    stale, default = int(total * luck.choice([0, 0, 0.02, 0.11])), int(total * luck.choice([0, 0, 0.05, 0.2]))
    missing = int(total * luck.choice([0, 0, 0, 0.01]))
    return {"fresh": total - stale - default - missing, "stale": stale, "default": default, "missing": missing}
