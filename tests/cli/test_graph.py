from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "editor.md"


def test_graph_is_the_one_that_the_page_shows(chatforge, flow):
    result = chatforge("graph", flow)
    assert result.code == 0
    assert result.out == PAGE.read_text("utf-8").partition("```mermaid\n")[2].partition("```")[0]


def test_flow_with_problems_is_not_drawn(chatforge, tmp_path):
    (tmp_path / "a.yaml").write_text("flow: a\ntrigger: {uses: nope}\nsteps: [{id: a, uses: contacts.list}]\n")
    result = chatforge("graph", "a.yaml")
    assert (result.code, result.out) == (1, "")
    assert "a.yaml:2:17: there is no trigger 'nope'" in result.error


def test_folder_is_not_drawn(chatforge, tmp_path):
    assert chatforge("graph", ".").error == "error: '.' is a folder; give one flow file\n"
