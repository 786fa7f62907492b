"""Runs the relay with Kafka, a publisher, logging and a metrics port."""

from streams.logging_setup import configure_logging
from streams.metrics_port import serve_metrics
from streams.publisher import Publisher
from streams.relay.metrics import RelayMetrics
from streams.relay.service import Relay
from streams.relay.settings import RelaySettings
from streams.settings import MIN_KEY_CHARS, Settings, SettingsError, load_kind
from streams.shutdown import Shutdown


def load_relay() -> RelaySettings:
    """The relay's settings in force.

    Raises:
        SettingsError: settings are wrong; one line for each.
    """
    return load_kind(RelaySettings, {})


def run(settings: Settings, own: RelaySettings) -> None:
    """Deliver until a signal.

    Raises:
        RelayError: it cannot start, or cannot go on.
        PublishError: the broker does not acknowledge a dead letter.
        SettingsError: there is no endpoint or no key, or the metrics' port cannot be listened on.
    """
    if not own.url:
        raise SettingsError("HOMEROOM_RELAY_URL is empty; expected the address that messages are posted to")
    length = len(settings.pseudonym_key.get_secret_value())
    if not own.raw_learners and length < MIN_KEY_CHARS:
        raise SettingsError(
            f"HOMEROOM_PSEUDONYM_KEY has {length} characters: the endpoint is told pseudonyms, which need a "
            f"secret; expected at least {MIN_KEY_CHARS} characters, or HOMEROOM_RELAY_RAW_LEARNERS"
        )
    shutdown = Shutdown(settings.stop_s)
    configure_logging(settings.log_level)
    metrics = RelayMetrics()
    serve_metrics(settings.metrics_host, own.metrics_port, metrics.registry, "HOMEROOM_RELAY_METRICS_PORT")
    relay = Relay(settings, own, Publisher(settings.broker), metrics)
    shutdown.on_signal(relay.stop)
    relay.run()
