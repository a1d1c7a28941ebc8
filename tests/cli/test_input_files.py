"""What is read of files, and which JSON is refused."""

import os
import threading
from pathlib import Path

import pytest

from connector.cli.exits import UsageError
from connector.cli.input_files import read_input, read_object, read_start, read_text

PIPED = b'{"a": 1}'


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        pytest.param(
            "{",
            '--input: this is not JSON, at line 1, column 2; write such as {"created": false}, in single quotes',
            id="not JSON",
        ),
        pytest.param("[1]", "--input: expected a JSON object, such as {}, not [1]", id="list"),
        pytest.param("[" * 100_000, "--input: this is not read: it is nested too deeply", id="too deep for Python"),
        pytest.param('{"a": ' * 101 + "1" + "}" * 101, "nested too deeply, in more than 100 levels", id="too deep"),
        pytest.param('{"a": ' + "9" * 5000 + "}", "9… has too many digits, 5,000", id="digits"),
        pytest.param('{"a": 1e999}', "the number 1e999 is too large", id="infinite"),
        pytest.param('{"a": NaN}', "NaN is no number of JSON", id="NaN"),
        pytest.param('{"a": -Infinity}', "-Infinity is no number of JSON", id="Infinity"),
        pytest.param('{"b": [{"a": 1, "a": 1}]}', "the key 'a' is there twice in one object", id="key twice"),
        pytest.param(f'{{"{"k" * 5000}": 1, "{"k" * 5000}": 2}}', "k… is there twice in one object", id="long key"),
    ],
)
def test_json_without_one_meaning_gets_a_short_sentence(text, sentence):
    with pytest.raises(UsageError) as raised:
        read_object(text, {})
    assert sentence in str(raised.value)
    assert len(str(raised.value)) < 300


def test_json_as_deep_as_is_read_is_taken():
    assert read_object('{"a": ' * 98 + "[1e3, {}]" + "}" * 98, {})


def test_pipe_is_read(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(PIPED,))
    writer.start()
    try:
        assert read_input(f"@{pipe}") == PIPED.decode()
    finally:
        writer.join(10)


def test_file_is_read_up_to_its_limit(tmp_path):
    path = tmp_path / "in.json"
    path.write_bytes(b"12345")
    assert read_text("the file", path, 5) == "12345"
    assert read_start("the file", path, 3) == b"1234", "one more shows that there is more"
    with pytest.raises(UsageError, match="cannot be read: it has more than 4 bytes"):
        read_text("the file", path, 4)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        pytest.param("/dev/zero", "it is neither a file nor a pipe", id="device"),
        pytest.param("/", "it is neither a file nor a pipe", id="folder"),
        pytest.param("/nope", "No such file or directory", id="nothing"),
        pytest.param("x" * 5000, "File name too long", id="long name"),
        pytest.param("a\0b", "no file can have this name", id="name that no file can have"),
    ],
)
def test_what_cannot_be_read_gets_a_short_sentence(name, reason):
    with pytest.raises(UsageError) as raised:
        read_start("the file", Path(name), 5)
    assert str(raised.value).startswith("the file '")
    assert str(raised.value).endswith(f"cannot be read: {reason}")
    assert len(str(raised.value)) < 400


def test_file_that_is_no_utf8_gets_a_sentence(tmp_path):
    (tmp_path / "in.json").write_bytes(b"\xff")
    with pytest.raises(UsageError, match="cannot be read: it is not UTF-8 text"):
        read_text("the file", tmp_path / "in.json")
