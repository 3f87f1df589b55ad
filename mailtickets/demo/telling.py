"""Tells the play in the terminal: scenes, mails, states, one framed letter. Decides nothing."""

from __future__ import annotations

import asyncio
import textwrap
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from mailtickets.mail.compose import visible_line

if TYPE_CHECKING:
    from mailtickets.demo.embedded import Passed
    from mailtickets.mail.message import Message

WIDTH = 88
INDENT = " " * 10
EXCERPT_LINES = 6
READING_SECONDS = 1.5  # between two scenes, for a person at a terminal; the play itself never waits for time


@dataclass(frozen=True, slots=True)
class Marks:
    """The few signs that are drawn."""

    arrow: str
    bar: str
    dash: str
    corners: tuple[str, str, str, str]  # top left, top right, bottom left, bottom right


DRAWN = Marks("\u2192", "\u2502", "\u2500", ("\u250c", "\u2510", "\u2514", "\u2518"))
TYPED = Marks("->", "|", "-", ("+", "+", "+", "+"))


def marks_for(encoding: str | None) -> Marks:
    """Return what a terminal of this encoding can show."""
    return DRAWN if (encoding or "").lower().replace("-", "") == "utf8" else TYPED


class Telling:
    """The teller. Colours are taken away by click where standard output is no terminal.

    names  address -> the name under which the play speaks of its owner.
    paced  whether a person reads along and gets time between the scenes.
    """

    def __init__(self, names: dict[str, str], marks: Marks, *, paced: bool = False) -> None:
        self.names, self.marks, self.paced = names, marks, paced
        self._began = time.monotonic()
        self._scene = 0

    def begin(self) -> None:
        """Count the seconds from here."""
        self._began = time.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._began

    def line(self, text: str = "", **style: bool | str) -> None:
        """Write one line as it is; strangers' words are made harmless by whoever brings them."""
        click.echo(click.style(text, **style) if style else text)  # type: ignore[arg-type]

    async def scene(self, title: str) -> None:
        """Begin a scene."""
        self._scene += 1
        if self.paced:
            await asyncio.sleep(READING_SECONDS)
        self.line()
        self.line(f"{self._scene}. {title}", bold=True)

    def remark(self, text: str) -> None:
        """Explain something in the teller's own voice."""
        for line in textwrap.wrap(text, WIDTH - len(INDENT)):
            self.line(INDENT + line, italic=True)

    def mail(self, mail: Passed, to: str, what: str = "", *, sender: str = "") -> None:
        """Tell that a mail went from somebody to somebody, and what it is."""
        shown = f"{sender or self.writer(mail.message)} {self.marks.arrow} {self.name(to)}"
        at = f"{mail.at - self._began:7.1f} s "
        about = f"{what}: " if what else ""
        subject = visible_line(mail.message.subject)[:WIDTH]
        self.line(f"{at}{click.style(shown, fg='cyan', bold=True)}   {about}{subject}")

    def words(self, text: str, lines: int = EXCERPT_LINES) -> None:
        """Tell a mail's words, or their beginning, without empty lines."""
        wrapped = [line for line in wrap(text, WIDTH - len(INDENT) - 2) if line]
        if len(wrapped) > lines:
            wrapped[lines - 1 :] = ["..."]
        for line in wrapped:
            self.line(f"{INDENT}{click.style(self.marks.bar, dim=True)} {line}")

    def state(self, text: str) -> None:
        """Tell what the desk has in its store."""
        self.line(INDENT + click.style(text, fg="green"))

    def frame(self, title: str, text: str) -> None:
        """Show a letter as its reader sees it."""
        m, inner = self.marks, WIDTH - len(INDENT) - 4
        top = f"{m.dash} {title} "
        self.line()
        self.line(f"{INDENT}{m.corners[0]}{top}{m.dash * (inner + 2 - len(top))}{m.corners[1]}")
        for line in wrap(text, inner):
            self.line(f"{INDENT}{m.bar} {line.ljust(inner)} {m.bar}")
        self.line(f"{INDENT}{m.corners[2]}{m.dash * (inner + 2)}{m.corners[3]}")

    def name(self, address: str) -> str:
        """Return what the play calls the owner of an address."""
        return self.names.get(address) or visible_line(address)

    def writer(self, message: Message) -> str:
        """Return who a mail says that it is from."""
        sender = message.sender
        if sender is None:
            return "nobody"
        return self.names.get(sender.key) or visible_line(sender.name or sender.key)


def wrap(text: str, width: int) -> list[str]:
    """Return a text as lines of bounded width; line ends stay, control characters do not."""
    lines: list[str] = []
    for line in text.strip().split("\n"):
        lines += textwrap.wrap(visible_line(line), width) or [""]
    return lines


def without_footer(text: str) -> str:
    """Return a notice's words without what it quotes and without its footer, which follows a line of dashes."""
    body, _ = _parted(text)
    return "\n".join(line for line in body.split("\n") if not line.startswith((">", "We last wrote:")))


def footer(text: str) -> str:
    """Return what stands in a notice below its line of dashes, without the key, which says nothing to a reader."""
    _, below = _parted(text)
    return "\n".join(line for line in below.split("\n") if not line.startswith("Ref: "))


def _parted(text: str) -> tuple[str, str]:
    lines = text.split("\n")
    at = next((number for number, line in enumerate(lines) if _ends_body(line)), len(lines))
    return "\n".join(lines[:at]), "\n".join(lines[at + 1 :])


def _ends_body(line: str) -> bool:
    return (len(line) >= 10 and not line.strip("-")) or line.startswith("Acme Support | ")
