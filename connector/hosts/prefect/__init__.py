"""What Prefect 3 loads: a block for the account, tasks that run actions, and new leads in a flow."""
