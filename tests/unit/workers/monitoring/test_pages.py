"""The page as text: well-formed, with every number, and nothing hostile gets through."""

import asyncio
import re
from collections.abc import Callable, MutableMapping
from html.parser import HTMLParser
from importlib.resources import files
from typing import Any

import msgspec
import pytest

from schemas.status import Status
from tests.status import HOSTILE, empty_status, hostile_status, rich_status
from workers.api.messages import Limits, Request, Response
from workers.api.problems import ApiError
from workers.api.routes import Router
from workers.monitoring.pages import POLICY, STATIC, Monitoring, dashboard, routes

VOID = {"meta", "link"}
WIKI = "https://wiki.example/runbook.md"


class Checker(HTMLParser):
    """Fails when tags are not closed in turn, an id comes twice, or something but our own files would run."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.words: list[str] = []
        self.links: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Check one tag."""
        if tag not in VOID:
            self._open.append(tag)
        for name, value in attrs:
            assert not name.startswith("on")
            assert name != "style"
            if name == "id":
                assert value not in self.ids
                self.ids.append(value or "")
            if name in {"src", "href"}:
                self.links.append(value or "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A tag of SVG without contents."""
        self.handle_starttag(tag, attrs)
        self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        """It closes the last that was opened."""
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Words; none are a program or a style."""
        assert self._open[-1:] not in (["script"], ["style"]) or not data.strip()
        self.words.append(data)


def page(status: Status, runbook: str = WIKI) -> Checker:
    """The checked page."""
    body = dashboard(status, runbook).body
    assert isinstance(body, bytes)
    return Checker(body.decode())


def ask(path: str, *, active: bool = True) -> Response:
    """The answer of a monitor to a GET; raises `ApiError`."""
    found = Router(routes(Monitoring(rich_status, lambda: active, lambda: b"churn_info 1\n", WIKI))).find(path)
    assert found is not None

    async def receive() -> MutableMapping[str, Any]:
        raise AssertionError("a GET has no body")

    return asyncio.run(found[0]["GET"].handler(Request({}, receive, "r1", found[1], Limits(1, 1))))  # type: ignore[arg-type]


@pytest.mark.parametrize("make", [rich_status, empty_status, hostile_status])
def test_the_page_is_well_formed_and_fetches_only_our_files(make: Callable[[], Status]) -> None:
    """Whatever the names in it are; each file that it loads is one of those that are served."""
    loaded = {link for link in page(make()).links if not link.startswith((WIKI, "#", "data:,"))}
    assert loaded <= {f"static/{name}" for name in STATIC}


def test_the_policy_lets_nothing_inline_run() -> None:
    """Scripts and styles of our own only, and no other site."""
    headers = dict(dashboard(rich_status(), WIKI).headers)
    assert headers[b"content-security-policy"].decode() == POLICY
    assert "unsafe" not in POLICY
    assert "*" not in POLICY


def test_hostile_words_are_words() -> None:
    """They are shown as they came."""
    found = page(hostile_status())
    assert sum(HOSTILE in word for word in found.words) >= 20
    assert "49" not in "".join(found.words).replace(HOSTILE, "").split()


def test_every_number_of_the_status_is_there() -> None:
    """Counts, versions, features, alerts, processes and topics."""
    status = rich_status()
    text = " ".join(" ".join(page(status).words).split())
    wanted = [f"{hour.counts['scored']:,}" for hour in status.hours]
    wanted += [f"{m.roc_auc.value:.3f}" for m in status.measured if m.roc_auc.value is not None]
    wanted += [f"{shift.psi:.3f}" for shift in status.shifts]
    wanted += [*status.errors, *status.problems, *(model.version for model in status.models)]
    wanted += [process.name for process in status.processes] + [topic.name for topic in status.topics]
    wanted += [record.alert.summary for record in status.recent_alerts] + ["Could not be told to: slack://…."]
    assert [word for word in wanted if word not in text] == []


def test_it_is_said_in_words_whether_it_is_healthy() -> None:
    """In the title and at the top, not by colour alone."""
    assert "Healthy · Churn monitor" in page(empty_status()).words
    assert "Not healthy · Churn monitor" in page(rich_status()).words
    assert "Nothing has happened yet." in page(empty_status()).words


def test_alerts_link_to_the_runbook_where_there_is_one() -> None:
    """To the section of their kind; a path is no link, nor is a script."""
    assert f"{WIKI}#drift" in page(rich_status()).links
    for elsewhere in ("docs/runbook.md", "javascript:alert(1)//"):
        found = page(rich_status(), elsewhere)
        assert not any("#drift" in link for link in found.links)
        assert "drift" in found.words


def test_feature_without_shift_draws_an_empty_bar() -> None:
    """A PSI that is below nothing by rounding is none."""
    status = rich_status()
    shifts = [msgspec.structs.replace(shift, psi=-1e-12) for shift in status.shifts]
    body = dashboard(msgspec.structs.replace(status, shifts=shifts), WIKI).body
    assert isinstance(body, bytes)
    assert re.findall(r'class="psi" width="([^"]*)"', body.decode()) == ["0"] * 22


def test_every_file_is_where_the_package_is() -> None:
    """What is served is there, with the licence of what is not ours."""
    for name, (package, folder, _) in STATIC.items():
        assert (files(package) / folder / name).is_file()
    licence = (files("workers.monitoring") / "static" / "chart.js-LICENSE.md").read_text(encoding="utf-8")
    banner = (files("workers.monitoring") / "static" / "chart.umd.min.js").read_text(encoding="utf-8")[:200]
    readme = (files("workers.monitoring") / "static" / "README.md").read_text(encoding="utf-8")
    assert licence.startswith("The MIT License")
    version = re.search(r"Chart\.js v([\d.]+)", banner)
    assert version
    assert f" {version[1]}," in readme


def test_dashboard_and_status_are_of_one_monitor() -> None:
    """The page at the root, the same numbers as JSON beside it, counts for Prometheus."""
    assert ask("/") == dashboard(rich_status(), WIKI)
    status = ask("/status")
    assert isinstance(status.body, bytes)
    assert msgspec.json.decode(status.body, type=Status) == rich_status()
    assert ask("/metrics").body == b"churn_info 1\n"


def test_monitor_that_stands_by_lives_and_is_not_ready() -> None:
    """So that requests go to the active one, and nobody restarts the other."""
    for path in ("/livez", "/readyz"):
        assert ask(path).status == 200
    assert ask("/livez", active=False).status == 200
    with pytest.raises(ApiError) as caught:
        ask("/readyz", active=False)
    assert (caught.value.kind, caught.value.detail) == (
        "standby", "another monitor has the topics, or none has them yet"
    )  # fmt: skip


@pytest.mark.parametrize("name", STATIC)
def test_file_is_served_as_it_is(name: str) -> None:
    """Every byte, with its type."""
    package, folder, media = STATIC[name]
    served = ask(f"/static/{name}")
    assert served == Response(200, (files(package) / folder / name).read_bytes(), f"{media}; charset=utf-8")


@pytest.mark.parametrize("name", ["README.md", "..", "%2e%2e", "", "style.css\0"])
def test_other_files_are_not_served(name: str) -> None:
    """Also those that are in the same folder."""
    with pytest.raises(ApiError) as caught:
        ask(f"/static/{name}")
    assert caught.value.kind == "not-found"
