"""What the monitor answers over HTTP: who may read it, whether it is the active one, and how it ends."""

import asyncio
import socket
import subprocess
import sys
from contextlib import suppress

import httpx
import msgspec

from churn.stack.ports import free_port
from schemas.status import Status
from tests.conftest import ROOT
from tests.integration.monitor import monitor_site
from tests.status import empty_status, rich_status
from workers.api.keys import new_key
from workers.monitoring.pages import STATIC
from workers.monitoring.site import serve

BRIEF = """
import asyncio, sys
from workers.monitoring.site import serve

async def main():
    serving = asyncio.ensure_future(serve(None, "127.0.0.1", int(sys.argv[1])))
    await asyncio.sleep(0.05)
    serving.cancel()
    await asyncio.wait([serving])
    print("cancelled" if serving.cancelled() else serving.exception())

asyncio.run(main())
"""


def test_numbers_are_served_as_json_and_as_a_page() -> None:
    """The status as it is, and its page, which other sites may not show."""
    status = rich_status()
    with monitor_site(status) as site:
        told = httpx.get(f"{site.url}/status")
        assert (told.status_code, told.headers["content-type"]) == (200, "application/json")
        assert msgspec.json.decode(told.content, type=Status) == status
        page = httpx.get(site.url)
        assert page.status_code == 200
        assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
        assert page.headers["cache-control"] == "no-store"
        site.status = empty_status()
        assert "Nothing has happened yet." in httpx.get(site.url).text


def test_health_says_whether_it_is_the_active_one() -> None:
    """It lives in any case; one that stands by is not sent requests, and says why."""
    with monitor_site(empty_status()) as site:
        assert httpx.get(f"{site.url}/readyz").status_code == 200
        site.active = False
        assert httpx.get(f"{site.url}/livez").status_code == 200
        problem = httpx.get(f"{site.url}/readyz")
        assert problem.status_code == 503
        assert problem.json()["type"] == "urn:churn:problem:standby"
        assert 'churn_http_requests_total{path="/readyz",status="503"} 1.0' in httpx.get(f"{site.url}/metrics").text


def test_numbers_need_a_key_with_the_scope_admin() -> None:
    """A browser is asked for it; health and what the page loads, which tell nothing, need none."""
    admin, line = new_key("on-call", ["admin"])
    caller, other = new_key("crm", ["predict"])
    with monitor_site(rich_status(), [line, other]) as site:
        for path in ("/", "/status", "/metrics"):
            assert httpx.get(site.url + path).status_code == 401
            assert httpx.get(site.url + path, headers={"authorization": f"Bearer {caller}"}).status_code == 403
            assert httpx.get(site.url + path, auth=("", admin)).status_code == 200
        asked = httpx.get(site.url, headers={"accept": "text/html"})
        assert asked.headers["www-authenticate"].startswith("Basic")
        for path in ("/livez", "/readyz", "/static/dashboard.js"):
            assert httpx.get(site.url + path).status_code == 200


def test_files_of_the_page_are_served_and_no_others() -> None:
    """Each with its type; names that lead elsewhere are none."""
    with monitor_site(empty_status()) as site:
        for name, (_, _, media) in STATIC.items():
            answer = httpx.get(f"{site.url}/static/{name}")
            assert answer.headers["content-type"] == f"{media}; charset=utf-8"
            assert answer.content
        for name in ("", "pages.py", "..%2fpages.py", "../pages.py", "README.md", "style.css/"):
            assert httpx.get(f"{site.url}/static/{name}").status_code == 404


def test_it_listens_on_ipv6() -> None:
    """Where the machine has it."""
    with suppress(OSError), socket.create_server(("::1", 0), family=socket.AF_INET6):
        port = free_port()

        async def ask() -> int:
            serving = asyncio.ensure_future(serve(_hello, "::1", port))
            async with httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(retries=5)) as client:
                code = (await client.get(f"http://[::1]:{port}/")).status_code
            serving.cancel()
            await asyncio.wait([serving])
            return code

        assert asyncio.run(ask()) == 200


def test_process_ends_in_good_order_right_after_it_served() -> None:
    """Also when the server had hardly begun: threads that outlive Python would abort it."""
    for _ in range(3):
        command = [sys.executable, "-c", BRIEF, str(free_port())]
        ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
        assert (ended.returncode, ended.stdout, ended.stderr) == (0, "cancelled\n", "")


async def _hello(_scope: object, _receive: object, send: object) -> None:
    assert callable(send)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})
