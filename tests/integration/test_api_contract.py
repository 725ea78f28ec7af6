"""The API against strangers: a tester of OpenAPI documents, and a client of the Open Inference Protocol."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tritonclient.http as triton

from tests.integration.api import ApiSite, api_site
from tests.unit.model.test_scoring import SCORER
from tests.unit.model.test_training import ARTIFACT

CASES = 60  # of each kind and operation


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiSite]:
    """An API that knows the customer of the document's example."""
    with api_site(tmp_path_factory.mktemp("contract"), "1234") as one:
        yield one


@pytest.mark.timeout(600)
def test_document_is_kept(site: ApiSite, tmp_path: Path) -> None:
    """Schemathesis, with all its checks, finds nothing in some thousand requests."""
    command = [
        str(Path(sys.executable).parent / "schemathesis"),
        "--config-file", str(Path(__file__).with_name("schemathesis.toml")),
        "run", f"{site.api.url}/openapi.json", "--checks", "all", "--max-examples", str(CASES), "--no-color",
        "--header", f"Authorization: {site.headers['Authorization']}",
    ]  # fmt: skip
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=500, check=False)
    assert ended.returncode == 0, ended.stdout[-5000:]
    assert "Traceback" not in site.api.log.read_text()


def test_inference_protocol_answers_a_client_of_others(site: ApiSite) -> None:
    """NVIDIA's client for Triton: metadata, health, and the same numbers as the model's."""
    client = triton.InferenceServerClient(f"127.0.0.1:{site.api.port}")
    name = ARTIFACT.manifest.name
    headers = site.headers
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready(name, headers=headers)
    assert client.get_server_metadata()["name"] == "churn"
    metadata = client.get_model_metadata(name, headers=headers)
    assert metadata["inputs"] == [{"name": "features", "datatype": "FP64", "shape": [-1, len(SCORER.features)]}]
    rows = np.array([[float(5 * n + j) for j in range(len(SCORER.features))] for n in range(3)])
    rows = np.minimum(rows, [f.high for f in SCORER.features])
    tensor = triton.InferInput("features", [*rows.shape], "FP64")
    tensor.set_data_from_numpy(rows, binary_data=False)
    wanted = [triton.InferRequestedOutput(one, binary_data=False) for one in ("contributions", "probability")]
    result = client.infer(name, [tensor], outputs=wanted, headers=headers, request_id="mine")
    scored = SCORER.evaluate(rows)
    assert np.array_equal(result.as_numpy("probability"), scored.probabilities)
    assert np.array_equal(result.as_numpy("contributions"), scored.contributions)
    assert result.get_response()["id"] == "mine"
    client.close()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"shape": [1, 1]}, "shape"),
        ({"shape": [2000, -1]}, "shape"),
        ({"data": [1.0]}, "numbers"),
        ({"data": [1e8] * 100}, "numbers"),
        ({"low": True}, "expected 0 to 600"),
        ({"name": "other"}, "name"),
        ({"data": [[1.0], ["x"]]}, "data"),
    ],
)
def test_tensor_that_does_not_fit(site: ApiSite, change: dict[str, object], said: str) -> None:
    """422 that names what does not fit; another model's name is 404."""
    width = len(SCORER.features)
    tensor = {"name": "features", "shape": [1, width], "datatype": "FP64", "data": [[1.0] * width]}
    if change.pop("low", None):
        change["data"] = [-1.0] * width
    body = {"inputs": [tensor | change]}
    response = site.client.post(f"/v2/models/{ARTIFACT.manifest.name}/infer", json=body)
    assert (response.status_code, said in response.json()["detail"]) == (422, True), response.text
    assert site.client.post("/v2/models/other/infer", json=body).status_code == 404
    assert json.loads(site.client.get("/v2/models/other").content)["status"] == 404
