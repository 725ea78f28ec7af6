"""Reference pages made from the code: `python -m churn.documents` writes them, a test fails when they drift."""

import inspect
import json
import re
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec

from churn.settings import Settings
from model.declaration import Feature
from model.features import FEATURES
from workers.api.health import HealthChecks
from workers.api.openapi import openapi
from workers.api.table import documented_routes
from workers.metrics import METRICS

DOCS = Path(__file__).parent.parent / "docs" / "reference"
_NOTE = "<!-- Written by `make schemas`; change the code instead. -->\n"


def settings_page() -> str:
    """Every setting: its variable, default, and the remark above it in the code."""
    remarks = {
        name: text for text, name in re.findall(r"^    # (.*)\n    (\w+):", inspect.getsource(Settings), re.MULTILINE)
    }
    rows = [
        f"| `{field.encode_name}` | {_default(field.default)} | {remarks.get(field.name, '')} |"
        for field in msgspec.structs.fields(Settings)
    ]
    head = "| variable | default | what it is |\n|---|---|---|"
    return f"{_NOTE}# Settings\n\nRead from the environment when a process starts.\n\n{head}\n" + "\n".join(rows) + "\n"


def features_page() -> str:
    """Every feature: what it is computed from, and what is done when it is not fresh."""
    rows = [f"| `{f.name}` | {f.about} | {f.unit} | {_computed(f)} | {_fallback(f)} | {f.policy} |" for f in FEATURES]
    head = "| feature | what | unit | computed from | without an event | not fresh |\n|---|---|---|---|---|---|"
    rule = (
        "Declared once, in `model/features.py`. Windows are whole days of event time, today included. A value that is\n"
        "not fresh is used (`score`), used and named in `flags` (`flag`), or makes the answer `could-not-compute`\n"
        "(`refuse`)."
    )
    return f"{_NOTE}# Features\n\n{rule}\n\n{head}\n" + "\n".join(rows) + "\n"


def metrics_page() -> str:
    """Every metric of every process."""
    rows = [
        f"| `{m.name}` | {m.kind} | {', '.join(f'`{x}`' for x in m.labels)} | {', '.join(m.processes)} | {m.about} |"
        for m in METRICS
    ]
    head = "| metric | kind | labels | processes | what it is |\n|---|---|---|---|---|"
    where = (
        "Declared once, in `workers/metrics.py`. A scoring worker shows them on `CHURN_METRICS_PORT`, to anybody; the\n"
        "API on `/metrics`, to whoever has a key with the scope `admin`. Units are in the names; no customer's id\n"
        "is in a label."
    )
    return f"{_NOTE}# Metrics\n\n{where}\n\n{head}\n" + "\n".join(rows) + "\n"


def openapi_document() -> str:
    """What `/openapi.json` says at the default settings; no handler is called for it."""
    nothing: Any = None
    models: Any = SimpleNamespace(scorer=SimpleNamespace(features=FEATURES))  # one that reads them all
    routes = documented_routes(
        nothing, models, HealthChecks(nothing, nothing), version("churn"), Settings().api_batch_rows
    )
    return json.dumps(openapi(routes, version("churn")), indent=2, ensure_ascii=False) + "\n"


def _default(value: object) -> str:
    return "" if value in {None, ""} else f"`{value}`"


def _computed(feature: Feature) -> str:
    field = f" of `{feature.field}`" if feature.field else ""
    window = f", {feature.window_days} days" if feature.window_days else ""
    kinds = ", ".join(f"`{kind}`" for kind in feature.types)
    return f"{feature.kind.replace('_', ' ')}{field} in {kinds}{window}"


def _fallback(feature: Feature) -> str:
    value = "missing" if feature.default is None else f"{feature.default:g}"
    stale = f"; stale after {feature.stale_after_days} days" if feature.stale_after_days else ""
    return f"{value}{stale}"


def main() -> None:
    """Write the pages."""
    for name, text in pages().items():
        (DOCS / name).write_text(text)


def pages() -> dict[str, str]:
    """Every page by its file name."""
    return {
        "settings.md": settings_page(),
        "features.md": features_page(),
        "metrics.md": metrics_page(),
        "openapi.json": openapi_document(),
    }


if __name__ == "__main__":
    main()
