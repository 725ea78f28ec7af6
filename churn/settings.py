"""Every setting of every process, read from the environment and from nowhere else."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from churn.errors import UserError

Money = Annotated[float, msgspec.Meta(ge=0, le=1e9)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
_SECRET = {"kafka_sasl_password", "redis_url", "api_key", "sentry_dsn", "alert_urls"}  # what is never shown
_KNOWN_ELSEWHERE = {"REDIS_URL", "SENTRY_DSN", "ALERT_URLS"}
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


def _variable(name: str) -> str:
    """The variable of a setting: those that everybody calls the same as they are, the rest with CHURN_ before it."""
    upper = name.upper()
    return upper if upper.startswith("KAFKA_") or upper in _KNOWN_ELSEWHERE else f"CHURN_{upper}"


class Settings(msgspec.Struct, frozen=True, kw_only=True, rename=_variable):
    """The settings, named after their variables; units are in the names.

    `docs/reference/settings.md` is made from this class: the line above each is what it says there.
    """

    # host:port[,host:port]; none: `churn stack` and `churn demo` start one
    kafka_bootstrap_servers: Name | None = None
    # how to speak to the brokers
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    # how to log in, with a SASL protocol
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    # user, with a SASL protocol
    kafka_sasl_username: str = ""
    # password, with a SASL protocol; never shown
    kafka_sasl_password: str = ""
    # PEM file of the authority that signed the broker's certificate; empty: the system's
    kafka_ssl_ca_location: str = ""
    # redis://[user:password@]host:port/db, rediss:// for TLS; a cluster is recognised
    redis_url: Name | None = None
    # folder for everything that runs and is made on this machine
    local: Path = Path(".local")
    # whether `churn stack` and `churn demo` may use Docker when it answers
    docker: bool = True
    # folder of model versions
    models: Path = Path(".local/models")
    # consumer group of the scoring workers
    group: Name = "churn-score"
    # stable name of this worker; a restart with it ends the transaction its predecessor left open
    worker_id: str = ""
    # file that a scoring worker touches once a second while it works; for health checks
    heartbeat: str = ""
    # most records in one transaction
    batch_records: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 8000
    # more dead letters of one worker within a minute are logged as an error
    dead_letters_per_minute: Annotated[int, msgspec.Meta(ge=1, le=1_000_000_000)] = 100
    # how far ahead of the broker's clock an event may be dated
    clock_skew_s: Annotated[float, msgspec.Meta(ge=0, le=86_400)] = 3600.0
    # a customer silent for this long is forgotten
    state_ttl_days: Annotated[int, msgspec.Meta(ge=1, le=36_500)] = 400
    # bound of one wait for Redis
    redis_timeout_s: Annotated[float, msgspec.Meta(gt=0, le=60)] = 0.2
    # of customer.events and churn.scores
    partitions: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 6
    # copies of each topic; 3 in production
    replication: Annotated[int, msgspec.Meta(ge=1, le=9)] = 1
    # where the API listens; anywhere but on this machine it insists on keys
    api_host: Name = "127.0.0.1"
    # port of the API
    api_port: Annotated[int, msgspec.Meta(ge=1, le=65_535)] = 8000
    # processes of the API, which share the port
    api_processes: Annotated[int, msgspec.Meta(ge=1, le=256)] = 1
    # who may use the API: lines from `churn key`, separated by ;
    api_keys: str = ""
    # file with more such lines
    api_keys_file: str = ""
    # requests a second that one client may make of one process of the API
    api_rate_per_s: Annotated[float, msgspec.Meta(gt=0, le=1e6)] = 2000.0
    # largest body of a request to the API
    api_body_bytes: Annotated[int, msgspec.Meta(ge=1024, le=1_000_000_000)] = 4_000_000
    # longest time for a body to arrive
    api_body_timeout_s: Annotated[float, msgspec.Meta(gt=0, le=600)] = 10.0
    # most rows in a batch
    api_batch_rows: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 10_000
    # sites whose pages may call the API, such as https://crm.example, separated by ;
    api_origins: str = ""
    # whether the API logs each request
    api_access_log: bool = True
    # where `churn predict` asks
    api_url: Name = "http://127.0.0.1:8000"
    # the key of `churn predict` and `churn status`; never shown
    api_key: str = ""
    # every process tells `churn.telemetry` of itself this often; 0: never
    telemetry_every_s: Annotated[float, msgspec.Meta(ge=0, le=60)] = 5.0
    # port where a scoring worker shows /metrics; 0: nowhere
    metrics_port: Annotated[int, msgspec.Meta(ge=0, le=65_535)] = 0
    # Sentry project that errors go to; empty: nowhere; never shown
    sentry_dsn: str = ""
    # what Sentry calls this installation
    environment_name: Name = "production"
    # share of batches and requests whose times go to Sentry
    traces_share: Share = 0.0
    # where alerts go: Apprise URLs, separated by blanks; critical=, warning=, oncall= or data= before one limits it
    alert_urls: str = ""
    # an alert that stays true is told again after this time
    alert_reminder_s: Annotated[float, msgspec.Meta(ge=1, le=31_536_000)] = 86_400.0
    # most messages to one receiver within an hour, half of them kept for critical ones; the rest is in `churn.alerts`
    alerts_per_hour: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 60
    # where the runbook is that alerts link to
    runbook_url: Name = "docs/runbook.md"
    # topics that must not be quiet, and for how many seconds: topic=seconds, separated by blanks
    silence: str = "customer.events=86400"
    # a group of workers that has records to answer and commits nothing for this long stands still
    stalled_s: Annotated[float, msgspec.Meta(ge=1, le=86_400)] = 30.0
    # how often the monitor looks at the broker; Sentry expects to hear of it each minute
    monitor_every_s: Annotated[float, msgspec.Meta(ge=0.1, le=30)] = 10.0
    # where the monitor's dashboard is; anywhere but on this machine it insists on keys
    monitor_host: Name = "127.0.0.1"
    # port of the dashboard
    monitor_port: Annotated[int, msgspec.Meta(ge=1, le=65_535)] = 8100
    # where the monitor can be asked
    monitor_url: Name = "http://127.0.0.1:8100"
    # features and scores of this long are compared with the training data
    drift_window_s: Annotated[float, msgspec.Meta(ge=1, le=31_536_000)] = 86_400.0
    # a population stability index from which on a shift is worth an alert
    drift_psi: Annotated[float, msgspec.Meta(ge=0.01, le=10)] = 0.2
    # what is lost when a customer leaves
    customer_value: Money = 500.0
    # of a discount, paid to everybody who takes it
    offer_cost: Money = 40.0
    # of making the offer in the call
    contact_cost: Money = 2.0
    # of an hour with the retention team
    retention_cost: Money = 30.0
    # share of leavers who stay for a discount
    offer_success: Share = 0.3
    # share of leavers who stay after the retention team and a discount
    retention_success: Share = 0.5

    @classmethod
    def load(cls, environment: Mapping[str, str] = os.environ) -> "Settings":
        """Read the settings from `environment`; raises `UserError` naming the variable and its value.

        An unknown `CHURN_*` variable is refused too: it is a misspelt one.
        """
        variables = {field.encode_name for field in msgspec.structs.fields(cls)}
        for name in environment:
            if name.startswith("CHURN_") and name not in variables:
                raise UserError(f"{name} is not a setting; see docs/reference/settings.md")
        settings = cls()
        for field in msgspec.structs.fields(cls):
            if (text := environment.get(field.encode_name)) is None:
                continue
            try:
                value = _convert(text, field.type)
            except (msgspec.ValidationError, ValueError) as error:
                raise UserError(f"{field.encode_name}={_shown(field.name, text)}: {error}") from None
            settings = msgspec.structs.replace(settings, **{field.name: value})
        return settings

    @classmethod
    def load_what_fits(cls, environment: Mapping[str, str] = os.environ) -> tuple["Settings", list[str]]:
        """The settings without the variables that are wrong, and what `load` says of each of these."""
        fitting, wrong = {}, []
        for name, value in environment.items():
            try:
                cls.load({name: value})
            except UserError as error:
                wrong.append(str(error))
            else:
                fitting[name] = value
        return cls.load(fitting), wrong

    def chosen(self) -> dict[str, str]:
        """The variables that are not at their defaults, as they may be shown."""
        return {
            field.encode_name: _shown(field.name, value)
            for field in msgspec.structs.fields(self)
            if (value := getattr(self, field.name)) != field.default
        }

    def __repr__(self) -> str:
        return (
            f"Settings({', '.join(f'{name}={_shown(name, getattr(self, name))}' for name in self.__struct_fields__)})"
        )

    def environment(self) -> dict[str, str]:
        """The variables that give a process these settings."""
        values = {field.encode_name: getattr(self, field.name) for field in msgspec.structs.fields(self)}
        return {name: str(value) for name, value in values.items() if value is not None}

    def silence_s(self) -> dict[str, float]:
        """For how long each watched topic may be quiet; raises `UserError`."""
        limits = {}
        for word in self.silence.split():
            topic, _, text = word.partition("=")
            try:
                limit_s = msgspec.convert(text, Annotated[float, msgspec.Meta(gt=0, le=1e9)], strict=False)
                limits[msgspec.convert(topic, Annotated[str, msgspec.Meta(min_length=1)])] = limit_s
            except msgspec.ValidationError:
                raise UserError(
                    f"CHURN_SILENCE={self.silence!r}: {word!r} is not topic=seconds, such as customer.events=86400"
                ) from None
        return limits

    def librdkafka(self) -> dict[str, str]:
        """Connection settings for confluent-kafka; raises `UserError` when no broker is named."""
        config = {"bootstrap.servers": self._bootstrap(), "security.protocol": self.kafka_security_protocol}
        if "SASL" in self.kafka_security_protocol:
            config |= {
                "sasl.mechanism": self.kafka_sasl_mechanism,
                "sasl.username": self.kafka_sasl_username,
                "sasl.password": self.kafka_sasl_password,
            }
        if self.kafka_ssl_ca_location:
            config["ssl.ca.location"] = self.kafka_ssl_ca_location
        return config

    def kafka_python(self) -> dict[str, str]:
        """Connection settings for kafka-python; raises `UserError` when no broker is named."""
        config = {"bootstrap_servers": self._bootstrap(), "security_protocol": self.kafka_security_protocol}
        if "SASL" in self.kafka_security_protocol:
            config |= {
                "sasl_mechanism": self.kafka_sasl_mechanism,
                "sasl_plain_username": self.kafka_sasl_username,
                "sasl_plain_password": self.kafka_sasl_password,
            }
        if self.kafka_ssl_ca_location:
            config["ssl_cafile"] = self.kafka_ssl_ca_location
        return config

    def redis(self) -> str:
        """The Redis URL; raises `UserError` when none is set."""
        if self.redis_url is None:
            raise UserError("REDIS_URL is not set; expected redis://host:port (or try `churn stack up`)")
        return self.redis_url

    def _bootstrap(self) -> str:
        if self.kafka_bootstrap_servers is None:
            raise UserError("KAFKA_BOOTSTRAP_SERVERS is not set; expected host:port (or try `churn stack up`)")
        return self.kafka_bootstrap_servers


def _shown(name: str, value: object) -> str:
    if name in _SECRET and value:
        return "***"
    return repr(str(value) if isinstance(value, Path) else value)


def _convert(text: str, kind: object) -> object:
    if kind is Path:
        return Path(text)
    return msgspec.convert(text, kind, strict=False)
