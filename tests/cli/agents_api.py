"""What the tests of `chatforge agents` do here and at ChatForge."""

import json

import httpx

FIRST = "00000000-0000-4000-8000-000000000001"


class Vendor:
    """The agents at ChatForge, as another program changes them."""

    def __init__(self, scene):
        self.url, self.key = scene.sandbox.url, scene.sandbox.api_key
        self.control = scene.sandbox.control_url

    def ask(self, method, action, body=None, **params):
        headers = {"Authorization": f"Bearer {self.key}"}
        content = None if body is None else json.dumps(body)
        answer = httpx.request(method, self.url, params={"action": action, **params}, content=content, headers=headers)
        assert answer.is_success, answer.text
        return answer.json()

    def create(self, name, **more):
        return self.ask("POST", "v1-agents", {"name": name, **more})["agent"]["id"]

    def get(self, agent_id=FIRST):
        return self.ask("GET", "v1-agent", agent_id=agent_id)["agent"]

    def update(self, agent_id=FIRST, **values):
        self.ask("PUT", "v1-agent", values, agent_id=agent_id)

    def called(self, name):
        return [agent for agent in self.ask("GET", "v1-agents")["agents"] if agent["name"] == name]

    def names(self):
        return sorted(agent["name"] for agent in self.ask("GET", "v1-agents")["agents"])

    def effects(self):
        """The bodies of what was changed through the API, by method."""
        effects = httpx.get(f"{self.control}/effects").json()["effects"]
        return [(effect["method"], effect["body"]) for effect in effects]


def pull(scene, *more):
    return scene("agents", "pull", "agents", *more)


def apply(scene, *more):
    return scene("agents", "apply", "agents", "--yes", *more)


def content(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def write_new(agents, name="sales", text="name: Sales\n", **files):
    (agents / name).mkdir(parents=True)
    (agents / name / "agent.yaml").write_text(text)
    for file, written in files.items():
        (agents / name / file.replace("_md", ".md")).write_text(written)
