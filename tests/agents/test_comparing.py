"""Who changed a field: here, at ChatForge, or both."""

import pytest

from connector.agents.comparing import compare
from connector.agents.fields import digest


@pytest.mark.parametrize(
    ("local", "remote", "pulled", "kind"),
    [
        ("a", "a", None, None),
        ("a", "a", "b", None),
        ("new", "a", "a", "edited"),
        ("a", "new", "a", "changed"),
        ("mine", "theirs", "a", "conflict"),
        ("mine", "theirs", None, "conflict"),
        (None, "a", "a", "changed"),
        (None, "a", None, "changed"),
        ("a", None, "a", None),
        ("new", None, "a", "edited"),
        ("new", None, None, "edited"),
        ("", "a", "a", "edited"),
        (None, None, "a", None),
    ],
)
def test_three_values_tell_who_changed_it(local, remote, pulled, kind):
    values = [{"system_prompt": one} if one is not None else {} for one in (local, remote)]
    digests = {"system_prompt": digest(pulled)} if pulled is not None else {}
    assert [change.kind for change in compare(*values, digests)] == ([kind] if kind else [])


def test_false_is_not_what_is_not_given():
    assert [one.kind for one in compare({"active": False}, {"active": True}, {"active": digest(True)})] == ["edited"]
