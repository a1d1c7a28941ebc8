import json

from jsonschema import Draft202012Validator


def test_schema_is_printed_and_the_same_is_written(chatforge, tmp_path):
    printed = chatforge("schema")
    Draft202012Validator.check_schema(json.loads(printed.out))
    (tmp_path / "flow.schema.json").write_text("old")
    written = chatforge("schema", "-o", "flow.schema.json")
    assert (written.code, written.out) == (0, "wrote flow.schema.json\n")
    assert (tmp_path / "flow.schema.json").read_text() == printed.out
    assert [path.name for path in tmp_path.iterdir()] == ["flow.schema.json"]


def test_folder_is_refused_with_a_sentence(chatforge, tmp_path):
    (tmp_path / "flows").mkdir()
    result = chatforge("schema", "-o", "flows")
    assert (result.code, result.error) == (
        2,
        "error: 'flows' is a folder; write -o flows/flow.schema.json\n",
    )
