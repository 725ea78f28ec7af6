"""Rows 17, 18, 20, 28 and 29 of the matrix, as far as they come over HTTP."""

import asyncio
import gzip
import http.client
import json
import math
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from redis import Redis

from tests.faults.conftest import Times
from tests.faults.test_inputs import IDS, numbers, peak_mb
from tests.fuzz.hostile import HUGE_JSON, JSON
from tests.integration.api import ApiProcess, ApiSite, api_site
from tests.integration.worker import redis_contents

CANARY = "canary7391"
JSON_TYPE = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiSite]:
    """An API with one known customer, c1."""
    with api_site(tmp_path_factory.mktemp("web"), "c1") as one:
        yield one


def assert_well(web: ApiSite, response: httpx.Response) -> None:
    """A problem of the caller's, or an answer; no number in it that is not finite; no mistake in the log."""
    assert response.status_code < 500, response.text
    for number in numbers(json.loads(response.content, parse_constant=pytest.fail)):
        assert math.isfinite(number)
    assert "Traceback" not in web.api.log.read_text()


def test_row_17_hostile_json_over_http(web: ApiSite, times: Times) -> None:
    """Every hostile number, text and nesting, in every place of a body: 4xx, or an answer."""
    times(1, 1)
    templates = (
        ("/predict", b'{"tenure":%b}'),
        ("/predict", b"%b"),
        ("/predict/batch", b'[{"customer":%b}]'),
        ("/predict/batch", b'[{"customer":"c1","at":%b}]'),
        (
            "/v2/models/churn-splines/infer",
            b'{"inputs":[{"name":"features","shape":[1,1],"datatype":"FP64","data":[%b]}]}',
        ),
    )
    for path, template in templates:
        for piece in (*JSON, *HUGE_JSON):
            body = template.replace(b"%b", piece)
            if len(body) < 100_000 or piece is HUGE_JSON[0]:
                assert_well(web, web.client.post(path, content=body, headers=JSON_TYPE))


def test_row_18_customer_ids_over_http(web: ApiSite, times: Times) -> None:
    """Each id, in the query, the path and a batch: 4xx or could-not-compute with the reason, and no key is touched."""
    times(1, 1)
    with Redis(port=web.redis.port) as redis:
        for key in ("x", "*", "applied", "1"):
            redis.set(key, "not ours")
        before = redis_contents(redis), {key: redis.get(key) for key in redis.scan_iter()}
        for one in IDS:
            sent = quote(one, safe="")
            for response in (
                web.client.get(f"/predict?customer={sent}"),
                web.client.get(f"/explain?customer={sent}"),
                web.client.get(f"/customers/{sent}/features"),
                web.client.post("/predict/batch", json=[{"customer": one}]),
            ):
                assert_well(web, response)
                assert (
                    response.status_code in {404, 414, 422, 431}
                    or "unknown-customer" in response.text
                    or ("missing" in response.text)
                )
        assert before == (redis_contents(redis), {key: redis.get(key) for key in redis.scan_iter()})


def test_row_20_compressed_bomb_over_http(web: ApiSite, times: Times) -> None:
    """A gzip body that is large when unpacked: 413, and hardly any memory; a small one is unpacked."""
    times(1, 1)
    headers = {**JSON_TYPE, "Content-Encoding": "gzip"}
    before_mb = peak_mb(web.process_id)
    for size in (200_000, 90_000_000):  # as large as fits packed into what a body may have
        response = web.client.post("/predict", content=gzip.compress(b" " * size), headers=headers)
        assert response.status_code == 413
    assert web.client.post("/predict", content=b"no gzip", headers=headers).status_code == 400
    assert web.client.post("/predict", content=gzip.compress(b'{"tenure":3}'), headers=headers).status_code == 200
    other = web.client.post("/predict", content=b"x", headers=JSON_TYPE | {"Content-Encoding": "br"})
    assert (other.status_code, other.headers["accept-encoding"]) == (415, "gzip, identity")
    assert peak_mb(web.process_id) - before_mb < 30


def test_row_28_personal_data_over_http(web: ApiSite, times: Times) -> None:
    """A canary in every place that a caller can write to is in no log line and no metric."""
    times(1, 1)
    key = {"Authorization": f"Bearer {CANARY}", "X-Request-Id": f"{CANARY} x", "Cookie": CANARY, "Referer": CANARY}
    for path in (f"/predict?customer={CANARY}", f"/predict?customer=c1&at={CANARY}", f"/predict?{CANARY}=1",
                 f"/explain?customer={CANARY}%00", f"/customers/{CANARY}/features", f"/{CANARY}",
                 f"/v2/models/{CANARY}"):  # fmt: skip
        web.client.get(path)
        web.client.get(path, headers=key)
        web.client.request("DELETE", path)
    bodies = [b'{"%s":1}', b'{"tenure":"%s"}', b"%s", b'[{"customer":"%s"}]', b'[{"customer":"%s \xff"}]']
    for path in ("/predict", "/predict/batch", "/v2/models/churn-splines/infer"):
        for body in bodies:
            for kind in ("application/json", "application/x-ndjson", CANARY):
                web.client.post(path, content=body.replace(b"%s", CANARY.encode()), headers={"Content-Type": kind})
    web.redis.process.pause()
    try:
        assert web.client.get(f"/predict?customer={CANARY}").status_code == 503
    finally:
        web.redis.process.resume()
    assert CANARY not in web.api.log.read_text()
    assert CANARY not in web.client.get("/metrics").text


def test_row_29_abuse(web: ApiSite, times: Times, record_property: Callable[[str, object], None]) -> None:
    """No key, slow senders, 10 MB, 100,000 rows: each refused; the p99 of a good client at most doubles."""
    seconds = times(60, 3)
    undisturbed_s = _latencies(web, seconds)
    stop = threading.Event()
    statuses: dict[str, set[int]] = {}

    def abuse(name: str, request: httpx.Request) -> None:
        with httpx.Client(base_url=web.api.url, timeout=30) as client:
            while not stop.wait(0.05):
                statuses.setdefault(name, set()).add(client.send(request).status_code)

    url = web.api.url
    ndjson = web.headers | {"Content-Type": "application/x-ndjson"}
    requests = {
        "no key": httpx.Request("GET", f"{url}/predict?customer=c1"),
        "wrong key": httpx.Request("GET", f"{url}/predict?customer=c1", headers={"Authorization": "Bearer x"}),
        "10 MB": httpx.Request("POST", f"{url}/predict", content=b"x" * 10_000_000, headers=web.headers | JSON_TYPE),
        "100,000 rows": httpx.Request("POST", f"{url}/predict/batch", content=b"{}\n" * 30_000, headers=ndjson),
    }
    threads = [threading.Thread(target=abuse, args=item) for item in requests.items()]
    threads.append(threading.Thread(target=_slowly, args=(web, stop, statuses)))
    for thread in threads:
        thread.start()
    disturbed_s = _latencies(web, seconds)
    stop.set()
    for thread in threads:
        thread.join()
    assert statuses == {
        "no key": {401}, "wrong key": {401}, "10 MB": {413}, "100,000 rows": {422}, "slow": {408},
    }  # fmt: skip
    before_ms, during_ms = _p99_ms(undisturbed_s), _p99_ms(disturbed_s)
    record_property("remark", f"p99 {during_ms:.1f} ms, undisturbed {before_ms:.1f} ms")
    # A few seconds on a machine that does other things tell nothing of a p99.
    assert during_ms <= (2 * before_ms if seconds > 3 else 1000)


def test_row_29_ten_times_the_allowed_rate(web: ApiSite, times: Times, tmp_path: Path) -> None:
    """The one who asks too often gets 429 for what is too much; another client gets its answers."""
    times(1, 1)
    api = ApiProcess({**web.environment, "CHURN_API_RATE_PER_S": "20"}, tmp_path / "api.log")

    async def flood() -> list[int]:
        limits = httpx.Limits(max_connections=20)
        async with httpx.AsyncClient(base_url=api.url, headers=web.headers, limits=limits, timeout=None) as client:
            responses = await asyncio.gather(*[client.get("/model") for _ in range(400)])
            return [response.status_code for response in responses]

    try:
        api.wait()
        assert set(asyncio.run(flood())) == {200, 429}
        assert httpx.get(f"{api.url}/explain?customer=c1", headers=web.other).status_code == 200
    finally:
        api.end()


def _latencies(web: ApiSite, seconds: float) -> list[float]:
    """How long each answer took that a good client got."""
    connection = http.client.HTTPConnection("127.0.0.1", web.api.port, timeout=10)
    took_s: list[float] = []
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        began_s = time.perf_counter()
        connection.request("GET", "/explain?customer=c1", headers=web.other)
        response = connection.getresponse()
        response.read()
        assert response.status == 200
        took_s.append(time.perf_counter() - began_s)
        time.sleep(0.01)
    connection.close()
    return took_s


def _p99_ms(took_s: list[float]) -> float:
    return 1000 * sorted(took_s)[int(0.99 * len(took_s))]


def _slowly(web: ApiSite, stop: threading.Event, statuses: dict[str, set[int]]) -> None:
    """Begin bodies and never end them, five at a time."""
    head = (
        "POST /predict HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 100\r\nAuthorization: "
    )
    while not stop.is_set():
        senders = [socket.create_connection(("127.0.0.1", web.api.port), 10) for _ in range(5)]
        for sender in senders:
            sender.sendall(f"{head}{web.headers['Authorization']}\r\n\r\n{{".encode())
        for sender in senders:
            statuses.setdefault("slow", set()).add(int(sender.recv(1000).split()[1]))
            sender.close()
