"""Serves a process's metrics to Prometheus, and says which setting is wrong where it cannot."""

from prometheus_client import CollectorRegistry

from streams.metrics_server import start_http_server
from streams.settings import SettingsError


def serve_metrics(host: str, port: int, registry: CollectorRegistry, setting: str) -> None:
    """Serve them from a thread until the process ends; nowhere where ``port`` is 0.

    setting: the name of the port's. Another port is not taken instead: nobody would scrape it. Raises
    ``SettingsError`` where nothing can listen there, such as for a second worker of one host.
    """
    if not port:
        return
    try:
        start_http_server(port, host, registry)
    except (OSError, UnicodeError, TypeError) as error:  # a host's name may be none
        why = getattr(error, "strerror", None) or str(error)
        raise SettingsError(
            f"{setting} is {port}, on HOMEROOM_METRICS_HOST {host!r}: {why}; expected an address of this "
            "machine and a port that nobody listens on: each worker and notifier of a host needs its own, or "
            "0 for no metrics"
        ) from None
