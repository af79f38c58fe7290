"""Where HTTP is served: an address of this machine that no other machine reaches. Pure."""

import ipaddress
from typing import NamedTuple, Self

from .errors import BadAddress

PORT = 7463
LAST_PORT = 65535


class Address(NamedTuple):
    """A loopback address and a port; port 0 is any that is free."""

    host: str
    port: int

    @classmethod
    def parse(cls, given: str | int) -> Self:
        """Read a port, or ADDRESS:PORT, or nothing. Raises BadAddress, also for what is not loopback."""
        text = str(given).strip() or str(PORT)
        host, _, port = text.rpartition(":")
        if not (port.isascii() and port.isdecimal()) or int(port) > LAST_PORT:
            raise BadAddress(text, f"{port!r} is no port")
        return cls(_loopback(text, host.strip("[]") or "127.0.0.1"), int(port))

    @property
    def is_v6(self) -> bool:
        return ":" in self.host

    @property
    def names(self) -> tuple[str, ...]:
        """What callers may call the server, with its port."""
        own = f"[{self.host}]" if self.is_v6 else self.host
        return f"{own}:{self.port}", f"localhost:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.names[0]}"


def _loopback(given: str, host: str) -> str:
    if host == "localhost":
        return "127.0.0.1"
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        raise BadAddress(given, f"{host!r} is no IP address") from None
    if not address.is_loopback or getattr(address, "scope_id", None):
        raise BadAddress(given, "other machines could reach it")
    return str(address)
