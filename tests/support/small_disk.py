"""A small real file system that a test fills, frees, breaks and takes away: tmpfs, or ext4 in a file. Needs root."""

from __future__ import annotations

import errno
import gc
import os
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

CHUNKS = (1 << 16, 1 << 12, 1 << 9, 1)  # bytes; the last ones fill what is left of a block
Kind = Literal["tmpfs", "ext4"]


class SmallDisk:
    """A file system of a few megabytes at `folder`; `with SmallDisk(tmp_path / "disk") as disk:`.

    mib    its size in MiB; ext4 keeps about half a MiB of that to itself.
    """

    def __init__(self, folder: Path, *, mib: int = 4, kind: Kind = "tmpfs") -> None:
        self.folder, self.kind, self._mib = folder, kind, mib
        self._image = folder.with_name(folder.name + ".img")
        self._filler = folder / "filler"

    def __enter__(self) -> Self:
        self.folder.mkdir()
        if self.kind == "ext4":
            with self._image.open("wb") as image:
                image.truncate(self._mib << 20)
            # Without a journal and without blocks that only root may use: nearly all of it is room.
            _run("mkfs.ext4", "-q", "-F", "-m", "0", "-O", "^has_journal", str(self._image))
        self.mount()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.folder.is_mount():
            done = subprocess.run(["umount", str(self.folder)], check=False, capture_output=True)
            if done.returncode:
                _run("umount", "--lazy", str(self.folder))  # something holds a file open still
        self._image.unlink(missing_ok=True)

    def mount(self) -> None:
        """Make it a part of the tree; ext4 is checked and mended first."""
        if self.kind == "tmpfs":
            _run("mount", "-t", "tmpfs", "-o", f"size={self._mib}m", "tmpfs", str(self.folder))
        else:
            subprocess.run(
                ["e2fsck", "-p", "-f", str(self._image)], check=False, capture_output=True
            )  # 1: it had something to mend
            _run("mount", "-o", "loop,errors=remount-ro", str(self._image), str(self.folder))

    def unmount(self) -> None:
        """Take it out of the tree; no process may have a file of it open. A tmpfs is gone then."""
        gc.collect()  # commands that ran in this process leave their connections to the collector
        _run("umount", str(self.folder))

    def fill(self, *, leave: int = 0) -> None:
        """Write a file until there is no room, but for `leave` bytes."""
        with self._filler.open("ab", buffering=0) as filler:
            for chunk in CHUNKS:
                try:
                    while True:
                        filler.write(bytes(chunk))
                        os.fsync(filler.fileno())
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
            if leave:
                filler.truncate(max(filler.tell() - leave, 0))
                os.fsync(filler.fileno())

    def free(self) -> None:
        """Make room again."""
        self._filler.unlink()

    def room(self) -> int:
        """Return how many bytes are free."""
        state = os.statvfs(self.folder)
        return state.f_bavail * state.f_frsize

    def read_only(self) -> None:
        """Mount it anew for reading only; no process may have a file of it open for writing."""
        gc.collect()  # as above
        _run("mount", "-o", "remount,ro", str(self.folder))

    def writable(self) -> None:
        """Mount it for writing again."""
        _run("mount", "-o", "remount,rw", str(self.folder))

    def break_down(self) -> None:
        """Let ext4 find an error in itself, as on a failing disk: it can only be read until it is mounted again."""
        device = subprocess.run(
            ["findmnt", "-no", "SOURCE", str(self.folder)], check=True, capture_output=True
        ).stdout.decode()
        Path(f"/sys/fs/ext4/{Path(device.strip()).name}/trigger_fs_error").write_text("1")


def _run(*command: str) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise OSError(done.returncode, f"{' '.join(command)}: {done.stderr.strip()}")
