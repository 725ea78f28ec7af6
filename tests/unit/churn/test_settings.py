"""Settings: typed, named in errors, and secret where they are secret."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn.errors import UserError
from churn.settings import Settings

SASL = {
    "KAFKA_BOOTSTRAP_SERVERS": "kafka:9092",
    "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
    "KAFKA_SASL_USERNAME": "churn",
    "KAFKA_SASL_PASSWORD": "hunter2",
    "KAFKA_SSL_CA_LOCATION": "/etc/ca.pem",
}


def test_defaults_and_types() -> None:
    """Without an environment there are defaults; with one, values have their types."""
    assert Settings.load({}) == Settings()
    loaded = Settings.load({"CHURN_DOCKER": "0", "CHURN_CLOCK_SKEW_S": "1.5", "CHURN_LOCAL": "/tmp/x", "HOME": "/root"})
    assert (loaded.docker, loaded.clock_skew_s, loaded.local) == (False, 1.5, Path("/tmp/x"))


def test_environment_gives_the_same_settings() -> None:
    """A process that is started with `environment()` has the same settings."""
    settings = Settings.load(SASL | {"CHURN_DOCKER": "false", "CHURN_BATCH_RECORDS": "7"})
    assert Settings.load(settings.environment()) == settings


def test_connection_settings_for_both_clients() -> None:
    """Security settings reach both Kafka clients under their own names."""
    settings = Settings.load(SASL)
    assert settings.librdkafka() == {
        "bootstrap.servers": "kafka:9092",
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "churn",
        "sasl.password": "hunter2",
        "ssl.ca.location": "/etc/ca.pem",
    }
    assert settings.kafka_python() == {
        "bootstrap_servers": "kafka:9092",
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "churn",
        "sasl_plain_password": "hunter2",
        "ssl_cafile": "/etc/ca.pem",
    }
    plain = Settings.load({"KAFKA_BOOTSTRAP_SERVERS": "kafka:9092"})
    assert set(plain.librdkafka()) == {"bootstrap.servers", "security.protocol"}
    assert set(plain.kafka_python()) == {"bootstrap_servers", "security_protocol"}


def test_needed_but_unset_is_named() -> None:
    """A setting that is needed and not set is named, with what to do."""
    with pytest.raises(UserError, match="REDIS_URL is not set"):
        Settings().redis()
    with pytest.raises(UserError, match="KAFKA_BOOTSTRAP_SERVERS is not set"):
        Settings().librdkafka()
    assert Settings.load({"REDIS_URL": "redis://r"}).redis() == "redis://r"


def test_secret_is_not_shown() -> None:
    """Neither an error nor the settings themselves show a password."""
    secrets = {
        "KAFKA_SASL_PASSWORD": "hunter2",
        "REDIS_URL": "redis://:hunter2@redis:6379/0",
        "CHURN_API_KEY": "hunter2",
    }
    settings = Settings.load(secrets)
    assert "hunter2" not in repr(settings)
    assert settings.environment()["KAFKA_SASL_PASSWORD"] == "hunter2"
    with pytest.raises(UserError) as caught:
        Settings.load({"REDIS_URL": "hunter2" * 100})
    assert "hunter2" not in str(caught.value)


def test_what_fits_is_loaded_and_what_does_not_is_told() -> None:
    """A wrong variable does not keep the others from being read, and each one is named."""
    variables = SASL | {"CHURN_OFER_COST": "1", "CHURN_OFFER_COST": "cheap", "CHURN_PARTITIONS": "7", "HOME": "/root"}
    settings, wrong = Settings.load_what_fits(variables)
    assert settings == Settings.load(SASL | {"CHURN_PARTITIONS": "7"})
    assert [sentence.split("=")[0].split(" ")[0] for sentence in wrong] == ["CHURN_OFER_COST", "CHURN_OFFER_COST"]
    assert Settings.load_what_fits({}) == (Settings(), [])


def test_chosen_settings_are_those_that_differ() -> None:
    """What is not at its default is shown under its variable, without passwords."""
    assert Settings.load({"CHURN_PARTITIONS": "6"}).chosen() == {}
    chosen = {"REDIS_URL": "redis://:hunter2@r", "CHURN_LOCAL": "/x", "CHURN_PARTITIONS": "7"}
    assert Settings.load(chosen).chosen() == {"REDIS_URL": "***", "CHURN_LOCAL": "'/x'", "CHURN_PARTITIONS": "7"}


def test_topics_that_must_not_be_quiet() -> None:
    """Each with its seconds; by default it is the events of customers, and nothing is watched where none is named."""
    assert Settings().silence_s() == {"customer.events": 86_400.0}
    several = Settings.load({"CHURN_SILENCE": " customer.events=3600\tcustomer.outcomes=0.5\nchurn.scores=1e9 "})
    assert several.silence_s() == {"customer.events": 3600.0, "customer.outcomes": 0.5, "churn.scores": 1e9}
    assert Settings.load({"CHURN_SILENCE": ""}).silence_s() == {}


@pytest.mark.parametrize(
    "word", ["customer.events", "customer.events=", "=5", "a=0", "a=-1", "a=nan", "a=inf", "a=1e10", "a=1h", "a==5"]
)
def test_word_that_is_no_topic_with_seconds_is_named(word: str) -> None:
    """In one line with the variable, all of its value, the word, and what was expected."""
    settings = Settings.load({"CHURN_SILENCE": f"customer.events=5\n{word}"})
    with pytest.raises(UserError) as caught:
        settings.silence_s()
    assert str(caught.value) == (
        f"CHURN_SILENCE='customer.events=5\\n{word}': {word!r} is not topic=seconds, such as customer.events=86400"
    )


@given(st.text(), st.sampled_from([v for v in Settings().environment() if v.startswith("CHURN_")]))
def test_any_text_is_a_setting_or_a_user_error(text: str, variable: str) -> None:
    """Whatever a variable holds, it is taken or refused with its name, in one line."""
    message = variable
    try:
        Settings.load({variable: text})
    except UserError as error:
        message = str(error)
    assert message.startswith(variable)
    assert len(message.splitlines()) == 1


def test_silence_is_a_limit_by_topic() -> None:
    """None at all is allowed too."""
    assert Settings.load({}).silence_s() == {"customer.events": 86_400.0}
    both = Settings.load({"CHURN_SILENCE": "customer.events=60 customer.outcomes=0.5"})
    assert both.silence_s() == {"customer.events": 60.0, "customer.outcomes": 0.5}
    assert Settings.load({"CHURN_SILENCE": ""}).silence_s() == {}


@pytest.mark.parametrize(
    "word", ["customer.events", "customer.events=day", "customer.events=0", "=5", "a=inf", "a=nan"]
)
def test_bad_silence_is_named(word: str) -> None:
    """The word that is wrong, and what one looks like."""
    said = f"CHURN_SILENCE='a=5 {word}': '{word}' is not topic=seconds, such as customer.events=86400"
    with pytest.raises(UserError) as error:
        Settings.load({"CHURN_SILENCE": f"a=5 {word}"}).silence_s()
    assert str(error.value) == said
