"""Rules and dashboard: Prometheus takes them, and they name no metric and no label that nobody shows.

CI_PROMTOOL=1 says that promtool must be there: the tests that need it then fail where it is not, instead of being
skipped.
"""

import json
import os
import re
import subprocess
from pathlib import Path
from shutil import which
from typing import Any

import pytest

from workers.metrics import METRICS

DEPLOY = Path(__file__).parents[3] / "deploy"
RULES = DEPLOY / "prometheus" / "rules.yml"
RUNBOOK = DEPLOY.parent / "docs" / "runbook.md"
DASHBOARD = DEPLOY / "grafana" / "churn.json"
SUFFIXES = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("",), "gauge": ("",)}
SHOWN = {metric.name + suffix: metric for metric in METRICS for suffix in SUFFIXES[metric.kind]}
_METRIC = re.compile(r"\b(churn_[a-z_]+)(?:\{([^}]*)\})?")
_GROUPS = re.compile(r"\bby \(([^)]*)\)")


@pytest.fixture(scope="session")
def promtool() -> str:
    """Where Prometheus' own tool is; without it the tests are skipped, and in CI they fail."""
    found = which("promtool")
    if found is None:
        if os.environ.get("CI_PROMTOOL") == "1":
            pytest.fail("CI_PROMTOOL=1, and there is no promtool on the PATH")
        pytest.skip("NO PROMTOOL: the alerting rules are NOT tested here")
    return found


def expressions() -> dict[str, str]:
    """Every expression of rules and dashboard, by where it is."""
    rules = re.findall(r"- alert: (\w+)\n((?:        .*\n)+)", RULES.read_text())
    found = {name: text.split("expr:")[1].split("labels:")[0].split("for:")[0] for name, text in rules}
    for panel in dashboard()["panels"]:
        for target in panel["targets"]:
            found[f"{panel['title']} {target['refId']}"] = target["expr"]
    return found


def dashboard() -> Any:
    """The dashboard as Grafana reads it."""
    return json.loads(DASHBOARD.read_text())


@pytest.mark.parametrize(("place", "expression"), expressions().items())
def test_only_declared_metrics_are_named(place: str, expression: str) -> None:
    """With labels that they have: of what nobody shows an alert would never go off."""
    named = _METRIC.findall(expression)
    assert named, place
    labels = {"le", "instance"}
    for name, selector in named:
        assert name in SHOWN, f"{place}: {name}"
        labels |= set(SHOWN[name].labels)
        assert set(re.findall(r"(\w+)\s*=", selector)) <= labels, f"{place}: {selector}"
    for group in _GROUPS.findall(expression):
        assert set(group.split(", ")) <= labels, f"{place}: by ({group})"


def test_every_metric_is_used() -> None:
    """What is on no dashboard and in no rule nobody would look at."""
    text = " ".join(expressions().values())
    assert [metric.name for metric in METRICS if metric.name not in text] == []


def test_every_rule_says_what_to_do() -> None:
    """A summary, a severity, and a section of the runbook."""
    text = RULES.read_text()
    alerts = text.count("- alert: ")
    assert alerts >= 10
    for needed in ("summary: ", "description: ", "runbook_url: docs/runbook.md", "severity: "):
        assert text.count(needed) == alerts, needed
    for kind in ("score", "api"):
        assert f'absent(churn_info{{kind="{kind}"}})' in text
    assert "absent(churn_monitor_active == 1)" in text


def test_every_rule_links_to_its_section() -> None:
    """It is there and says the same severity; and no section is of a rule that is not there."""
    rules = re.findall(r"severity: (\w+)\}\n(?:.*\n)*?.*runbook_url: docs/runbook.md#(\S+)\n", RULES.read_text())
    kinds, _, others = RUNBOOK.read_text().partition("\n## Alerts of Prometheus\n")
    sections = {
        name: severity.lower()
        for part, level in ((kinds, "##"), (others, "###"))
        for name, severity in re.findall(rf"^{level} (\S+)\n(\w+), for ", part, re.MULTILINE)
    }
    assert {anchor: severity for severity, anchor in rules}.items() <= sections.items()
    assert set(re.findall(r"^### (.*)$", others, re.MULTILINE)) <= {anchor for _, anchor in rules}


@pytest.mark.parametrize("heading", ["**Means.**", "**See.**", "**Do.**", "**Over**"])
def test_every_section_of_a_rule_says_what_it_takes(heading: str) -> None:
    """What it means, how to see it, what to do, when it is over."""
    _, *sections = RUNBOOK.read_text().partition("\n## Alerts of Prometheus\n")[2].split("\n### ")
    assert sections
    assert [section.splitlines()[0] for section in sections if heading not in section] == []


def test_panels_of_the_dashboard_do_not_overlap() -> None:
    """Each has a title, a sentence, and a place of its own."""
    taken: set[tuple[int, int]] = set()
    for panel in dashboard()["panels"]:
        assert panel["title"]
        assert panel["description"]
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken
        assert at["x"] + at["w"] <= 24
        taken |= cells


@pytest.mark.parametrize("arguments", [["check", "rules", "rules.yml"], ["test", "rules", "rules.test.yml"]])
def test_prometheus_takes_the_rules(promtool: str, arguments: list[str]) -> None:
    """They can be read, go off when they should, and are quiet when all is well."""
    ended = subprocess.run([promtool, *arguments], cwd=RULES.parent, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_dashboard_can_be_asked(promtool: str, tmp_path: Path) -> None:
    """Every expression of a panel is one that Prometheus can read."""
    panels = [target["expr"] for panel in dashboard()["panels"] for target in panel["targets"]]
    rules = [{"record": f"churn:panel_{n}", "expr": expr.replace("$__rate_interval", "5m")} for n, expr in
             enumerate(panels)]  # fmt: skip
    (tmp_path / "panels.yml").write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))
    ended = subprocess.run(
        [promtool, "check", "rules", "panels.yml"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
