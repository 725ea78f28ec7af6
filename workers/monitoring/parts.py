"""The parts of the system as tables: processes, topics, versions of the model, alerts."""

from schemas.alerts import AlertRecord
from schemas.status import Status
from workers.api import words
from workers.monitoring.tables import NONE, Cell, Column, Table, clock, said, seconds, whole


def _columns(*names: str, numbers: tuple[str, ...] = ()) -> tuple[Column, ...]:
    return tuple(Column(name, name in numbers) for name in names)


def processes(status: Status) -> Table:
    """Who told of itself lately."""
    rows = [
        (said(p.name), said(p.kind), said(words.ago(int((status.at - p.last_seen).total_seconds()))),
         said(", ".join(p.models) or NONE), whole(p.partitions), Cell(NONE) if p.lag is None else whole(p.lag))
        for p in sorted(status.processes, key=lambda p: (p.kind, p.name))
    ]  # fmt: skip
    columns = _columns("Process", "Kind", "Last seen", "Models", "Partitions", "Lag", numbers=("Partitions", "Lag"))
    return Table("processes", "Processes", columns, rows,
                 "No process told of itself lately. Start `churn score` or `churn api`.")  # fmt: skip


def topics(status: Status) -> Table:
    """Which topics are quiet, and for how long they may be."""
    rows = [
        (said(t.name), said("nothing yet" if t.newest is None else clock(t.newest)), said(seconds(t.quiet_s)),
         said(seconds(t.limit_s)),
         said("not known" if t.quiet_s is None else "too quiet" if t.quiet_s > t.limit_s else "ok"))
        for t in status.topics
    ]  # fmt: skip
    columns = _columns("Topic", "Newest (UTC)", "Quiet for", "Allowed", "Verdict")
    return Table("topics", "Topics", columns, rows, "No topic is watched; CHURN_SILENCE names those that are.")


def models(status: Status) -> Table:
    """Which versions answered lately, the newest first."""
    rows = [
        (said(m.version), said(clock(m.first_seen)), said(clock(m.last_seen)), whole(m.scored))
        for m in sorted(status.models, key=lambda m: m.first_seen, reverse=True)
    ]
    columns = _columns("Version", "First answer (UTC)", "Last answer (UTC)", "Scored", numbers=("Scored",))
    return Table("models", "Model history", columns, rows, "No version of the model has answered yet.")


def open_alerts(status: Status) -> Table:
    """What is wrong now."""
    return _alerts(status.open_alerts, "open-alerts", "Open alerts", "No alert is open.")


def recent_alerts(status: Status) -> Table:
    """What was wrong lately."""
    return _alerts(status.recent_alerts, "recent-alerts", "Recent alerts", "No alert was raised lately.")


def _alerts(records: list[AlertRecord], table_id: str, title: str, empty: str) -> Table:
    rows = [
        (said(clock(r.at)), said(r.state), said(r.alert.severity), said(r.alert.summary), said(r.alert.look_at))
        for r in records
    ]
    return Table(table_id, title, _columns("When (UTC)", "State", "Severity", "What", "Look at"), rows, empty)
