"""Problems as GitHub shows them beside the lines of a pull request.

The form and the escapes are those of workflow commands:
https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands and, for the escapes,
https://github.com/actions/toolkit/blob/main/packages/core/src/command.ts
"""

from connector.flows.problems import Problem

_IN_MESSAGES = {"%": "%25", "\r": "%0D", "\n": "%0A"}
_IN_PROPERTIES = {**_IN_MESSAGES, ":": "%3A", ",": "%2C"}


def annotation(problem: Problem) -> str:
    """One line that GitHub reads from the output of a workflow. `endColumn` is the first column behind the place."""
    properties = {
        "file": problem.path,
        "line": problem.line,
        "col": problem.column,
        "endColumn": problem.end_column,
        "title": problem.rule,
    }
    told = ",".join(f"{name}={_escaped(str(value), _IN_PROPERTIES)}" for name, value in properties.items())
    text = f"{problem.message}; {problem.hint}" if problem.hint else problem.message
    return f"::error {told}::{_escaped(text, _IN_MESSAGES)}"


def _escaped(text: str, escapes: dict[str, str]) -> str:
    return "".join(escapes.get(character, character) for character in text)
