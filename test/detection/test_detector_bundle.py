"""The hand landmarker's model file: where it is looked for, and what is refused."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import pytest

from im2hands_ros.detection import bundle


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A wheel with two small files in place of the networks; their hashes are the wanted ones."""
    path = tmp_path / "mediapipe.whl"
    wanted = {}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, (member, _) in bundle._PARTS.items():
            archive.writestr(member, name.encode() * 100)
            wanted[name] = (member, bundle._sha256(name.encode() * 100))
    monkeypatch.setattr(bundle, "_PARTS", wanted)
    return path


def test_a_bundle_holds_both_networks_uncompressed(wheel: Path, tmp_path: Path) -> None:
    target = tmp_path / "new folder" / bundle.NAME
    bundle.make_bundle(target, wheel)
    with zipfile.ZipFile(target) as archive:
        kinds = {each.filename: each.compress_type for each in archive.infolist()}
    assert kinds == dict.fromkeys(
        ("hand_detector.tflite", "hand_landmarks_detector.tflite"), zipfile.ZIP_STORED
    )
    assert bundle.is_complete(target)
    assert [each.name for each in target.parent.iterdir()] == [bundle.NAME]


def test_a_second_making_is_not_needed(wheel: Path, tmp_path: Path, capsys) -> None:
    target = str(tmp_path / bundle.NAME)
    assert bundle.main(["--out", target, "--wheel", str(wheel)]) == 0
    assert bundle.main(["--out", target, "--wheel", "nowhere.whl"]) == 0
    assert "there already" in capsys.readouterr().out


def test_networks_that_were_not_tested_are_refused(
    wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    parts = {name: (member, "0" * 64) for name, (member, _) in bundle._PARTS.items()}
    monkeypatch.setattr(bundle, "_PARTS", parts)
    target = tmp_path / bundle.NAME
    assert bundle.main(["--out", str(target), "--wheel", str(wheel)]) == 2
    assert "use mediapipe==0.10.21" in capsys.readouterr().err
    assert not target.exists()


@pytest.mark.parametrize("content", [b"no zip", b""])
def test_a_wheel_that_is_none_is_named(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "broken.whl").write_bytes(content)
    with pytest.raises(bundle.BundleError, match=r"broken.whl does not hold the networks"):
        bundle.make_bundle(tmp_path / bundle.NAME, tmp_path / "broken.whl")


def test_a_fetch_that_fails_says_why_and_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = tmp_path / "python"
    fake.write_text("#!/bin/sh\necho 'ERROR: No matching distribution' >&2\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(fake))
    with pytest.raises(bundle.BundleError, match="No matching distribution.*--wheel"):
        bundle.make_bundle(tmp_path / bundle.NAME)


def test_a_damaged_bundle_is_made_anew(wheel: Path, tmp_path: Path) -> None:
    target = tmp_path / bundle.NAME
    target.write_bytes(b"half")
    assert not bundle.is_complete(target)
    assert bundle.main(["--out", str(target), "--wheel", str(wheel)]) == 0
    assert bundle.is_complete(target)


def test_a_bundle_that_is_not_there_is_an_error_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle, "places", lambda: [tmp_path / "a.task", tmp_path / "b.task"])
    with pytest.raises(FileNotFoundError, match=r"b\.task: make it with `python -m im2hands_ros"):
        bundle.find_bundle()
    (tmp_path / "b.task").touch()
    assert bundle.find_bundle() == tmp_path / "b.task"
    with pytest.raises(FileNotFoundError, match="no hand landmarker model at mine.task"):
        bundle.find_bundle("mine.task")
