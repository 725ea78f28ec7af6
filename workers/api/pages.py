"""Pages for people, from the templates beside this file; nothing in them is fetched from elsewhere."""

import base64
import hashlib
import re
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from schemas.http import Explanation, ModelCard
from workers.api.messages import HTML, Response

_ENVIRONMENT = Environment(
    loader=PackageLoader("workers.api"), autoescape=select_autoescape(default=True), undefined=StrictUndefined
)


def explanation_page(explanation: Explanation) -> Response:
    """A customer's score with a waterfall chart."""
    return _page("explain.html", explanation=explanation)


def model_page(card: ModelCard) -> Response:
    """The model card."""
    return _page("model.html", card=card)


def _page(template: str, **values: Any) -> Response:
    html = _ENVIRONMENT.get_template(template).render(**values)
    return Response(200, html.encode(), HTML, ((b"content-security-policy", _policy(html).encode()),))


@cache
def _hash(style: str) -> str:
    return base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()


def _policy(html: str) -> str:
    """Only the styles that are in the page itself; no scripts, no other sites."""
    styles = " ".join(f"'sha256-{_hash(style)}'" for style in re.findall(r"<style>(.*?)</style>", html, re.DOTALL))
    return f"default-src 'none'; style-src {styles}; img-src data:; frame-ancestors 'none'; form-action 'self'"
