"""Files are read exactly, replaced at once, and links and what is no file are refused."""

import os

import pytest

from connector.agents import disk
from connector.errors import FolderError


@pytest.mark.parametrize("text", ["a\r\nb \n\n", "\ufeffx", "\ud800", "😀\x00", ""], ids=repr)
def test_text_is_read_as_it_was_written(tmp_path, text):
    disk.write(tmp_path / "x", disk.encode(text))
    assert disk.read_text(tmp_path / "x") == text


def test_two_halves_are_one_character(tmp_path):
    (tmp_path / "x").write_bytes("\ud83d\ude00".encode("utf-8", "surrogatepass"))
    assert disk.read_text(tmp_path / "x") == "😀"


def test_file_that_is_not_utf_8_is_told_with_its_line(tmp_path):
    (tmp_path / "x").write_bytes(b"a\nb\xff")
    with pytest.raises(FolderError, match=r"x', line 2: byte 3 is not UTF-8; save it as UTF-8"):
        disk.read_text(tmp_path / "x")


def test_file_that_is_not_there_is_none(tmp_path):
    assert disk.read(tmp_path / "x") is None


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo, lambda path: path.symlink_to("/etc/passwd")])
def test_what_is_no_file_is_neither_read_nor_written(tmp_path, make):
    make(tmp_path / "x")
    with pytest.raises(FolderError, match="cannot be read: it is "):
        disk.read(tmp_path / "x")
    with pytest.raises(FolderError, match="cannot be written: it is no regular file"):
        disk.write(tmp_path / "x", b"")


def test_large_file_is_not_read_whole(tmp_path):
    (tmp_path / "x").write_bytes(b"1234")
    assert disk.read(tmp_path / "x", 4) == b"1234"
    with pytest.raises(FolderError, match="it has more than 3 bytes"):
        disk.read(tmp_path / "x", 3)


def test_same_content_is_not_written_and_a_mode_stays(tmp_path):
    path = tmp_path / "x"
    assert disk.write(path, b"a")
    path.chmod(0o600)
    before = path.stat().st_mtime_ns, path.stat().st_ino
    assert not disk.write(path, b"a")
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == before
    assert disk.write(path, b"b")
    assert path.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in tmp_path.iterdir()] == ["x"]


def test_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "x").write_text("")
    with pytest.raises(FolderError, match=r"the folder '.*y' cannot be made: Not a directory"):
        disk.make_folder(tmp_path / "x" / "y")
