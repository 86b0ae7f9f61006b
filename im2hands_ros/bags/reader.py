"""Reads any rosbag2 as one stream of messages, piece by piece.

A folder with metadata.yaml, such a folder without it, or one file: MCAP or sqlite3, compressed or
not. A damaged bag gives what can be had of it, and a warning.
"""

from __future__ import annotations

import re
import shutil
import tempfile
import warnings
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from im2hands_ros.bags.definitions import Topic, types_of
from im2hands_ros.bags.salvage import RawMessage, zstd
from im2hands_ros.bags.storage import SUFFIXES, StorageFile, reason
from im2hands_ros.messages.header import nanoseconds

_ZSTD = b"\x28\xb5\x2f\xfd"  # a message that was compressed by itself begins so; CDR never does


@dataclass(frozen=True)
class Received:
    """One message of a bag: its topic, when it was received, its header's stamp, and its fields."""

    topic: str
    received_ns: int
    stamp_ns: int
    message: Any


class BagReader:
    """An open bag. Use as a context manager.

    Args:
        path: a bag's folder, its metadata.yaml, or one of its other files.
        warn: called with what is damaged, a line each.

    Attributes:
        topics: name -> topic, counted.
        start_ns, end_ns: reception of the first message and of the last, plus 1.
        types: reads the messages by the definitions that the bag holds.

    Raises:
        FileNotFoundError: there is no such file, or no bag in the folder.
        ValueError: not a bag, or one that cannot be read at all.
    """

    def __init__(self, path: Path, warn: Callable[[str], None] = warnings.warn) -> None:
        self._warn = warn
        self._stack = ExitStack()
        if path.name == "metadata.yaml":
            path = path.parent
        if not path.exists():
            raise FileNotFoundError(f"bag '{path}' does not exist: check the path")
        try:
            self._files = self._open(path)
            self.topics = _summed(self._files)
            self.types = types_of(self.topics.values())
        except BaseException:
            self._stack.close()
            raise
        self.start_ns = min(file.start_ns for file in self._files)
        self.end_ns = max(file.end_ns for file in self._files)

    def __enter__(self) -> BagReader:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def count(self, topic: str) -> int:
        """How many messages of a topic the bag holds."""
        return self.topics[topic].count if topic in self.topics else 0

    def messages(self, *topics: str) -> Iterator[Received]:
        """The messages of these topics, of all without any, file by file.

        Raises:
            rosbags.serde.SerdeError and others: one is garbled.
        """
        for raw in self.raw_messages(topics or tuple(self.topics)):
            message = self.parse(raw)
            header = getattr(message, "header", None)
            stamp_ns = 0 if header is None else nanoseconds(header.stamp)
            yield Received(raw.topic, raw.received_ns, stamp_ns, message)

    def raw_messages(
        self, names: Collection[str], start_ns: int | None = None, end_ns: int | None = None
    ) -> Iterator[RawMessage]:
        """The messages of these topics, received in [start_ns, end_ns), file by file."""
        start_ns = self.start_ns if start_ns is None else start_ns
        end_ns = self.end_ns if end_ns is None else end_ns
        for file in self._files:
            for message in file.messages(names, start_ns, end_ns):
                yield _unpacked(message)

    def parse(self, raw: RawMessage) -> Any:
        """The message's fields. Raises rosbags.serde.SerdeError and others when it is garbled."""
        return self.types.deserialize_cdr(raw.data, self.topics[raw.topic].type)

    def _open(self, path: Path) -> list[StorageFile]:
        """All files that can be read; raises what is wrong with the first when none can."""
        opened: list[StorageFile] = []
        problems: list[Exception] = []
        for each in [path] if path.is_file() else self._files_of(path):
            try:
                if not each.exists():
                    raise FileNotFoundError(
                        f"'{each}' is a part of the bag but is not there: copy it there"
                    )
                opened.append(self._open_file(each))
            except (OSError, ValueError) as error:
                problems.append(error)
        if not opened:
            raise problems[0]
        for problem in problems:
            self._warn(f"{problem}; the other parts are used")
        # Tools that merge and repair bags list their parts in any order.
        return sorted(opened, key=lambda file: file.start_ns)

    def _open_file(self, path: Path) -> StorageFile:
        if not path.name.removesuffix(".zstd").endswith(SUFFIXES):
            remedy = (
                "convert it with rosbags-convert" if path.suffix == ".bag" else "check the path"
            )
            raise ValueError(
                f"'{path}' is no rosbag2 (a folder, an .mcap or a .db3 file): {remedy}"
            )
        if path.suffix == ".zstd":
            return self._open_packed(path)
        file = StorageFile(path, self._warn)
        self._stack.callback(file.close)
        return file

    def _open_packed(self, path: Path) -> StorageFile:
        plain = self._decompressed(path)
        try:
            file = StorageFile(plain, lambda text: self._warn(text.replace(str(plain), str(path))))
        except ValueError as error:
            raise ValueError(
                f"'{path}' is damaged and nothing of it can be read: copy it again"
            ) from error
        self._stack.callback(file.close)
        return file

    def _files_of(self, folder: Path) -> list[Path]:
        """The storage files of a bag's folder, in their order."""
        metadata = folder / "metadata.yaml"
        try:
            fields = YAML(typ="safe").load(metadata.read_text(encoding="utf-8"))
            names = fields["rosbag2_bagfile_information"]["relative_file_paths"]
            files = [folder / Path(name).name for name in names]
        except (OSError, YAMLError, KeyError, TypeError, ValueError) as error:
            return self._beside(metadata, f"cannot be read ({reason(error)})")
        if not any(file.exists() for file in files) and (not files or _listed(folder)):
            listed = ", ".join(file.name for file in files) or "no file"
            return self._beside(metadata, f"lists {listed}, and nothing that is there")
        for file in _listed(folder):
            if file not in files:
                self._warn(
                    f"'{file}' lies beside the bag's parts and is left out: list it in "
                    f"'{metadata}', or remove that to have all"
                )
        return files

    def _beside(self, metadata: Path, why: str) -> list[Path]:
        """All storage files of a folder whose metadata do not name them; raises if none is."""
        files = _listed(metadata.parent)
        if not files:
            raise FileNotFoundError(f"'{metadata.parent}' holds no bag: check the path")
        self._warn(f"'{metadata}' {why}: all bag files beside it are used")
        return files

    def _decompressed(self, file: Path) -> Path:
        """The file's contents, in a folder that goes when the bag is closed."""
        folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="im2hands_bag_"))
        plain = Path(folder) / file.stem
        with zstd.open(file, "rb") as packed, plain.open("wb") as target:
            try:
                shutil.copyfileobj(packed, target)
            except (zstd.ZstdError, EOFError) as error:
                self._warn(f"'{file}' is damaged ({reason(error)}): what can be unpacked is used")
        return plain


def _listed(folder: Path) -> list[Path]:
    """The storage files in a folder, bag_2 before bag_10."""
    names = [file.name for file in folder.iterdir()]
    names = [name for name in names if name.removesuffix(".zstd").endswith(SUFFIXES)]
    in_order = sorted(names, key=lambda name: ([int(n) for n in re.findall(r"\d+", name)], name))
    return [folder / name for name in in_order]


def _summed(files: list[StorageFile]) -> dict[str, Topic]:
    """The topics of all files, each once."""
    topics: dict[str, Topic] = {}
    for file in files:
        for topic in file.topics:
            known = topics.get(topic.name)
            count = topic.count + (known.count if known else 0)
            topics[topic.name] = Topic(topic.name, topic.type, count, topic.definition)
    return topics


def _unpacked(message: RawMessage) -> RawMessage:
    if not message.data.startswith(_ZSTD):
        return message
    try:
        return message._replace(data=zstd.decompress(message.data))
    except (zstd.ZstdError, EOFError):
        return message  # which then cannot be read either, and is counted
