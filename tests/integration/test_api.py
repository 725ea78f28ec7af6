"""The HTTP API as a process: what it answers, and to what it says no."""

import http.client
import math
import os
import re
import shutil
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from redis import Redis

from churn.stack.ports import free_port
from model.artifact import save
from model.scoring import Question
from model.state import CustomerState
from schemas.cloudevents import from_ms
from schemas.http import BatchItem, CustomerFeatures, Explanation, ProblemDetails
from schemas.partitioning import partition_of
from schemas.scores import Score
from tests.conftest import PARTITIONS, Churn
from tests.integration.api import ApiProcess, ApiSite, api_site, with_key, write_states
from tests.unit.model.test_scoring import SCORER, known
from tests.unit.model.test_training import ARTIFACT
from workers.keys import customer_key

AT_MS = known().newest_ms + 86_400_000
AT = from_ms(AT_MS).isoformat().replace("+00:00", "Z")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiSite]:
    """One site for the module."""
    with api_site(tmp_path_factory.mktemp("api")) as one:
        yield one


@pytest.fixture
def client(site: ApiSite) -> httpx.Client:
    """The client, and one known customer, c1."""
    with Redis(port=site.redis.port) as redis:
        redis.flushall()
    write_states(site.redis.url, {"c1": known()})
    return site.client


def problem(response: httpx.Response, status: int, kind: str) -> ProblemDetails:
    """The problem that a response must be."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    details = msgspec.json.decode(response.content, type=ProblemDetails)
    assert (details.status, details.type) == (status, f"urn:churn:problem:{kind}")
    assert details.request_id == response.headers["x-request-id"]
    return details


def score_of(response: httpx.Response) -> Score:
    """The score that a response must be."""
    assert response.status_code == 200, response.text
    return msgspec.json.decode(response.content, type=Score)


def direct(state: CustomerState, at_ms: int = AT_MS) -> Score:
    """What the model says by itself."""
    (score,) = SCORER.answer([Question(SCORER.vectorizer.read(state, at_ms), "e")], from_ms(at_ms))
    return score


def same(one: Score, other: Score) -> bool:
    """Whether two scores differ in nothing but who asked and when."""
    neutral = {"event_id": "", "scored_at": one.scored_at}
    return msgspec.structs.replace(one, **neutral) == msgspec.structs.replace(other, **neutral)


def test_score_is_that_of_the_model_to_the_last_bit(client: httpx.Client) -> None:
    """As of a stated moment, with the id of the request in place of the event's."""
    response = client.get("/predict", params={"customer": "c1", "at": AT}, headers={"X-Request-Id": "r-1"})
    score = score_of(response)
    assert same(score, direct(known()))
    assert (score.event_id, response.headers["x-request-id"]) == ("r-1", "r-1")
    assert score_of(client.get("/predict", params={"customer_id": "c1", "at": AT})).probability == score.probability


def test_score_is_as_of_now(client: httpx.Client) -> None:
    """Without a moment the features are of now, and older than at their newest event."""
    before_s = time.time()
    score = score_of(client.get("/predict?customer=c1"))
    assert before_s - 1 < score.as_of.timestamp() <= time.time()
    assert score.status == "scored"


def test_unknown_customer_is_answered_everywhere(client: httpx.Client) -> None:
    """200, could-not-compute, unknown-customer: by id, in a batch, explained; and features that say so."""
    explained = msgspec.json.decode(client.get("/explain?customer=nobody").content, type=Explanation)
    rows = client.post("/predict/batch", json=[{"customer": "nobody"}])
    (row,) = msgspec.json.decode(rows.content, type=list[BatchItem])
    assert row.score
    for score in (score_of(client.get("/predict?customer=nobody")), row.score, explained.score):
        assert (score.status, score.probability) == ("could-not-compute", None)
        assert score.problem
        assert score.problem.code == "unknown-customer"
    assert (explained.parts, explained.changes) == ([], [])
    features = msgspec.json.decode(client.get("/customers/nobody/features").content, type=CustomerFeatures)
    assert features.features["tenure"].freshness == "missing"
    assert {cell.freshness for name, cell in features.features.items() if name != "tenure"} == {"default"}


@pytest.mark.parametrize(
    ("query", "field", "expected"),
    [
        ("", "customer", "is missing"),
        ("customer=", "customer", "1 to 64"),
        ("customer=-1", "customer", '"-1"'),
        ("customer=a%0A", "customer", "1 to 64"),
        ("customer=1&customer=2", "customer", "one value"),
        ("customer=1&customer_id=2", "customer_id", "either"),
        ("customer=1&custmer=2", "custmer", "there are customer, at"),
        ("customer=%ff", "query", "UTF-8"),
        ("&".join("abcdefghijklmnopqrstuvwxyz"), "query", "UTF-8"),
        ("customer=c1&at=yesterday", "at", "2026-03-01T12:00:00Z"),
        ("customer=c1&at=2026-03-01T12:00:00", "at", "2026-03-01T12:00:00Z"),
    ],
)
def test_query_that_is_not_as_expected(client: httpx.Client, query: str, field: str, expected: str) -> None:
    """422 that names the field and says what was expected."""
    for path in ("/predict", "/explain"):
        details = problem(client.get(f"{path}?{query}"), 422, "invalid")
        assert details.errors[0].field == field
        assert expected in details.detail


def test_moment_before_the_newest_event(client: httpx.Client) -> None:
    """409: what was then is not kept."""
    details = problem(client.get("/predict?customer=c1&at=2001-01-01T00:00:00Z"), 409, "before-newest-event")
    assert "or later" in details.detail
    item = client.post("/predict/batch", json=[{"customer": "c1", "at": "2001-01-01T00:00:00Z"}])
    (row,) = msgspec.json.decode(item.content, type=list[BatchItem])
    assert row.problem
    assert (row.customer, row.problem.status) == ("c1", 409)


def test_features_of_a_score_give_that_score(client: httpx.Client) -> None:
    """What was read of a customer, stated by a caller, has the same probability and the same reasons."""
    score = score_of(client.get("/predict", params={"customer": "c1", "at": AT}))
    given = {name: cell.value for name, cell in score.features.items()}
    again = score_of(client.post("/predict", json=given))
    assert (again.probability, again.reasons, again.flags) == (score.probability, score.reasons, [])


def test_features_that_are_absent(client: httpx.Client) -> None:
    """They are defaulted and flagged so; without the tenure nothing can be computed."""
    score = score_of(client.post("/predict", json={"tenure": 1.7, "spend": 12, "age_group": None}))
    assert (score.status, score.features["spend"].freshness) == ("scored", "fresh")
    assert "age_group" in score.flags
    without = score_of(client.post("/predict", json={"spend": 12}))
    assert without.problem
    assert (without.problem.code, without.problem.detail[:6]) == ("feature-missing", "tenure")


@pytest.mark.parametrize(
    ("body", "status", "kind", "said"),
    [
        (b"", 400, "not-json", "not JSON"),
        (b"{", 400, "not-json", "not JSON"),
        (b'{"tenure":NaN}', 400, "not-json", "not JSON"),
        (b'{"tenure":1e999}', 422, "invalid", "$.tenure is out of range"),
        (b'{"tenure":"\xff"}', 400, "not-json", "UTF-8"),
        (b"[" * 50_000, 400, "not-json", "deep"),
        (b"[]", 422, "invalid", "$ is []; expected object"),
        (b'{"tenure":"1"}', 422, "invalid", '$.tenure is "1"; expected float | null'),
        (b'{"tenure":true}', 422, "invalid", "$.tenure is true"),
        (b'{"tenure":-1}', 422, "invalid", "$.tenure is -1; expected float >= 0"),
        (b'{"tenure":601}', 422, "invalid", "$.tenure is 601; expected float <= 600"),
        (b'{"tenure":' + b"9" * 5000 + b"}", 422, "invalid", "$.tenure"),
        (b'{"tenur":1}', 422, "invalid", "$.tenur is not known here"),
        (b'{"' + b"x" * 5000 + b'":1}', 422, "invalid", "is not known here"),
    ],
)
def test_body_that_is_not_as_expected(client: httpx.Client, body: bytes, status: int, kind: str, said: str) -> None:
    """Told apart: what is no JSON, and what has a field that is wrong."""
    response = client.post("/predict", content=body, headers={"Content-Type": "application/json"})
    details = problem(response, status, kind)
    assert said in details.detail
    assert len(details.detail) < 500


def test_body_of_another_type(client: httpx.Client) -> None:
    """415 that says what was expected."""
    details = problem(client.post("/predict", data={"a": "b"}), 415, "wrong-content-type")
    assert details.detail == "Content-Type is application/x-www-form-urlencoded; expected application/json"
    details = problem(client.post("/predict/batch", data={"a": "b"}), 415, "wrong-content-type")
    assert "application/x-ndjson" in details.detail


def test_batch_of_lines(client: httpx.Client) -> None:
    """One answer a line, in order; a line that is not as expected fails alone."""
    lines = [b'{"customer":"c1"}', b"junk", b'{"features":{"tenure":3}}', b'{"customer":"?"}', b"{}",
             b'{"features":{"tenure":3},"at":"2026-01-01T00:00:00Z"}', *[b'{"customer":"c1"}'] * 250]  # fmt: skip
    response = client.post(
        "/predict/batch", content=b"\n".join(lines) + b"\n", headers={"Content-Type": "application/x-ndjson"}
    )
    assert (response.status_code, response.headers["content-type"]) == (200, "application/x-ndjson")
    items = [msgspec.json.decode(line, type=BatchItem) for line in response.content.splitlines()]
    assert [item.row for item in items] == list(range(256))
    assert [item.problem.status if item.problem else 200 for item in items[:6]] == [200, 400, 200, 422, 422, 422]
    assert [item.customer for item in items[:6]] == ["c1", None, None, None, None, None]
    assert items[3].problem
    assert "1 to 64 letters" in items[3].problem.detail
    assert {item.score.status for item in items[6:] if item.score} == {"scored"}


def test_batch_as_an_array(client: httpx.Client) -> None:
    """A row that is not as expected fails the whole, and is named; so do too many."""
    rows = [{"customer": "c1"}, {"customer": "c1", "at": AT}, {"features": {"tenure": 2}}]
    items = msgspec.json.decode(client.post("/predict/batch", json=rows).content, type=list[BatchItem])
    assert [item.score.status for item in items if item.score] == ["scored"] * 3
    assert items[1].score
    assert same(items[1].score, direct(known()))
    details = problem(client.post("/predict/batch", json=[*rows, {"customer": "c1", "at": 5}]), 422, "invalid")
    assert details.errors[0].field == "$[3].at"
    details = problem(client.post("/predict/batch", json=[{"customer": "1"}] * 1001), 422, "invalid")
    assert details.detail == '$ is "1,001 rows"; expected at most 1,000 rows'


def test_explanation_adds_up(client: httpx.Client) -> None:
    """Baseline and parts are the log-odds of the score; a change that is made moves the score into its band."""
    response = client.get("/explain", params={"customer": "c1", "at": AT})
    explanation = msgspec.json.decode(response.content, type=Explanation)
    score = explanation.score
    assert same(score, direct(known()))
    assert score.probability
    logit = explanation.baseline + math.fsum(part.contribution for part in explanation.parts)
    assert logit == pytest.approx(math.log(score.probability / (1 - score.probability)), abs=1e-9)
    assert len(explanation.parts) == len(score.features)
    assert explanation.changes
    given = {name: cell.value for name, cell in score.features.items()}
    for change in explanation.changes:
        moved = score_of(client.post("/predict", json=given | {change.feature: change.needed}))
        assert moved.band == change.band != score.band


def test_every_feature_of_a_customer(client: httpx.Client) -> None:
    """Used by the model or not; a bad id in the path is named."""
    found = msgspec.json.decode(client.get("/customers/c1/features").content, type=CustomerFeatures)
    assert found.customer == "c1"
    assert found.features["complaints"].value == 1
    assert found.features["voicemails"].freshness == "default"
    details = problem(client.get("/customers/..%2F..%2Fetc%2Fpasswd/features"), 404, "not-found")
    details = problem(client.get("/customers/-1/features"), 422, "invalid")
    assert details.errors[0].field == "id"


def test_model_is_told(client: httpx.Client) -> None:
    """What it is, what it was trained on, what it reads."""
    card = client.get("/model").json()
    assert card["model"] == {"name": ARTIFACT.manifest.name, "version": ARTIFACT.manifest.version}
    assert [feature["name"] for feature in card["features"]] == ARTIFACT.manifest.features


def test_paths_and_methods_that_are_not_there(client: httpx.Client) -> None:
    """404, and 405 with what is allowed."""
    problem(client.get("/nothing"), 404, "not-found")
    problem(client.get("/customers/1/nothing"), 404, "not-found")
    response = client.delete("/predict")
    problem(response, 405, "wrong-method")
    assert response.headers["allow"] == "GET, POST"


def test_headers_of_every_answer(client: httpx.Client) -> None:
    """No caching, no sniffing, no frames; an id of the caller's that could break a log line is replaced."""
    for path in ("/predict?customer=c1", "/nothing", "/openapi.json"):
        headers = client.get(path, headers={"X-Request-Id": 'a"b c'}).headers
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert re.fullmatch(r"[0-9a-f]{16}-\d+", headers["x-request-id"])
        assert "access-control-allow-origin" not in headers


def test_other_sites_pages(client: httpx.Client) -> None:
    """Only the origins that are set may, and without a key only ask whether."""
    ours, theirs = {"Origin": "https://crm.example"}, {"Origin": "https://evil.example"}
    allowed = client.get("/predict?customer=c1", headers=ours)
    assert allowed.headers["access-control-allow-origin"] == "https://crm.example"
    assert "access-control-allow-origin" not in client.get("/predict?customer=c1", headers=theirs).headers
    preflight = client.options("/predict", headers={**ours, "Authorization": ""})
    assert (preflight.status_code, preflight.content) == (204, b"")
    assert "authorization" in preflight.headers["access-control-allow-headers"]
    problem(client.options("/predict", headers=theirs), 405, "wrong-method")


@pytest.mark.usefixtures("client")
def test_keys_and_scopes(site: ApiSite) -> None:
    """No key and a wrong one: 401; a key without the scope: 403; a browser's Basic will do as well."""
    with httpx.Client(base_url=site.api.url) as stranger:
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic !"}, {"Authorization": "x"}):
            response = stranger.get("/predict?customer=c1", headers=headers)
            problem(response, 401, "no-key")
            assert response.headers["www-authenticate"] == "Bearer"
        page = stranger.get("/explain?customer=c1", headers={"Accept": "text/html"})
        assert page.headers["www-authenticate"].startswith("Basic")
        details = problem(stranger.get("/predict?customer=c1", headers=site.other), 403, "not-allowed")
        assert details.detail == "the key of other has no scope predict"
        assert stranger.get("/explain?customer=c1", headers=site.other).status_code == 200
        key = site.headers["Authorization"].removeprefix("Bearer ")
        assert stranger.get("/predict?customer=c1", auth=("anybody", key)).status_code == 200
        for path in ("/livez", "/readyz", "/v2", "/v2/health/live", "/v2/health/ready", "/openapi.json", "/docs"):
            assert stranger.get(path).status_code == 200
        problem(stranger.get("/metrics"), 401, "no-key")
    assert site.headers["Authorization"][7:] not in site.api.log.read_text()


def test_body_that_is_too_large(site: ApiSite, client: httpx.Client) -> None:
    """413, as soon as it is known: by its length, or when it has become too long."""
    json = {"Content-Type": "application/json"}
    problem(client.post("/predict", content=b" " * 100_001, headers=json), 413, "too-large")
    problem(client.post("/predict", content=iter([b" " * 60_000] * 3), headers=json), 413, "too-large")
    with socket.create_connection(("127.0.0.1", site.api.port), 5) as sender:
        head = f"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n{_authorization(site)}"
        sender.sendall(f"{head}Content-Length: {10**30}\r\n\r\n".encode())
        assert sender.recv(1000).split()[1] in {b"413", b"400"}


def test_body_that_is_too_slow(site: ApiSite, client: httpx.Client) -> None:
    """408 when it has not ended in time; nobody else waits for it."""
    with socket.create_connection(("127.0.0.1", site.api.port), 5) as sender:
        head = f"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n{_authorization(site)}"
        sender.sendall(f"{head}Content-Length: 100\r\n\r\n{{".encode())
        began_s = time.monotonic()
        assert client.get("/predict?customer=c1").status_code == 200
        assert sender.recv(1000).startswith(b"HTTP/1.1 408")
        assert 0.8 < time.monotonic() - began_s < 5


def test_redis_that_is_away(site: ApiSite, client: httpx.Client) -> None:
    """503 with Retry-After within a second, never a hang; features that are stated need no Redis."""
    site.redis.process.pause()
    try:
        began_s = time.monotonic()
        for path in ("/predict?customer=c1", "/explain?customer=c1", "/customers/c1/features", "/readyz",
                     "/v2/health/ready"):  # fmt: skip
            response = client.get(path)
            problem(response, 503, "unavailable")
            assert response.headers["retry-after"] == "1"
        assert time.monotonic() - began_s < 5
        assert client.get("/livez").status_code == 200
        assert score_of(client.post("/predict", json={"tenure": 3})).status == "scored"
    finally:
        site.redis.process.resume()
    assert client.get("/readyz").status_code == 200
    assert score_of(client.get("/predict?customer=c1")).status == "scored"


def test_damaged_states_are_told(site: ApiSite, client: httpx.Client) -> None:
    """503 for that customer alone, by id and by features; others asked at the same time are answered."""
    with Redis(port=site.redis.port) as redis:
        redis.set(customer_key(partition_of("bad", PARTITIONS), "bad"), b"junk")
        redis.rpush(customer_key(partition_of("list", PARTITIONS), "list"), "x")
    for customer in ("bad", "list"):
        problem(client.get(f"/predict?customer={customer}"), 503, "unavailable")
        problem(client.get(f"/customers/{customer}/features"), 503, "unavailable")
    rows = [{"customer": name} for name in ("bad", "c1", "list", "nobody")]
    items = msgspec.json.decode(client.post("/predict/batch", json=rows).content, type=list[BatchItem])
    assert [item.problem.status if item.problem else 200 for item in items] == [503, 200, 503, 200]


@pytest.mark.usefixtures("client")
def test_requests_in_flight_share_one_read(site: ApiSite) -> None:
    """Sixty that wait together take far fewer reads of Redis, and each gets its own answer."""
    customers = [f"m{n}" for n in range(60)]
    write_states(site.redis.url, dict.fromkeys(customers, known()))
    with ExitStack() as open_:
        waiting = [
            open_.enter_context(closing(http.client.HTTPConnection("127.0.0.1", site.api.port, timeout=30)))
            for _ in customers
        ]
        redis = open_.enter_context(Redis(port=site.redis.port, decode_responses=True))
        redis.config_resetstat()
        os.kill(site.process_id, signal.SIGSTOP)  # until all have asked
        for customer, connection in zip(customers, waiting, strict=True):
            connection.request("GET", f"/predict?customer={customer}&at={AT}", headers=site.headers)
        os.kill(site.process_id, signal.SIGCONT)
        answers = [msgspec.json.decode(connection.getresponse().read(), type=Score) for connection in waiting]
        reads: Any = redis.info("commandstats")
    assert all(same(answer, direct(known())) for answer in answers)
    assert reads["cmdstat_mget"]["calls"] <= len(customers) / 2


def test_newer_model_is_taken_up_while_requests_are_answered(site: ApiSite, client: httpx.Client) -> None:
    """None fails; one that cannot be used is told once and the old one stays."""
    version = "99990101T000000Z"
    manifest = msgspec.structs.replace(ARTIFACT.manifest, version=version)
    save(msgspec.structs.replace(ARTIFACT, manifest=manifest), site.models)
    deadline, seen = time.monotonic() + 10, set[str]()
    while version not in seen:
        assert time.monotonic() < deadline, seen
        seen.add(score_of(client.get("/predict?customer=c1")).model.version)
    assert seen <= {ARTIFACT.manifest.version, version}
    assert "model exchanged version=99990101T000000Z" in site.api.log.read_text()
    worse = site.models / "99990102T000000Z"
    worse.mkdir()
    (worse / "manifest.json").write_text("{")
    time.sleep(2.5)
    assert score_of(client.get("/predict?customer=c1")).model.version == version
    assert site.api.log.read_text().count("the new model cannot be used; the old one stays") == 1
    shutil.rmtree(worse)


def test_counts_and_log_have_no_customer(site: ApiSite, client: httpx.Client) -> None:
    """Paths are those of the routes; the log has the client, the status and the time that it took."""
    client.get("/customers/secret-customer/features", headers={"X-Request-Id": "find-me"})
    client.get("/predict?customer=secret-customer")
    client.get("/secret-customer")
    text = client.get("/metrics").text
    assert 'churn_http_requests_total{path="/customers/{id}/features",status="200"}' in text
    assert 'churn_http_request_seconds_count{path="/predict"}' in text
    log = site.api.log.read_text()
    (line,) = [line for line in log.splitlines() if "find-me" in line]
    assert " INFO request method=GET path=/customers/{id}/features status=200 bytes=" in line
    assert " client=test request_id=find-me" in line
    assert "secret-customer" not in log + text


def test_client_that_asks_too_often(site: ApiSite, tmp_path: Path) -> None:
    """429 with Retry-After; whoever asks less is not held up."""
    environment, other = with_key({**site.environment, "CHURN_API_RATE_PER_S": "5"}, "predict", client="third")
    api = ApiProcess(environment, tmp_path / "api.log")
    try:
        api.wait()
        with httpx.Client(base_url=api.url) as client:
            responses = [client.get("/predict?customer=c1", headers=site.headers) for _ in range(30)]
            refused = [response for response in responses if response.status_code != 200]
            assert 10 <= len(refused) <= 20
            problem(refused[0], 429, "too-often")
            assert refused[0].headers["retry-after"] == "1"
            assert client.get("/predict?customer=c1", headers=other).status_code == 200
    finally:
        api.end()


def test_several_processes_share_port_and_counts(site: ApiSite, tmp_path: Path) -> None:
    """Every process answers; the counts are of all of them; all end when told to."""
    api = ApiProcess(site.environment, tmp_path / "api.log", "--workers", "2")
    try:
        api.wait()
        for _ in range(40):
            httpx.get(f"{api.url}/predict?customer=c1", headers=site.headers).raise_for_status()
        text = httpx.get(f"{api.url}/metrics", headers=site.headers).text
        assert 'churn_http_requests_total{path="/predict",status="200"} 40.0' in text
        assert api.stop() == 0
    finally:
        api.end()


@pytest.mark.usefixtures("client")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stop_answers_what_it_was_asked(site: ApiSite, tmp_path: Path, number: int) -> None:
    """A batch that is being streamed when the signal comes is finished; the exit code is 0."""
    api = ApiProcess(site.environment, tmp_path / "api.log")
    try:
        api.wait()
        rows = b'{"customer":"c1"}\n' * 1000
        headers = {**site.headers, "Content-Type": "application/x-ndjson"}
        with httpx.stream("POST", f"{api.url}/predict/batch", content=rows, headers=headers, timeout=20) as response:
            lines = response.iter_lines()
            next(lines)
            api.process.send_signal(number)
            assert sum(1 for _ in lines) == 999
        assert api.process.wait(30) == 0
        assert "Traceback" not in api.log.read_text()
    finally:
        api.end()


def test_processes_end_with_the_one_that_started_them(site: ApiSite, tmp_path: Path) -> None:
    """`kill -9` of the main process: the others do not go on by themselves, and the port is free."""
    api = ApiProcess(site.environment, tmp_path / "api.log", "--workers", "2")
    api.wait()
    api.process.kill()
    api.process.wait(10)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            socket.create_server(("127.0.0.1", api.port)).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    pytest.fail(f"the port is still taken:\n{api.log.read_text()}")


def test_start_that_cannot_be(churn: Churn, site: ApiSite, tmp_path: Path) -> None:
    """One line and exit code 2 for each thing that is missing or wrong."""
    file = tmp_path / "keys"
    file.write_text("# ours\nnot a key\n")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        for change, said in (
            ({"CHURN_MODELS": str(tmp_path)}, "no model here"),
            ({"REDIS_URL": f"redis://127.0.0.1:{free_port()}"}, "REDIS_URL"),
            ({"REDIS_URL": None}, "REDIS_URL is not set"),
            ({"CHURN_API_PORT": str(taken.getsockname()[1])}, "Address already in use"),
            ({"CHURN_API_HOST": "nowhere.invalid"}, "CHURN_API_HOST"),
            ({"CHURN_API_HOST": "0.0.0.0", "CHURN_API_KEYS": ""}, "others could ask without a key"),
            ({"CHURN_API_HOST": "some.host", "CHURN_API_KEYS": ""}, "others could ask without a key"),
            ({"CHURN_API_KEYS_FILE": str(file)}, "line 4: expected client scope[,scope] sha256"),
            ({"CHURN_API_KEYS_FILE": str(tmp_path / "none")}, "No such file"),
            ({"CHURN_API_KEYS": "a root " + "0" * 64}, "scopes of predict, explain, admin"),
        ):
            environment = {k: v for k, v in {**site.environment, **change}.items() if v is not None}
            ended = churn("api", environment=environment)
            assert (ended.returncode, ended.stdout) == (2, ""), ended
            assert said in ended.stderr
            assert ended.stderr.count("\n") == 1


def test_key_is_made(churn: Churn) -> None:
    """The key, and the line that lets it in; a name with blanks is refused."""
    made = churn("key", "crm", "--scope", "predict", "--scope", "explain")
    first, second = made.stdout.splitlines()
    assert first.startswith("key, for crm: ")
    assert second.startswith("line, for the API: crm predict,explain ")
    refused = churn("key", "the crm")
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)


def _authorization(site: ApiSite) -> str:
    return f"Authorization: {site.headers['Authorization']}\r\n"
