"""Addresses and ports on which the page of ``mrsal serve`` can listen."""

import ipaddress
import os
import socket
from collections.abc import Sequence

from mrsal.errors import FileError


def is_private(host: str) -> bool:
    """Whether only this machine can reach a page that listens on ``host``.

    Raises
    ------
    FileError
        If no address belongs to ``host``.
    """
    return all(address.is_loopback for address in addresses(host))


def addresses(host: str) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    """All addresses of a host name.

    Raises
    ------
    FileError
        If there are none.
    """
    try:
        entries = socket.getaddrinfo(bare(host), None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise FileError(f"found no address for --host {host!r}; choose another, such as 127.0.0.1") from error
    return [ipaddress.ip_address(str(address[0])) for *_, address in entries]


def bare(host: str) -> str:
    """The host without the brackets of an IPv6 address in a URL."""
    return host.removeprefix("[").removesuffix("]")


def free_port(host: str, ports: Sequence[int]) -> int:
    """The first of ``ports`` that is free on ``host`` and on 127.0.0.1, which Gradio checks, too.

    Gradio can look for a free port itself, but leaves sockets open.

    Raises
    ------
    FileError
        If none of the ports is free.
    """
    reason = ""
    for port in ports:
        try:
            for address in (host, "127.0.0.1"):
                family = socket.AF_INET6 if ":" in address else socket.AF_INET
                socket.create_server((address, port), family=family).close()
            return port
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
    last = f" to {ports[-1]}" if len(ports) > 1 else ""
    raise FileError(f"cannot listen on {host}, port {ports[0]}{last}: {reason}; choose another --host or --port")
