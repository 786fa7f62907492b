"""The HTTP endpoint that Prometheus scrapes: ``prometheus_client``'s WSGI app behind a server with limits.

Its own server keeps a thread for every connection as long as that is open. Here a connection is closed after
some seconds, and the oldest one where there are too many.
"""

import contextlib
import socket
import threading
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import CollectorRegistry, make_wsgi_app

REQUEST_TIMEOUT_S = 10.0
"""Seconds for a request and its answer: Prometheus' default scrape timeout."""

MAX_CONNECTIONS = 16
"""Connections at once."""


class _QuietHandler(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Log no requests."""


class MetricsServer(ThreadingMixIn, WSGIServer):
    """Serves until the process ends. Tests lower ``answer_s``."""

    daemon_threads = True
    request_queue_size = 128
    request_timeout_s = REQUEST_TIMEOUT_S

    def __init__(self, address: tuple[str, int], registry: CollectorRegistry) -> None:
        """Listen on (host, port).

        Raises:
            OSError: the address cannot be listened on.
        """
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self._connections: dict[Any, None] = {}  # oldest first
        self._lock = threading.Lock()
        super().__init__(address, _QuietHandler)
        self.set_app(make_wsgi_app(registry))

    def process_request(self, request: Any, client_address: Any) -> None:
        """Start a request's thread; close the oldest connection where there are too many."""
        with self._lock:
            self._connections[request] = None
            oldest = next(iter(self._connections)) if len(self._connections) > MAX_CONNECTIONS else None
            self._connections.pop(oldest, None)
        if oldest is not None:
            _disconnect(oldest)
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer a request, and close its connection when its time is over."""
        timer = threading.Timer(self.request_timeout_s, _disconnect, [request])
        timer.daemon = True
        timer.start()
        try:
            super().process_request_thread(request, client_address)
        finally:
            timer.cancel()
            with self._lock:
                self._connections.pop(request, None)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that disconnected or were cut off."""


def _disconnect(request: socket.socket) -> None:
    with contextlib.suppress(OSError):
        request.shutdown(socket.SHUT_RDWR)


def start_http_server(port: int, addr: str, registry: CollectorRegistry) -> MetricsServer:
    """Serve the registry from a thread of its own.

    Raises:
        OSError: the address cannot be listened on.
    """
    server = MetricsServer((addr, port), registry)
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    return server
