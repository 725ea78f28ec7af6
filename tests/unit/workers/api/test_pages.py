"""The pages as text: everything is said, nothing hostile gets through, nothing is fetched."""

import asyncio
import re
from html import escape
from html.parser import HTMLParser
from importlib.resources import files
from typing import Any

import msgspec
import pytest

from model.state import CustomerState
from schemas.http import Explanation, FieldError
from schemas.scores import FeatureValue
from tests.unit.model.test_scoring import SCORER, answer, known
from workers.api import words
from workers.api.batches import Answer
from workers.api.explain import Explain, explanation, model_card
from workers.api.messages import Limits, Request, Response
from workers.api.pages import MOST_CHANGES, explanation_page, model_page, problem_page
from workers.api.problems import ApiError, invalid, missing, unavailable

VOID = {"meta", "link", "input"}
HOSTILE = "<script>alert(1)</script>\"'&"


class Checker(HTMLParser):
    """Fails when tags are not closed in turn, when an id comes twice, or when something would run or be fetched."""

    def __init__(self, page: Response) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.text: list[str] = []
        assert isinstance(page.body, bytes)
        self.feed(page.body.decode())
        assert not self.open
        assert len(set(self.ids)) == len(self.ids)
        assert all(link[1:] in self.ids for link in self.links if link.startswith("#"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Look at a tag and its attributes."""
        assert tag not in {"script", "iframe", "img", "object"}
        for name, value in attrs:
            assert not name.startswith("on")
            assert name not in {"src", "style"}
            if name == "id":
                self.ids.append(value or "")
            if name in {"href", "action"}:
                self.links.append(value or "")
                assert not re.match(r"(?!data:,)[a-z]+:|//", value or "")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """What is closed at once, as `<line/>`, is not open afterwards."""
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        """The tag that was opened last is the one that is closed."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Keep the text."""
        self.text.append(data)


def said(page: Response) -> str:
    """The text of a page that passed the checks."""
    return " ".join(" ".join(Checker(page).text).split())


def explained(*, customer: str = "1234", state: CustomerState | None = None) -> Explanation:
    """The explanation of a customer's state."""
    (score,) = answer(state or known())
    return explanation(customer, Answer(score, SCORER))


def test_the_page_says_everything() -> None:
    """The answer, reasons, every part and feature, what would change it, and the model."""
    found = explained()
    score = found.score
    assert score.probability is not None
    assert score.action is not None
    text = said(explanation_page(found))
    assert words.percent(score.probability) in text
    assert f"{score.band} risk {words.ACTIONS[score.action]}" in text
    for reason in score.reasons:
        assert f"{reason.text} {'Raises' if reason.contribution > 0 else 'Lowers'} the risk" in text
    for part in found.parts:
        assert text.count(words.signed(part.contribution)) >= 3  # in the chart, its text alternative and the table
    assert score.model.version in text
    assert "As of 30 June 2026, 00:00 UTC" in text
    assert "Be wary" not in text


def test_changes_are_sentences() -> None:
    """The nearest ones are seen, the others unfold."""
    found = explained()
    page = explanation_page(found)
    (first, *_) = found.changes
    assert f"The risk would be {first.band} with one of these" in said(page)
    many = msgspec.structs.replace(found, changes=[first] * (MOST_CHANGES + 2))
    assert "2 more that would need a greater change" in said(explanation_page(many))
    assert said(explanation_page(many)).count(" instead of ") == MOST_CHANGES + 2


def test_could_not_compute_says_why() -> None:
    """Without a score there is a reason and what to do, no chart and no parts."""
    text = said(explanation_page(explained(state=CustomerState.new())))
    assert "No score" in text
    assert "No customer.registered event is known for this customer." in text
    assert words.PROBLEMS["unknown-customer"] in text
    assert "Waterfall" not in text
    assert "not known" in text


def test_flags_are_named() -> None:
    """What is old or not known is said before it is read as certain."""
    found = explained()
    cells = found.score.features | {"spend": FeatureValue(0.0, 10**7, "stale")}
    score = msgspec.structs.replace(found.score, flags=["spend"], features=cells)
    text = said(explanation_page(msgspec.structs.replace(found, score=score)))
    assert "Be wary. Old or not known: spend." in text
    assert "116 days ago old" in text


def test_hostile_text_is_escaped() -> None:
    """Whatever an id or a reason has in it is text."""
    found = explained(customer=HOSTILE)
    (reason, *_) = found.score.reasons
    score = msgspec.structs.replace(found.score, reasons=[msgspec.structs.replace(reason, text=HOSTILE)])
    for page in (
        explanation_page(msgspec.structs.replace(found, score=score)),
        problem_page(invalid("customer", HOSTILE, "an id")),
    ):
        assert "alert(1)" in said(page)
        assert isinstance(page.body, bytes)
        assert HOSTILE not in page.body.decode()
    assert escape("<script>") in str(page.body)


def test_policy_allows_the_page_its_style_and_nothing_else() -> None:
    """The hash is there; no scripts, no frames, no other sites."""
    headers = dict(model_page(model_card(SCORER)).headers)
    policy = headers[b"content-security-policy"].decode()
    assert re.search(r"style-src 'sha256-[A-Za-z0-9+/]{43}='", policy)
    assert "unsafe" not in policy
    assert policy.startswith("default-src 'none'")


def test_model_page_is_the_card() -> None:
    """Metrics, data, features and limits."""
    card = model_card(SCORER)
    text = said(model_page(card))
    for value in (card.roc_auc, card.log_loss, card.brier, card.calibration_error):
        assert f"{value:.3f}" in text
    assert all(words.name(feature.name) in text for feature in card.features)
    assert "It reads age group. That may need a legal basis" in text
    nothing_personal = msgspec.structs.replace(card, features=[f for f in card.features if f.name != "age_group"])
    assert "legal basis" not in said(model_page(nothing_personal))


@pytest.mark.parametrize(
    ("error", "heading"),
    [
        (missing("customer", "an id"), "How likely is a customer to leave, and why?"),
        (invalid("customer", "-2", "an id"), "Something that was sent is not as expected"),
        (unavailable("Redis: away", 1), "The features cannot be read right now"),
    ],
)
def test_problems_are_readable(error: ApiError, heading: str) -> None:
    """A page with the sentence of the problem, its status and its headers, and a form."""
    page = problem_page(error)
    assert heading in said(page)
    assert (error.detail[1:] in said(page)) == (heading[0] != "H")
    assert page.status == error.details("").status
    assert {*error.headers} <= {*page.headers}
    assert isinstance(page.body, bytes)
    assert b"<form" in page.body


class Answers:
    """Stands for what answers requests by customer."""

    def __init__(self, state: CustomerState) -> None:
        (score,) = answer(state)
        self.given = Answer(score, SCORER)

    async def ask(self, _: object) -> Answer:
        """Give the answer."""
        return self.given


class Parts:
    """Stands for the answering and for the models."""

    def __init__(self) -> None:
        self.customers, self.scorer = Answers(known()), SCORER


def ask(path: str, query: str, accept: str) -> Response:
    """Ask the handlers as a program or as a browser does."""
    parts: Any = Parts()
    handlers = {route.path: route.handler for route in Explain(parts, parts).routes()}
    scope = {"query_string": query.encode(), "headers": [(b"accept", accept.encode())]}

    async def receive() -> dict[str, Any]:
        return {}

    return asyncio.run(handlers[path](Request(scope, receive, "r1", {}, Limits(1, 1))))  # type: ignore[arg-type]


def test_people_get_pages_and_programs_json() -> None:
    """By what they accept; a problem is a page only for a browser."""
    browser, program = "text/html,application/xhtml+xml", "*/*"
    assert "Customer 1234" in said(ask("/explain", "customer=1234", browser))
    assert "The model in service" in said(ask("/model", "", browser))
    as_json = ask("/explain", "customer=1234", program)
    assert isinstance(as_json.body, bytes)
    assert msgspec.json.decode(as_json.body, type=Explanation).customer == "1234"
    assert ask("/model", "", program).content_type == "application/json"
    assert ask("/explain", "customer=-", browser).status == 422
    with pytest.raises(ApiError):
        ask("/explain", "customer=-", program)


def test_a_wrong_field_is_no_first_visit() -> None:
    """The greeting is for those who have sent nothing."""
    error = ApiError("invalid", "x", [FieldError("customer", None, "y"), FieldError("at", "z", "y")])
    assert "Something that was sent" in said(problem_page(error))


def test_templates_are_where_the_package_is() -> None:
    """They are data of the package, so that an installed one has them."""
    names = {path.name for path in (files("workers.api") / "templates").iterdir()}
    assert {"base.html", "docs.html", "explain.html", "model.html", "problem.html", "style.css"} <= names
