"""Airflow 3: a notebook every night into a dated folder, then what changed since the night before.

Airflow needs ``apache-airflow-providers-papermill``. The toolkit keeps an environment of its own, which a kernel makes
known to Airflow's papermill: ``.venv/bin/python -m ipykernel install --user --name llm-routing-toolkit``.
"""

import os
from datetime import datetime, timedelta
from pathlib import Path

from airflow.providers.papermill.operators.papermill import PapermillOperator
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG

TOOLKIT = Path(os.environ.get("LLM_ROUTING_TOOLKIT", Path.home() / "llm-routing-toolkit"))
NIGHTLY = Path(os.environ.get("LLM_ROUTING_NIGHTLY", Path.home() / "nightly"))
TONIGHT = f"{NIGHTLY}/{{{{ ds }}}}"
LAST_NIGHT = f"{NIGHTLY}/{{{{ macros.ds_add(ds, -1) }}}}"

with DAG(
    dag_id="llm_routing_nightly",
    schedule="17 3 * * *",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 1, "retry_delay": timedelta(minutes=5)},
) as dag:
    make_folder = BashOperator(task_id="make_folder", bash_command=f'mkdir -p "{TONIGHT}"')

    run_notebook = PapermillOperator(
        task_id="run_notebook",
        input_nb=str(TOOLKIT / "notebooks" / "02_compare_quality_and_cost.ipynb"),
        output_nb=f"{TONIGHT}/notebook.ipynb",
        parameters={"dataset": "synthetic", "profile": "quick", "seed": 0, "device": "cpu", "out": TONIGHT},
        kernel_name="llm-routing-toolkit",
        language_name="python",
    )

    # papermill writes no manifest: that the task before this one succeeded is what vouches for the folder. Status 3, a
    # missed bar, fails the task, and Airflow tells whom it tells; the first night has nothing to be compared with.
    what_changed = BashOperator(
        task_id="what_changed",
        bash_command=(
            f'[ -d "{LAST_NIGHT}" ] || exit 99; '
            f'"{TOOLKIT}/.venv/bin/python" -m toolkit compare "{LAST_NIGHT}" "{TONIGHT}" --without-manifest '
            f'--out "{TONIGHT}/changes.html" --notify-if "{TOOLKIT}/docs/scheduling/changes.yml"'
        ),
        skip_on_exit_code=99,
        retries=0,
    )

    make_folder >> run_notebook >> what_changed
