"""A folder on any fsspec path, into which only whole files come."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from toolkit.errors import ToolkitError, first_line


@dataclass(frozen=True)
class Target:
    """A folder that several machines may write to; it travels by its address and is opened where it is used.

    Args:
        url: as fsspec takes it, local paths absolute (see ``at``).
    """

    url: str

    @classmethod
    def at(cls, where: str) -> "Target":
        """The folder of a path or URL.

        Raises:
            ToolkitError: fsspec knows no such protocol, or its package is not installed.
        """
        target = cls(where if "://" in where else str(Path(where).expanduser().resolve()))
        try:
            target._open("")
        except (ImportError, ValueError) as err:
            raise ToolkitError(f"--out {where}: a path or URL that fsspec can open was expected ({err}).") from err
        return target

    def read(self, name: str) -> bytes | None:
        """A file's content, None where there is no such file.

        Raises:
            ToolkitError: the folder cannot be read.
        """
        files, path = self._open(name)
        try:
            return files.cat_file(path)
        except FileNotFoundError:
            return None
        except Exception as err:  # every store has errors of its own
            raise self._refused(err) from err

    def write(self, name: str, content: bytes) -> None:
        """A file, so that a reader sees the old one or the whole new one.

        Raises:
            ToolkitError: it could not be written.
        """
        files, path = self._open(name)
        folder, _, last = path.rpartition("/")
        part = f"{folder}/.{last}.{uuid.uuid4().hex[:8]}.part"
        try:
            files.makedirs(folder, exist_ok=True)
            files.pipe_file(part, content)
            # Old versions of fsspec rename local files in mv_file alone; their mv copies, and a reader might see half.
            getattr(files, "mv_file", files.mv)(part, path)
        except Exception as err:
            with suppress(Exception):
                files.rm_file(part)
            raise self._refused(err) from err

    def remove(self, name: str) -> None:
        """A file, if it is there."""
        files, path = self._open(name)
        try:
            files.rm_file(path)
        except FileNotFoundError:
            return

    @contextmanager
    def claimed(self, name: str) -> Iterator[None]:
        """A folder inside for one writer alone, where files can be locked; elsewhere writers must look again.

        The lock ends with its process, and its file stays: removing it would let two writers lock two files.
        """
        from fsspec.implementations.local import LocalFileSystem

        files, path = self._open(name)
        if not isinstance(files, LocalFileSystem):
            yield
            return
        files.makedirs(path, exist_ok=True)
        with FileLock(Path(path) / ".lock"):
            yield

    def _refused(self, err: Exception) -> ToolkitError:
        return ToolkitError(f"{self.url}: a folder that can be read and written was expected ({first_line(err)}).")

    def _open(self, name: str) -> tuple[Any, str]:
        from fsspec.core import url_to_fs

        files, root = url_to_fs(self.url)
        return files, f"{root.rstrip('/')}/{name}" if name else root
