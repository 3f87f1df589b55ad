"""The faulty network itself: each fault happens where it is told to, to the connection it is told to."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.support.faulty_network import Cut, FaultyNetwork, Garbage, Hold, Stall, Throttle


@pytest.fixture
def network() -> Iterator[FaultyNetwork]:
    """In front of a server that says every byte again."""

    def serve(listener: socket.socket) -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=say_again, args=(sock,), daemon=True).start()

    def say_again(sock: socket.socket) -> None:
        with sock:
            try:
                while said := sock.recv(65536):
                    sock.sendall(said)
            except OSError:
                return

    with socket.create_server(("127.0.0.1", 0)) as listener, FaultyNetwork(listener.getsockname()[1]) as made:
        thread = threading.Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        yield made
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def heard(network: FaultyNetwork, words: bytes = b"one two three", seconds: float = 0.3) -> tuple[bytes, str]:
    """Say something; return what came back, and how it ended: "eof", "reset" or "silence"."""
    got = b""
    try:
        with socket.create_connection(("127.0.0.1", network.port), 5) as sock:
            sock.settimeout(seconds)
            sock.sendall(words)
            while said := sock.recv(65536):
                got += said
    except TimeoutError:
        return got, "silence"
    except ConnectionResetError:
        return got, "reset"
    return got, "eof"


@pytest.mark.parametrize("after", range(14))
def test_a_cut_leaves_exactly_so_many_bytes(network: FaultyNetwork, after: int):
    """By FIN and by RST, counted on either side, and only on the first connection."""
    whole = b"one two three"
    network.arm(Cut(after))
    assert heard(network) == (whole[:after], "eof")
    network.arm(Cut(after, abrupt=True))
    assert heard(network) == (whole[:after], "reset")
    assert heard(network) == (whole, "silence")
    network.arm(Cut(after, side="client"))
    assert heard(network)[1] == "eof"
    network.rest()
    assert bytes(network.dialogues[-1].client) == whole[:after]
    assert [dialogue.struck for dialogue in network.dialogues] == [True, True, False, True]
    assert network.struck == 3


def test_silence_and_a_pause(network: FaultyNetwork):
    """A stall says nothing more and hangs up never; a hold goes on when it is let go."""
    network.arm(Stall(b"two"), always=True)
    assert heard(network) == heard(network) == (b"one two", "silence")
    held = Hold(b"two")
    network.arm(held)
    timer = threading.Timer(0.5, held.let_go.set)
    timer.start()
    assert heard(network, seconds=1.0) == (b"one two three", "silence")
    timer.join()
    network.mend()
    assert heard(network) == (b"one two three", "silence")


def test_garbage_stands_where_it_was_put(network: FaultyNetwork):
    """Between the server's own words; or instead of all that follows."""
    network.arm(Garbage(3, b"\x00" * 1_000_000))
    assert heard(network) == (b"one" + b"\x00" * 1_000_000 + b" two three", "silence")
    network.arm(Garbage(b"one", b"!", cut=True))
    assert heard(network)[0] == b"one!"


def test_a_throttle_takes_its_time(network: FaultyNetwork):
    """2000 bytes there and back at 2000 bytes a second need a second at least; all of them come."""
    network.arm(Throttle(2000))
    begun = time.monotonic()
    assert heard(network, b"x" * 2000)[0] == b"x" * 2000
    assert time.monotonic() - begun > 1


def test_hanging_up_ends_what_there_is(network: FaultyNetwork):
    """An open connection ends; the next one is served."""
    with socket.create_connection(("127.0.0.1", network.port), 5) as sock:
        sock.sendall(b"x")
        assert sock.recv(1) == b"x"
        network.hang_up()
        assert sock.recv(1) == b""
    assert heard(network) == (b"one two three", "silence")
