"""The bag that a replay writes."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from rosbags.typesys.store import Typestore

from im2hands_ros.bags.definitions import Topic
from im2hands_ros.bags.reader import RawMessage
from im2hands_ros.bags.writer import BagWriter
from im2hands_ros.messages.results import RESULT_TYPES


class Output:
    """A bag of results, begun with the first message: without any, nothing is written.

    Args:
        path: a new bag folder, or a new .mcap file.
        copied: topics of the input that are written as well.
        types: the definitions of those.

    Attributes:
        counts: messages written, by topic.

    Raises:
        FileExistsError: there is something at `path` already.
        FileNotFoundError: the folder to write into does not exist.
        ValueError: a copied topic has the name of a result.
    """

    def __init__(self, path: Path, copied: Iterable[Topic], types: Typestore) -> None:
        self._path, self._copied, self._types = path, tuple(copied), types
        # A single file is written in a folder beside it, then moved out.
        self._is_file = path.suffix == ".mcap"
        self._folder = path.with_name(f"{path.name}.part") if self._is_file else path
        self._bag: BagWriter | None = None
        self.counts: Counter[str] = Counter()
        for taken in {path, self._folder}:
            if taken.exists():
                raise FileExistsError(f"output '{taken}' exists already: remove it or choose -o")
        if not path.absolute().parent.is_dir():
            raise FileNotFoundError(f"directory '{path.parent}' does not exist: create it first")
        for topic in self._copied:
            if topic.name in RESULT_TYPES:
                raise ValueError(f"{topic.name} is a result's name: replay without --copy-inputs")

    def write(self, messages: Iterable[tuple[str, bytes]], received_ns: int) -> None:
        """Write a frame's results, received when its image was."""
        for topic, data in messages:
            self._opened().write(topic, received_ns, data)
            self.counts[topic] += 1

    def copy(self, raw: RawMessage) -> None:
        """Write a message of the input as it is."""
        self._opened().write(raw.topic, raw.received_ns, raw.data)

    def close(self) -> None:
        """Complete the bag."""
        if self._bag is None:
            return
        self._bag.close()
        if self._is_file:
            next(self._folder.glob("*.mcap")).replace(self._path)
            shutil.rmtree(self._folder)

    def _opened(self) -> BagWriter:
        if self._bag is None:
            self._bag = BagWriter(self._folder)
            for topic in self._copied:
                self._bag.add_topic(topic.name, topic.type, reliable=False, types=self._types)
            for name, kind in RESULT_TYPES.items():
                self._bag.add_topic(name, kind, reliable=True)
        return self._bag
