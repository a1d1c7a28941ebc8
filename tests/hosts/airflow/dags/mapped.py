"""A sensor that is mapped over the inputs of INPUTS; run by itself, it writes the leads that each got."""

import json
import os
from pathlib import Path

from airflow.sdk import DAG

from connector.hosts.airflow.sensors import NewLeadSensor

with DAG("mapped", schedule=None) as dag:
    NewLeadSensor.partial(task_id="wait").expand(input=json.loads(os.environ.get("INPUTS", "[{}]")))

if __name__ == "__main__":
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session

    run = dag.test()
    with create_session() as session:
        pulled = XComModel.get_many(run_id=run.run_id, key="return_value", dag_ids="mapped")
        found = {row.map_index: row.value for row in session.execute(pulled).scalars()}
    Path(os.environ["RESULT"]).write_text(json.dumps([found[index] for index in sorted(found)]))
