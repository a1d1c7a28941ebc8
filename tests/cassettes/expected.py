"""Says what was to be sent in a case, and what must come of the answers.

What is expected follows from the case, the vendor's reference and the recorded answers, not from what the client did.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from cases import NOW, PAGE_SIZE, Json
from replays import Replay, Sent

from connector.polling import Polled

KINDS = {
    400: "rejected",
    401: "authentication",
    403: "plan",
    404: "not_found",
    429: "rate_limit",
    500: "server",
    200: "output",
}
"""status → kind: the vendor's reference, "Error Codes"; an error after a 200 can only be about the answer."""


def check(done: Replay) -> None:
    """Assert that the right requests were sent, each once, and that the right thing came of the answers."""
    if done.error is not None and done.error.__cause__ is not None:
        raise done.error  # the cassette lacked a request
    assert done.tape.play_count == len(done.tape) > 0
    assert done.tape.all_played
    REQUESTS[done.case.operation](done)
    if done.case.error:
        _check_error(done)
    else:
        assert done.error is None, done.error
        OUTPUTS[done.case.operation](done)


def _check_error(done: Replay) -> None:
    [response] = done.tape.responses
    status, error = response["status"]["code"], done.error
    assert error is not None
    assert error.kind == done.case.error == KINDS[status]
    assert error.status == status
    assert _find_message(response["body"]["string"].decode()) in str(error)
    [waited] = response["headers"].get("retry-after", [None])
    assert error.retry_after == (None if waited is None else float(waited))


def _find_message(body: str) -> str:
    if title := re.search("<title>(.*)</title>", body):
        return title[1]
    answer = json.loads(body)
    return str(answer.get("error") or answer["message"])


def _requests(*wanted: tuple[str, str]) -> Callable[[Replay], None]:
    """These methods and actions, about the agent of the input where the action is about one."""

    def check_requests(done: Replay) -> None:
        expected: list[Sent] = []
        for method, action in wanted:
            query = {"action": action}
            if action != "v1-agents":
                query["agent_id"] = done.case.input["agent_id"]
            body = {name: value for name, value in done.case.input.items() if name != "agent_id"}
            expected.append((method, query, body if method in ("POST", "PUT") else None))
        assert done.sent == expected

    return check_requests


def _check_upsert_requests(done: Replay) -> None:
    values = dict(done.case.input)
    expected: list[Sent] = [("GET", {"action": "v1-agents"}, None)]
    if done.case.name == "updated":
        [found] = [agent["id"] for agent in done.answers[0]["agents"] if agent["name"] == values["name"]]
        expected.append(("PUT", {"action": "v1-agent", "agent_id": found}, values))
    else:
        active, made = values.pop("active"), done.answers[1]["agent"]["id"]
        expected.append(("POST", {"action": "v1-agents"}, values))
        expected.append(("PUT", {"action": "v1-agent", "agent_id": made}, {"active": active}))
    assert done.sent == expected


def _check_pages(action: str, key: str) -> Callable[[Replay], None]:
    def check_requests(done: Replay) -> None:
        offsets = [0, *(len(answer[key]) for answer in done.answers[:-1])]
        assert done.sent == [_page(action, done.case.input["agent_id"], PAGE_SIZE, offset) for offset in offsets]

    return check_requests


def _check_search(action: str, key: str) -> Callable[[Replay], None]:
    """From the start of the list; where it goes on depends on the order that it finds."""

    def check_requests(done: Replay) -> None:
        agent = done.case.input["agent_id"]
        assert done.sent[0] == _page(action, agent, 50, 0)
        for method, query, body in done.sent[1:]:
            counting = (method, query, body) == ("GET", {"action": "v1-analytics", "agent_id": agent}, None)
            assert counting or (method, query, body) == _page(action, agent, 50, int(query["offset"]))

    return check_requests


def _check_sweep(action: str, key: str) -> Callable[[Replay], None]:
    """All agents, unless one is wanted; of each, pages without a gap between them."""

    def check_requests(done: Replay) -> None:
        sent, answers, agents = list(done.sent), done.answers, [done.case.input.get("agent_id")] * done.case.rounds
        if agents[0] is None:
            assert sent.pop(0) == ("GET", {"action": "v1-agents"}, None)
            agents = [agent["id"] for agent in answers.pop(0)["agents"]]
        ends = dict.fromkeys(agents, 0)
        for request, answer in zip(sent, answers, strict=True):
            agent, offset = request[1]["agent_id"], int(request[1].get("offset", 0))
            if request == ("GET", {"action": "v1-analytics", "agent_id": agent}, None):
                continue  # whether an empty list should be empty
            assert request == _page(action, agent, 50, offset)
            assert offset <= ends[agent]
            ends[agent] = max(ends[agent], offset + len(answer[key]))

    return check_requests


def _page(action: str, agent: str, limit: int, offset: int) -> Sent:
    return "GET", {"action": action, "agent_id": agent, "limit": str(limit), "offset": str(offset)}, None


REQUESTS: Mapping[str, Callable[[Replay], None]] = {
    "list_agents": _requests(("GET", "v1-agents")),
    "create_agent": _requests(("POST", "v1-agents")),
    "get_agent": _requests(("GET", "v1-agent")),
    "update_agent": _requests(("PUT", "v1-agent")),
    "upsert_agent": _check_upsert_requests,
    "delete_agent": _requests(("DELETE", "v1-agent")),
    "list_conversations": _check_pages("v1-conversations", "conversations"),
    "find_conversation": _check_search("v1-conversations", "conversations"),
    "list_leads": _check_pages("v1-leads", "leads"),
    "find_lead": _check_search("v1-leads", "leads"),
    "get_analytics": _requests(("GET", "v1-analytics")),
    "analytics_change": _requests(("GET", "v1-analytics")),
    "inject_message": _requests(("POST", "v1-message")),
    "new_lead": _check_sweep("v1-leads", "leads"),
    "new_conversation": _check_sweep("v1-conversations", "conversations"),
    "conversation_updated": _check_sweep("v1-conversations", "conversations"),
}


def _check_sampled(done: Replay) -> None:
    """The first sample of a month tells what came since it began; of a month before NOW, nothing."""
    [output], [answer] = done.outputs, done.answers
    told = (answer["conversations"]["this_month"], answer["leads"]["this_month"], answer["messages_this_month"])
    assert (output["conversations"], output["leads"], output["messages"]) == told
    assert output["complete"] == (answer["month"] == f"{NOW:%Y-%m}")


def _check_kept(done: Replay) -> None:
    [output], [answer] = done.outputs, done.answers
    _require_kept(output, {"agent": answer} if "id" in answer else answer)


def _check_upserted(done: Replay) -> None:
    [output] = done.outputs
    _require_kept(output["agent"], done.answers[-1].get("agent", done.answers[-1]))
    assert output["created"] == (done.case.name == "created")


def _check_deleted(done: Replay) -> None:
    assert done.outputs == [{"deleted": True}]


def _check_listed(key: str) -> Callable[[Replay], None]:
    def check_output(done: Replay) -> None:
        offset = 0
        for output, answer in zip(done.outputs, done.answers, strict=True):
            _require_kept(output[key], answer[key])
            offset += len(answer[key])
            assert output["next_offset"] == (offset if answer[key] else None)

    return check_output


def _check_found_conversation(done: Replay) -> None:
    [output] = done.outputs
    matches = [item for item in _items(done, "conversations") if item["lead_captured"] and _is_wanted(done, item)]
    assert output["candidates"] == len({item["id"] for item in matches}) > 0
    _require_kept(output["conversation"], max(matches, key=lambda item: _time(item["created_at"])))


def _check_found_lead(done: Replay) -> None:
    [output] = done.outputs
    matches = [item for item in _items(done, "leads") if _is_wanted(done, item)]
    _require_kept(output["lead"], max(matches, key=lambda item: _time(item["created_at"])))


def _check_new(key: str, identity: str, id_name: str) -> Callable[[Replay], None]:
    def check_events(done: Replay) -> None:
        items = {item["id"]: item for item in _items(done, key)}
        events = [event for step in done.outputs for event in step.events]
        assert [event.identity for event in events] == [f"{identity}:{item}" for item in items]
        for event, item in zip(events, items.values(), strict=True):
            _require_kept(event.payload[identity], item)
        selected = [_select(done, event) for event in events]
        assert [(one[id_name], one["visitor_email"]) for one in selected] == [
            (item["id"], item["visitor_email"]) for item in items.values()
        ]

    return check_events


def _check_updated(done: Replay) -> None:
    risen, counts = [], {}
    for item in _items(done, "conversations"):
        before, now = counts.get(item["id"]), item["message_count"]
        counts[item["id"]] = now
        if before is not None and now > before:
            risen.append((f"conversation:{item['id']}:{now}", now))
    events = [event for step in done.outputs for event in step.events]
    assert [(event.identity, _select(done, event)["message_count"]) for event in events] == risen


OUTPUTS: Mapping[str, Callable[[Replay], None]] = {
    "list_agents": _check_kept,
    "create_agent": _check_kept,
    "get_agent": _check_kept,
    "update_agent": _check_kept,
    "upsert_agent": _check_upserted,
    "delete_agent": _check_deleted,
    "list_conversations": _check_listed("conversations"),
    "find_conversation": _check_found_conversation,
    "list_leads": _check_listed("leads"),
    "find_lead": _check_found_lead,
    "get_analytics": _check_kept,
    "analytics_change": _check_sampled,
    "inject_message": _check_kept,
    "new_lead": _check_new("leads", "lead", "lead_id"),
    "new_conversation": _check_new("conversations", "conversation", "conversation_id"),
    "conversation_updated": _check_updated,
}


def count_found(done: Replay) -> int:
    """How much the answers gave: items, events, or one for what is not a list."""
    if done.outputs and isinstance(done.outputs[0], Polled):
        return sum(len(step.events) for step in done.outputs)
    lists = [value for output in done.outputs for value in output.values() if isinstance(value, list)]
    return min(map(len, lists)) if lists else len(done.outputs)


def _select(done: Replay, event: Any) -> Json:
    output = done.adapter.select(f"chatforge.{done.case.operation}", done.case.input, event, NOW)
    assert output is not None
    return output


def _items(done: Replay, key: str) -> Iterator[Json]:
    for answer in done.answers:
        yield from answer.get(key) or () if isinstance(answer.get(key), list) else ()


def _is_wanted(done: Replay, item: Json) -> bool:
    return (item["visitor_email"] or "").casefold() == done.case.input["visitor_email"]


def _require_kept(output: Any, body: Any) -> None:
    """All that the vendor said is in the output, whether it is known or not; a time may be written otherwise."""
    if isinstance(body, dict):
        for name, value in body.items():
            _require_kept(output[name], value)
    elif isinstance(body, list):
        assert len(output) == len(body)
        for one, other in zip(output, body, strict=True):
            _require_kept(one, other)
    else:
        assert output == body or _time(output) == _time(body)


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
