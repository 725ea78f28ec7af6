"""The dashboard as a browser shows it: the numbers of /status, live, safe, accessible, and readable on a phone."""

import re
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, expect

from schemas.status import Interval, Status
from tests.browser.conftest import Visit
from tests.integration.monitor import MonitorSite, monitor_site
from tests.status import AT, NEW, OLD, empty_status, hostile_status, rich_status
from workers.api.keys import new_key

pytestmark = pytest.mark.browser

EVERY = {"rich": rich_status, "empty": empty_status, "hostile": hostile_status}
every_status = pytest.mark.parametrize("name", EVERY)
LATER_MS = 20_000  # longer than the page waits before it asks again, on a busy machine


@pytest.fixture(scope="module")
def served(chromium: str) -> Iterator[MonitorSite]:
    """A monitor's pages; what they say is changed by the tests."""
    assert chromium  # asked for, so that nothing is started in vain
    with monitor_site(rich_status()) as site:
        yield site


@pytest.fixture(scope="module")
def address(served: MonitorSite) -> str:
    """Where `visit` goes, in place of an API."""
    return served.url


@pytest.fixture
def site(served: MonitorSite) -> MonitorSite:
    """The same with the rich status."""
    served.status = rich_status()
    return served


def told(site: MonitorSite) -> Any:
    """What a program is told."""
    return httpx.get(f"{site.url}/status", timeout=10).raise_for_status().json()


def cells(table: Locator) -> list[list[str]]:
    """The rows of a table, folded or not."""
    rows = table.locator("tbody tr").all()
    return [[text.strip() for text in row.locator("th, td").all_text_contents()] for row in rows]


def drawn(page: Page, table: str, number: int = 0) -> Any:
    """Labels and data of a chart that was made from a table."""
    figure = page.locator(f'figure[data-table="{table}"]').nth(number)
    expect(figure).to_be_visible()
    canvas = figure.locator("canvas").element_handle()
    return page.evaluate(
        "canvas => (({labels, datasets}) => ({labels, sets: datasets.map(({label, data}) => ({label, data}))}))"
        "(Chart.getChart(canvas).data)",
        canvas,
    )


def unfold(page: Page) -> None:
    """Open everything that can be opened."""
    page.evaluate("document.querySelectorAll('details').forEach((details) => { details.open = true })")


def estimate(interval: Any) -> str:
    """As the page writes an estimate."""
    return f"{interval['value']:.3f} ({interval['low']:.3f} to {interval['high']:.3f})"


def test_the_page_has_the_numbers_of_the_status(visit: Visit, site: MonitorSite) -> None:
    """Headline, tiles, hours, accuracy, calibration, drift, freshness, errors, processes, topics, versions."""
    page, found = visit("/"), told(site)
    expect(page.get_by_role("status")).to_contain_text("Not healthy")
    expect(page.get_by_role("heading", level=1)).to_have_text(f"{found['sentence']}.")
    answers = sum(sum(hour["counts"].values()) for hour in found["hours"])
    expect(page.locator("#tile-answered b")).to_have_text(f"{answers:,}")
    expect(page.locator("#tile-dead-letters b")).to_have_text(str(found["dead_letters"]))
    expect(page.locator("#tile-latency b")).to_have_text(f"{1000 * found['latency_p99_s']:.1f} ms")
    expect(page.locator("#tile-lag b")).to_have_text(str(found["lag"]))
    statuses = ("scored", "could-not-compute", "dead-letter", "sent-on")
    assert [row[1:] for row in cells(page.locator("#answers"))] == [
        [f"{hour['counts'][status]:,}" for status in statuses] for hour in found["hours"]
    ]
    weeks = [m for m in found["measured"] if m["week"]]
    assert [row[:2] + row[4:6] for row in cells(page.locator("#accuracy"))] == [
        [m["version"], m["week"], estimate(m["roc_auc"]), estimate(m["log_loss"])] for m in weeks
    ]
    assert [row[1] for row in cells(page.locator("#calibration"))] == [
        f"{100 * point['predicted']:.1f}%" for point in found["calibration"]
    ]
    shifts = {shift["name"].replace("_", " "): shift for shift in found["shifts"]}
    drift = cells(page.locator("#drift"))
    assert {row[0] for row in drift} == {*shifts} - {"score"}
    assert all(row[1] == f"{shifts[row[0]]['psi']:.3f}" for row in drift)
    fresh = {name.replace("_", " "): counts["fresh"] / 18_204 for name, counts in found["freshness"].items()}
    assert {row[0]: row[1] for row in cells(page.locator("#freshness"))} == {
        name: f"{100 * share:.1f}%" for name, share in fresh.items()
    }
    assert dict(cells(page.locator("#errors"))) == {name: str(count) for name, count in found["errors"].items()}
    assert len(cells(page.locator("#processes"))) == len(found["processes"])
    assert [row[0] for row in cells(page.locator("#topics"))] == [topic["name"] for topic in found["topics"]]
    assert [row[0] for row in cells(page.locator("#models"))] == [NEW, OLD]


def test_charts_draw_the_numbers_of_the_status(visit: Visit, site: MonitorSite) -> None:
    """Bars for hours and scores, lines for weeks, points for calibration."""
    page, found = visit("/"), told(site)
    hours = drawn(page, "answers")
    scored = next(each for each in hours["sets"] if each["label"] == "scored")
    assert scored["data"] == [hour["counts"]["scored"] for hour in found["hours"]]
    requests = drawn(page, "requests")
    assert [each["label"] for each in requests["sets"]] == ["200", "422", "503"]
    training, now = drawn(page, "scores")["sets"]
    (shift,) = [shift for shift in found["shifts"] if shift["name"] == "score"]
    assert (training["data"], now["data"]) == (shift["reference"], shift["now"])
    for number, name in enumerate(("roc_auc", "log_loss")):
        lines = drawn(page, "accuracy", number)
        assert lines["labels"] == sorted({m["week"] for m in found["measured"] if m["week"]})
        for line in lines["sets"]:
            values = {m["week"]: m[name]["value"] for m in found["measured"] if m["version"] == line["label"]}
            assert line["data"] == [values.get(week) for week in lines["labels"]]
    points, diagonal = drawn(page, "calibration")["sets"]
    known = [point for point in found["calibration"] if point["observed"]["value"] is not None]
    assert points["data"] == [{"x": point["predicted"], "y": point["observed"]["value"]} for point in known]
    assert diagonal["data"] == [{"x": 0, "y": 0}, {"x": 1, "y": 1}]


def test_labels_of_an_axis_differ(visit: Visit, site: MonitorSite) -> None:
    """Also where all there is to show is one week with a narrow interval."""
    one = next(m for m in site.status.measured if m.week)
    narrow = msgspec.structs.replace(one, roc_auc=Interval(0.98, 0.974, 0.984))
    site.status = msgspec.structs.replace(site.status, measured=[narrow])
    page = visit("/")
    drawn(page, "accuracy")
    canvas = page.locator('figure[data-table="accuracy"] canvas').first.element_handle()
    labels = page.evaluate("canvas => Chart.getChart(canvas).scales.y.ticks.map(({label}) => label)", canvas)
    assert len({*labels}) == len(labels) >= 3


def test_open_alerts_are_at_the_top(visit: Visit, site: MonitorSite) -> None:
    """What is wrong, since when, and where to read what to do; those that were cleared are further down."""
    page = visit("/")
    (alert,) = page.get_by_role("list", name="Open alerts").get_by_role("listitem").all()
    expect(alert).to_contain_text(site.status.open_alerts[0].alert.summary)
    expect(alert).to_contain_text("3 hours ago")
    expect(alert.get_by_role("link")).to_have_attribute("href", re.compile("^https://wiki.example/runbook.md#drift$"))
    recent = page.get_by_role("article", name="Recent alerts").get_by_role("listitem")
    expect(recent).to_have_count(2)
    expect(recent.nth(1)).to_contain_text("cleared The scoring workers answered nothing for 94 s")


def test_nothing_yet_is_said_in_words(visit: Visit, site: MonitorSite) -> None:
    """No chart, no table, no number that is made up; and the first that comes is drawn without a reload."""
    site.status = empty_status()
    page = visit("/")
    expect(page.get_by_role("status")).to_contain_text("Healthy")
    expect(page.get_by_role("article", name="Accuracy by week")).to_contain_text("No outcomes yet: accuracy is shown")
    expect(page.locator("canvas:visible, table:visible, details:visible")).to_have_count(0)
    site.status = rich_status()
    expect(page.locator("canvas:visible")).to_have_count(6, timeout=LATER_MS)
    assert len(drawn(page, "answers")["labels"]) == 24


def test_numbers_change_without_a_reload(visit: Visit, site: MonitorSite) -> None:
    """In tiles, tables and charts; what is open stays open, and the focus where it was."""
    page = visit("/")
    page.evaluate("window.same = true")
    page.get_by_text("The numbers of Answers per hour").click()
    feature = page.locator(".drift summary").nth(1)
    feature.focus()
    page.keyboard.press("Enter")
    name = page.evaluate("document.activeElement.querySelector('.name').textContent")
    at = AT + timedelta(seconds=5)
    hours = [msgspec.structs.replace(hour, counts={"scored": 12_345}) for hour in site.status.hours]
    shifts = [msgspec.structs.replace(shift, psi=shift.psi + 0.1) for shift in site.status.shifts]
    site.status = msgspec.structs.replace(
        rich_status(at), hours=hours, shifts=shifts, sentence="all is well", healthy=True
    )
    expect(page.locator("#at")).to_have_text("14:03:12 UTC", timeout=LATER_MS)
    expect(page.get_by_role("heading", level=1)).to_have_text("All is well.")
    expect(page).to_have_title("Healthy · Churn monitor")
    expect(page.locator("#tile-answered b")).to_have_text(f"{24 * 12_345:,}")
    expect(page.locator("#answers tbody tr").first).to_be_visible()
    assert drawn(page, "answers")["sets"] == [{"label": "scored", "data": [12_345] * 24}]
    opened = page.locator(".drift details[open]")
    expect(opened).to_have_count(1)
    expect(opened.locator("canvas")).to_be_visible()
    assert page.evaluate("document.activeElement.querySelector('.name').textContent") == name
    assert page.evaluate("window.same")


def test_updates_can_be_paused(visit: Visit, site: MonitorSite) -> None:
    """Nothing changes until they go on, and then at once."""
    page = visit("/")
    pause = page.get_by_role("button", name="Pause")
    pause.click()
    expect(pause).to_have_attribute("aria-pressed", "true")
    site.status = msgspec.structs.replace(site.status, sentence="something else")
    page.wait_for_timeout(6_000)
    expect(page.get_by_role("heading", level=1)).not_to_have_text("Something else.")
    pause.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Something else.")


def test_monitor_that_is_gone_is_noticed(browser: Browser) -> None:
    """A notice says since when, and of when the numbers are; it goes when the monitor is back."""
    page = browser.new_page()
    with monitor_site(rich_status()) as site:
        page.goto(site.url)
        expect(page.locator("#notice")).to_be_hidden()
    notice = page.get_by_role("alert")
    expect(notice).to_contain_text("The monitor cannot be reached since", timeout=LATER_MS)
    expect(notice).to_contain_text("What is shown is of 14:03:07 UTC.")
    expect(page.locator("#tile-answered b")).to_have_text("11,997")
    with monitor_site(empty_status(), port=site.port):
        expect(page.locator("#notice")).to_be_hidden(timeout=LATER_MS)
        expect(page.get_by_role("heading", level=1)).to_have_text("Nothing has happened yet.")
    with monitor_site(empty_status(), ["on-call admin " + "0" * 64], port=site.port):
        expect(notice).to_contain_text("The monitor answers with an error (HTTP 401) since", timeout=LATER_MS)
    page.close()


def test_browser_that_has_logged_in_stays_so(browser: Browser) -> None:
    """It sends the key with every update, and is not asked again."""
    key, line = new_key("on-call", ["admin"])
    with monitor_site(rich_status(), [line]) as site:
        page = browser.new_page(http_credentials={"username": "", "password": key})
        page.goto(site.url)
        site.status = empty_status()
        expect(page.get_by_role("heading", level=1)).to_have_text("Nothing has happened yet.", timeout=LATER_MS)
        page.close()


def test_features_are_opened_by_keyboard(visit: Visit, site: MonitorSite) -> None:
    """Everything is reached by Tab, in the order of the page; Enter shows a feature's distribution."""
    page = visit("/")
    every = (
        page.locator("a, button, summary, .scroll")
        .filter(visible=True)
        .evaluate_all("elements => elements.map((element, i) => { element.dataset.place = i; return i })")
    )
    reached = []
    for _ in every:
        page.keyboard.press("Tab")
        reached.append(page.evaluate("Number(document.activeElement.dataset.place ?? -1)"))
    assert reached == every
    feature = page.locator(".drift summary").first
    feature.focus()
    page.keyboard.press("Enter")
    opened = page.locator(".drift details").first
    expect(opened.locator("canvas")).to_be_visible()
    (shift,) = [shift for shift in told(site)["shifts"] if shift["name"] == "spend"]
    assert [row[2] for row in cells(opened.locator("table"))] == [f"{100 * share:.1f}%" for share in shift["now"]]
    expect(feature).to_contain_text("drifted")


def test_colours_follow_the_scheme(visit: Visit, site: MonitorSite) -> None:
    """Charts are drawn anew when the system turns dark."""
    assert site.active
    page = visit("/", color_scheme="light")
    colour = "Chart.getChart(document.querySelector('canvas')).data.datasets[0].backgroundColor"
    drawn(page, "answers")
    light = page.evaluate(colour)
    page.emulate_media(color_scheme="dark")
    deadline = time.monotonic() + LATER_MS / 1000
    while page.evaluate(colour) == light:  # the policy forbids what Playwright would wait with
        assert time.monotonic() < deadline
        page.wait_for_timeout(50)


def test_without_a_script_the_numbers_are_there(visit: Visit, site: MonitorSite) -> None:
    """The headline and every table; no empty frame of a chart, no button that does nothing."""
    page = visit("/", java_script_enabled=False)
    expect(page.get_by_role("heading", level=1)).to_have_text(f"{site.status.sentence}.")
    expect(page.locator("figure:visible")).to_have_count(0)
    expect(page.get_by_role("button")).to_have_count(0)
    page.get_by_text("The numbers of Answers per hour").click()
    expect(page.locator("#answers tbody tr")).to_have_count(24)


def test_hostile_names_are_text(visit: Visit, site: MonitorSite) -> None:
    """Nothing of them runs, also not when they come with an update, nor in what is opened."""
    page = visit("/")
    site.status = hostile_status(AT + timedelta(seconds=1))
    expect(page.locator("#at")).to_have_text("14:03:08 UTC", timeout=LATER_MS)
    unfold(page)
    expect(page.locator(".drift canvas:visible")).to_have_count(2)
    expect(page.locator("img, main script")).to_have_count(0)
    expect(page.get_by_role("heading", level=1)).to_contain_text("<script>alert(2)</script>")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@every_status
def test_the_dashboard_is_accessible(visit: Visit, site: MonitorSite, name: str, scheme: str) -> None:
    """Axe finds nothing, with everything unfolded. The policy would keep its script out."""
    site.status = EVERY[name]()
    page = visit("/", bypass_csp=True, color_scheme=scheme)
    unfold(page)
    found = Axe().run(page).response["violations"]
    assert [(v["id"], [node["html"] for node in v["nodes"]][:3]) for v in found] == []


@pytest.mark.parametrize(("scheme", "width"), [(s, w) for s in ("light", "dark") for w in (1280, 768, 360)])
@every_status
def test_the_dashboard_fits_every_screen(  # noqa: PLR0917 - pytest gives them by name
    visit: Visit, site: MonitorSite, name: str, scheme: str, width: int, tmp_path: Path
) -> None:
    """Nothing is wider than the screen, folded or not; a picture is kept among the temporary files."""
    site.status = EVERY[name]()
    page = visit("/", color_scheme=scheme, viewport={"width": width, "height": 900})
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    page.screenshot(path=tmp_path / f"dashboard-{name}-{scheme}-{width}.png", full_page=True)
    fits = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    assert page.evaluate(fits)
    unfold(page)
    assert page.evaluate(fits)
    for panel in page.locator("article").all():
        assert panel.evaluate("element => element.scrollWidth <= element.clientWidth + 1"), panel.get_attribute(
            "aria-labelledby"
        )


def test_status_is_of_the_schema(site: MonitorSite) -> None:
    """What the page's numbers were compared with is a `Status`."""
    assert msgspec.convert(told(site), Status) == site.status
