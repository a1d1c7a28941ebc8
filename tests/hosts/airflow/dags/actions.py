"""A task for each action that ACTIONS names, one after the other; run by itself, it writes what came of them."""

import json
import os
from pathlib import Path

from airflow.sdk import DAG
from airflow.sdk.bases.operator import chain

from connector.hosts.airflow.operators import ChatForgeOperator

with DAG("actions", schedule=None) as dag:
    tasks = [
        ChatForgeOperator(task_id=f"{number}", action=action, input=given, trigger_rule="all_done", **options)
        for number, (action, given, options) in enumerate(json.loads(os.environ.get("ACTIONS", "[]")))
    ]
    chain(*tasks)

if __name__ == "__main__":
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session

    run = dag.test()
    with create_session() as session:
        pulled = XComModel.get_many(run_id=run.run_id, key="return_value", dag_ids="actions")
        outputs = {row.task_id: row.value for row in session.execute(pulled).scalars()}
        found = [
            {"state": one.state, "tries": one.try_number, "output": outputs.get(one.task_id)}
            for one in sorted(run.get_task_instances(session=session), key=lambda one: int(one.task_id))
        ]
    Path(os.environ["RESULT"]).write_text(json.dumps(found))
