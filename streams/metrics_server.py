"""The port that Prometheus asks: ``prometheus_client``'s own answer behind a server with bounds.

Its server has a thread for every connection, for as long as that stays. Here a connection has some seconds
for all that it wants, and where there are too many the oldest is cut off.
"""

import contextlib
import socket
import threading
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import CollectorRegistry, make_wsgi_app

ANSWER_S = 10.0
"""Seconds for a request and its answer; Prometheus itself waits no longer as a rule."""

MOST = 16
"""Connections at once."""


class _Silent(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing of each request."""


class MetricsServer(ThreadingMixIn, WSGIServer):
    """Serves until the process ends. Tests lower ``answer_s``."""

    daemon_threads = True
    request_queue_size = 128
    answer_s = ANSWER_S

    def __init__(self, address: tuple[str, int], registry: CollectorRegistry) -> None:
        """Raises ``OSError`` where nothing can listen at (host, port)."""
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self._open: dict[Any, None] = {}  # in the order of their coming
        self._lock = threading.Lock()
        super().__init__(address, _Silent)
        self.set_app(make_wsgi_app(registry))

    def process_request(self, request: Any, client_address: Any) -> None:
        """Begin another one, in place of the oldest where there are too many."""
        with self._lock:
            self._open[request] = None
            oldest = next(iter(self._open)) if len(self._open) > MOST else None
            self._open.pop(oldest, None)
        if oldest is not None:
            _cut(oldest)
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer, in time."""
        timer = threading.Timer(self.answer_s, _cut, [request])
        timer.daemon = True
        timer.start()
        try:
            super().process_request_thread(request, client_address)
        finally:
            timer.cancel()
            with self._lock:
                self._open.pop(request, None)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went, or was cut off, is nothing to tell of."""


def _cut(request: socket.socket) -> None:
    with contextlib.suppress(OSError):
        request.shutdown(socket.SHUT_RDWR)


def start_http_server(port: int, addr: str, registry: CollectorRegistry) -> MetricsServer:
    """Serve the registry from a thread of its own. Raises ``OSError`` where the port is taken."""
    server = MetricsServer((addr, port), registry)
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    return server
