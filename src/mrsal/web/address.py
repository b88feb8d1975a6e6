"""Where the local page of ``mrsal serve`` listens: a name or an address flows in, who can reach it and a free port flow out."""

import ipaddress
import os
import socket
from collections.abc import Sequence

from mrsal.errors import FileError


def is_private(host: str) -> bool:
    """Whether nobody but this machine can reach what listens there.

    Raises
    ------
    FileError
        If there is no such address.
    """
    return all(address.is_loopback for address in addresses(host))


def addresses(host: str) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    """All that a name stands for."""
    try:
        found = socket.getaddrinfo(bare(host), None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise FileError(
            f"there is no address {host!r} to listen on; choose another --host, such as 127.0.0.1"
        ) from error
    return [ipaddress.ip_address(str(address[0])) for *_, address in found]


def bare(host: str) -> str:
    """Without the brackets that an IPv6 address has in a URL."""
    return host.removeprefix("[").removesuffix("]")


def free_port(host: str, ports: Sequence[int]) -> int:
    """Gradio looks for one itself, but leaves sockets open on the way. It wants it free on 127.0.0.1, too."""
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
