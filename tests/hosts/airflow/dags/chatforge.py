"""The DAGs of the tests; which inputs they use stands in the Variable `given`."""

from datetime import UTC, datetime

from airflow.sdk import DAG, Asset, AssetWatcher

from connector import registry
from connector.hosts.airflow.operators import ChatForgeOperator
from connector.hosts.airflow.sensors import NewLeadSensor
from connector.hosts.airflow.triggers import NewLeadTrigger

START = datetime(2026, 1, 1, tzinfo=UTC)
WANTED = {"start": "all", "every": "1s"}


with DAG("actions", schedule=None, start_date=START) as actions_dag:
    actions = [action for name, action in registry.load().actions.items() if name.startswith("chatforge.")]
    before = None
    for action in sorted(actions, key=lambda one: one.effect == "destructive"):
        example = {name: value for name, value in action.example.items() if name != "captured_at"}
        known = {name: f"{{{{ var.json.given.{name} }}}}" for name in ("agent_id", "conversation_id")}
        task = ChatForgeOperator(
            task_id=action.name.partition(".")[2],
            action=action.name,
            input={name: known.get(name, value) for name, value in example.items()},
        )
        if before is not None:
            before >> task
        before = task

with DAG("failing", schedule=None, start_date=START) as failing_dag:
    ChatForgeOperator(task_id="agent", action="chatforge.get_agent", input={"agent_id": "gone"})

with DAG("leads", schedule=None, start_date=START) as leads_dag:
    NewLeadSensor(task_id="leads", input=WANTED)

ASSET = Asset(
    "new_leads",
    watchers=[
        AssetWatcher(
            name="chatforge",
            trigger=NewLeadTrigger(asset="new_leads", conn_id="chatforge_default", input=WANTED),
        )
    ],
)
with DAG("on_lead", schedule=[ASSET], start_date=START, is_paused_upon_creation=False):
    pass
