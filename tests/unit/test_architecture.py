"""The dependency rule: who may import whom, and which outside system is behind which module."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
MAY_IMPORT = {
    "schemas": {"schemas"},
    "model": {"model", "schemas"},
    "producers": {"producers", "schemas"},
    "workers": {"workers", "model", "schemas"},
    "churn": {"churn", "workers", "producers", "model", "schemas"},
}
BEHIND = {
    "redis": {
        "workers/store.py",
        "workers/alerts/claims.py",
        "churn/stack/ready.py",
        "churn/stack/redis.py",
        "churn/stack/rungs.py",
    },
    "apprise": {"workers/alerts/receivers.py"},
    "confluent_kafka": {
        "workers/scoring/log.py",
        "workers/scoring/transactions.py",
        "workers/admin.py",
        "workers/deadletters.py",
        "workers/telemetry/publisher.py",
        "workers/alerts/log.py",
        "workers/monitoring/scores.py",
        "churn/demo/reader.py",
        "churn/stack/ready.py",
        "churn/stack/kafka.py",
    },
    "kafka": {"producers/"},
    "sklearn": {"model/training.py", "model/metrics.py", "churn/training.py"},
    "docker": {"churn/stack/"},
    "testcontainers": {"churn/stack/"},
    "httpx": {"producers/predictions.py", "churn/commands/status.py"},
    "granian": {"churn/commands/api.py", "workers/monitoring/site.py"},
    "prometheus_client": {"workers/api/metrics.py", "workers/exposition.py"},
    "faust": {"workers/monitoring/stream.py", "workers/monitoring/connection.py"},
    "sqlite3": {"workers/monitoring/index.py"},
    "jinja2": {"workers/api/html.py"},
    "sentry_sdk": {"churn/sentry.py"},
}
FILES = sorted(path for package in MAY_IMPORT for path in (ROOT / package).rglob("*.py"))


def imports(path: Path) -> set[str]:
    """The top-level names of every module that a file imports, anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.add((node.module or "").partition(".")[0])
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_follow_the_rule(path: Path) -> None:
    """A package imports only what it may, and an outside system only where it is at home."""
    name = str(path.relative_to(ROOT))
    found = imports(path)
    ours = found & set(MAY_IMPORT)
    assert ours <= MAY_IMPORT[name.partition("/")[0]]
    for library, homes in BEHIND.items():
        if library in found:
            assert any(name.startswith(home) for home in homes), f"{name} imports {library}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_environment_is_read_in_one_place(path: Path) -> None:
    """Only the settings read the environment."""
    name = str(path.relative_to(ROOT))
    text = path.read_text()
    # The demo passes its own on to the worker; the library of the API's metrics takes its folder from nowhere else.
    if name not in {"churn/settings.py", "churn/demo/run.py", "churn/commands/api.py"}:
        assert "os.environ" not in text
        assert "getenv" not in text


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_messages_of_log_lines_are_constant(path: Path) -> None:
    """What differs from line to line is in `extra`, where Sentry takes what it knows: messages go there whole."""
    levels = {"debug", "info", "warning", "error", "exception", "critical"}
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Call(ast.Attribute(ast.Name("logger" | "access"), level), arguments) if level in levels:
                assert len(arguments) == 1
                assert isinstance(arguments[0], ast.Constant), f"{path}:{node.lineno}"
