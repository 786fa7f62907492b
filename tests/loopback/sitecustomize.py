"""No test leaves this machine: what asks for another address is refused, and the test that did it fails.

Python imports a module of this name at its start where it finds one, so every Python that a test starts is
guarded too: ``tests/conftest.py`` puts this folder into ``PYTHONPATH``, and installs the guard in its own
process. The guard is an audit hook (PEP 578): it sees every connection, datagram and look-up of a name that
goes through Python's sockets, whatever library asks. It does not see what libraries do in C (librdkafka,
uvloop, chDB), nor Java and the browser.

Nothing but the standard library here, and nothing of ours: it runs before everything else.
"""

import contextlib
import errno
import functools
import ipaddress
import os
import socket
import sys
from typing import Any
from urllib.parse import urlsplit

LOG = "HOMEROOM_TESTS_LEFT"
"""The variable with the file that attempts are written to: a test fails for what its processes did."""
MAY_REACH = "HOMEROOM_TESTS_MAY_REACH"
"""Further hosts, with commas between them: where containers for the tests are, for one."""
SERVERS = ("HOMEROOM_TEST_BROKER", "HOMEROOM_TEST_STORE", "DOCKER_HOST")
"""Variables with the addresses of servers that tests are told to use."""

ADDRESS_AT = {"socket.connect": 1, "socket.sendto": 1, "socket.sendmsg": 1}
"""Audit event → where its arguments have an address; an address is a pair that begins with the host."""
NAME_AT = {"socket.getaddrinfo": 0, "socket.gethostbyname": 0, "socket.gethostbyaddr": 0}


class LeftTheMachineError(ConnectionRefusedError):
    """A test asked for an address that is not of this machine."""


def guard(event: str, arguments: tuple[Any, ...]) -> None:
    """Refuse what leaves the machine. Called by Python for every audited event."""
    if event in ADDRESS_AT:
        address = arguments[ADDRESS_AT[event]]
        host = address[0] if isinstance(address, tuple) and address else None
    elif event in NAME_AT:
        host = arguments[NAME_AT[event]]
    else:
        return
    if not is_here(host):
        told = f"{event} {host!r} by {' '.join(sys.argv)[:200]!r}"
        if path := os.environ.get(LOG):
            with open(path, "a", encoding="utf-8") as log:
                log.write(told + "\n")
        raise LeftTheMachineError(
            errno.ECONNREFUSED, f"no test leaves this machine, but for hosts of {MAY_REACH}: {told}"
        )


def is_here(host: object) -> bool:
    """Whether a host is this machine. What is no name (a path, a number of a netlink socket) is."""
    if isinstance(host, bytes):
        host = host.decode("ascii", "replace")
    if not isinstance(host, str) or host in ("", "localhost") or host in named():
        return True
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        # Its own name a machine may look up: smtplib says it to a mail server.
        return host == socket.gethostname()
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return address.is_loopback or address.is_unspecified or str(address) in addresses()


@functools.cache
def named() -> frozenset[str]:
    """The hosts that the environment names."""
    servers = (os.environ.get(variable, "") for variable in SERVERS)
    hosts = [urlsplit(one if "//" in one else f"//{one}").hostname for one in servers]
    return frozenset(filter(None, [*hosts, *os.environ.get(MAY_REACH, "").split(",")]))


@functools.cache
def addresses() -> frozenset[str]:
    """Their addresses."""
    found = set()
    for host in named():
        with contextlib.suppress(OSError):  # a name that is not known here is nobody's
            found |= {str(one[4][0]) for one in socket.getaddrinfo(host, None)}
    return frozenset(found)


sys.addaudithook(guard)
