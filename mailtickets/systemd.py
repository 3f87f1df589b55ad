"""Speaks to systemd, where it started us (sd_notify(3)): ready, reloading, stopping, alive."""

from __future__ import annotations

import os
import socket


def sd_notify(state: str) -> bool:
    """Tell systemd about our state (sd_notify(3)); return whether there was anybody to tell."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return False
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as door:
        door.settimeout(1.0)  # systemd may be busy; that must not hold up the desk
        try:
            door.connect(address)
            door.sendall(state.encode())
        except OSError:
            return False
    return True
