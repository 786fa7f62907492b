"""Serves a process's metrics to Prometheus; an error names the setting that is wrong."""

from prometheus_client import CollectorRegistry

from streams.metrics_server import start_http_server
from streams.settings import SettingsError


def serve_metrics(host: str, port: int, registry: CollectorRegistry, setting: str) -> None:
    """Serve the metrics from a thread until the process ends; a ``port`` of 0 serves none.

    setting: the name of the port's setting. No other port is tried: nothing would scrape it.

    Raises:
        SettingsError: the address cannot be listened on, as when two workers of a host have the same port.
    """
    if not port:
        return
    try:
        start_http_server(port, host, registry)
    except (OSError, UnicodeError, TypeError) as error:  # the host may be no valid name
        reason = getattr(error, "strerror", None) or str(error)
        raise SettingsError(
            f"{setting} is {port}, on HOMEROOM_METRICS_HOST {host!r}: {reason}; expected an address of this "
            "machine and a port that nobody listens on: each worker and notifier of a host needs its own, or "
            "0 for no metrics"
        ) from None
