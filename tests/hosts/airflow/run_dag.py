"""Runs a DAG of the folder in this process: python run_dag.py FILE DAG_ID → its tasks' states and outputs as JSON."""

import json
import runpy
import sqlite3
import sys
from pathlib import Path

from airflow.configuration import AIRFLOW_HOME
from airflow.sdk import DAG


def main(file: str, dag_id: str) -> None:
    [dag] = [one for one in runpy.run_path(file).values() if isinstance(one, DAG) and one.dag_id == dag_id]
    run = dag.test()
    with sqlite3.connect(Path(AIRFLOW_HOME) / "airflow.db") as database:
        states = database.execute("SELECT task_id, state FROM task_instance WHERE run_id = ?", (run.run_id,)).fetchall()
        given = "SELECT task_id, value FROM xcom WHERE run_id = ? AND key = 'return_value'"
        outputs = {task: json.loads(value) for task, value in database.execute(given, (run.run_id,)).fetchall()}
    print("RESULT", json.dumps({"states": dict(states), "outputs": outputs}))


main(*sys.argv[1:])
