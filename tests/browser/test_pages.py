"""The pages as a browser shows them: the same numbers as the JSON, safe, accessible, and readable on a phone."""

import os
import re
import subprocess
import urllib.parse
from pathlib import Path
from typing import Any

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.conftest import NOW, Visit

pytestmark = pytest.mark.browser

AT = NOW.strftime("at=%Y-%m-%dT%H:%M:%SZ")  # one moment, so that ages do not change between two requests
EXPLAIN = f"/explain?customer=1234&{AT}"
EVERY = {"explain": EXPLAIN, "loyal": "/explain?customer=loyal@example", "new": "/explain?customer=new",
         "unknown": "/explain?customer=nobody", "form": "/explain", "wrong": "/explain?customer=-", "model": "/model",
         "docs": "/docs"}  # fmt: skip
every_page = pytest.mark.parametrize("path", [pytest.param(path, id=name) for name, path in EVERY.items()])
HOSTILE = "<img src=x onerror=alert(1)>\"'><script>alert(2)</script>"


def told(address: str, path: str) -> Any:
    """What the API answers to a program."""
    return httpx.get(address + path, timeout=10).raise_for_status().json()


def signed(number: float) -> str:
    """As the pages write log-odds."""
    return f"{number:+.2f}".replace("-", "−")


def number(text: str) -> float:
    """The other way round."""
    return float(text.replace("−", "-"))


def cells(page: Page) -> list[list[str]]:
    """The table of features: name, value, newest event, part."""
    rows = page.locator("tbody tr")
    return [
        [text.split("\n")[0].strip() for text in row.locator("th, td").all_inner_texts()] for row in rows.all()
    ]  # fmt: skip


def test_the_page_has_the_numbers_of_the_api(visit: Visit, address: str) -> None:
    """Probability, band, reasons, every feature's value and part, and the model."""
    page, found = visit(EXPLAIN), told(address, EXPLAIN)
    score = found["score"]
    expect(page).to_have_title("Customer 1234 · Churn")
    expect(page.locator(".probability")).to_contain_text(re.compile(rf"^{100 * score['probability']:.0f}% likely"))
    expect(page.locator(".band")).to_have_text(f"{score['band']} risk")
    sentences = [text.split("\n")[0].strip() for text in page.locator(".reasons li").all_inner_texts()]
    assert sentences == [reason["text"] for reason in score["reasons"]]
    rows = cells(page)
    assert [row[0] for row in rows] == [part["feature"].replace("_", " ") for part in found["parts"]]
    assert [row[3] for row in rows] == [signed(part["contribution"]) for part in found["parts"]]
    values = {row[0]: row[1] for row in rows}
    assert values["spend"] == f"{score['features']['spend']['value']:,.2f}"
    assert values["complaints"] == "1 event"
    assert (values["status"], values["age group"]) == ("inactive", "group 2")
    ages = {row[0]: row[2] for row in rows}
    assert (ages["complaints"], ages["spend"]) == ("1 day ago", "200 days ago old")
    expect(page.locator(".source")).to_contain_text(f"{score['model']['name']}, version {score['model']['version']}")
    assert page.locator("time").get_attribute("datetime") == NOW.isoformat()


def test_parts_add_up_in_the_chart(visit: Visit, address: str) -> None:
    """A bar for each part, as long as it, and each begins where the one before it ended."""
    page, found = visit(EXPLAIN), told(address, EXPLAIN)
    chart = page.get_by_role("img", name="Waterfall chart")
    numbers = [number(text) for text in chart.locator(".part").all_text_contents()]
    contributions = [part["contribution"] for part in found["parts"]]
    logits = [found["baseline"], *contributions, found["baseline"] + sum(contributions)]
    assert numbers == [number(signed(logit)) for logit in logits]
    boxes = [bar.bounding_box() for bar in chart.locator(".bar").all()]
    assert len(boxes) == len(contributions)
    widths = [box["width"] for box in boxes if box]
    strengths = [abs(contribution) for contribution in contributions]
    for width, strength in zip(widths, strengths, strict=True):
        assert width == pytest.approx(widths[0] * strength / strengths[0], abs=4)
    tops = [box["y"] for box in boxes if box]
    assert tops == sorted(tops)
    described = chart.locator("desc").text_content() or ""
    assert all(signed(logit) in described for logit in logits)


def test_unknown_customer_is_told_why(visit: Visit) -> None:
    """No score, the reason, and no chart."""
    page = visit("/explain?customer=nobody")
    expect(page.locator(".probability")).to_have_text("No score")
    expect(page.locator(".answer")).to_contain_text("No customer.registered event is known for this customer.")
    expect(page.locator("svg")).to_have_count(0)
    expect(page.locator("tbody tr").first).to_contain_text("not known")


@pytest.mark.parametrize("query", ["customer={}", "customer=1234&at={}", "{}=1"])
def test_hostile_queries_are_text(visit: Visit, query: str) -> None:
    """They are shown, in a page with status 422, and nothing of them runs."""
    page = visit("/explain?" + query.format(urllib.parse.quote(HOSTILE)))
    expect(page.get_by_role("alert")).to_contain_text("<script>alert(2)")
    expect(page.locator("img, script")).to_have_count(0)


def test_another_customer_is_asked_for_by_keyboard(visit: Visit) -> None:
    """From the greeting, by Tab and Enter only; a wrong id does not leave the form."""
    page = visit("/explain")
    expect(page.get_by_role("heading", level=1)).to_have_text("How likely is a customer to leave, and why?")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_in_viewport()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type("no spaces")
    page.keyboard.press("Enter")
    assert page.url.endswith("/explain#main")
    page.keyboard.press("Control+a")
    page.keyboard.type("loyal@example")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Customer loyal@example")


def test_model_page_has_the_numbers_of_the_api(visit: Visit, address: str) -> None:
    """The metrics, and a line for each feature."""
    page, card = visit("/model"), told(address, "/model")
    (metrics, features) = page.locator("tbody").all()
    shown = metrics.locator("td").all_text_contents()
    assert shown == [f"{card[name]:.3f}" for name in ("roc_auc", "calibration_error", "log_loss", "brier")]
    expect(features.locator("tr")).to_have_count(len(card["features"]))
    expect(page.get_by_role("main")).to_contain_text(f"{card['customers']}, of whom {card['leavers']} left")


def test_docs_list_every_operation(visit: Visit, address: str) -> None:
    """The front door leads to them, and each link of the list to its operation."""
    page, document = visit("/"), told(address, "/openapi.json")
    assert page.url == address + "/docs"
    wanted = {f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods}
    links = page.get_by_role("navigation", name="Operations").get_by_role("link")
    assert {" ".join(text.split()) for text in links.all_inner_texts()} == wanted
    for link in links.all():
        link.click()
        expect(page.locator(":target h2")).to_have_text(
            re.compile(r"\s*".join(map(re.escape, link.inner_text().split())))
        )


def test_commands_of_the_docs_work(visit: Visit, address: str) -> None:
    """Every command that can be copied is answered with 200, by the API that shows it."""
    lines = visit("/docs").locator(".curl").all_text_contents()
    assert len(lines) >= 15
    environment = os.environ | {"CHURN": address, "KEY": "none"}
    for line in lines:
        command = f"{line} --silent --show-error --output /dev/null --write-out '%{{http_code}}'"
        ended = subprocess.run(["bash", "-c", command], env=environment, capture_output=True, text=True, check=True)
        assert ended.stdout == "200", line


@pytest.mark.parametrize("scheme", ["light", "dark"])
@every_page
def test_pages_are_accessible(visit: Visit, path: str, scheme: str) -> None:
    """Axe finds nothing: names, headings, landmarks, contrast. The policy would keep its script out."""
    page = visit(path, bypass_csp=True, color_scheme=scheme)
    for unfolding in page.locator("summary").all():
        unfolding.click()
    found = Axe().run(page).response["violations"]
    assert [(v["id"], [node["html"] for node in v["nodes"]][:3]) for v in found] == []


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"color_scheme": scheme, "viewport": {"width": width, "height": 800}}, id=f"{scheme}-{width}")
        for scheme in ("light", "dark")
        for width in (1000, 360)
    ],
)
@every_page
def test_pages_fit_every_screen(
    visit: Visit, path: str, options: dict[str, Any], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Nothing is wider than the screen; a picture of each is kept among the temporary files."""
    page = visit(path, **options)
    page.screenshot(path=tmp_path / f"{request.node.callspec.id}.png", full_page=True)
    for unfolding in page.locator("summary").all():
        unfolding.click()
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(255, 255, 255)") == (options["color_scheme"] == "light")


def test_paper_has_no_form(visit: Visit) -> None:
    """What cannot be used on paper is not printed."""
    page = visit(EXPLAIN)
    page.emulate_media(media="print")
    expect(page.locator("form")).to_be_hidden()
    expect(page.locator("svg")).to_be_visible()
