"""The command `chatforge`, and `python -m connector`."""

import importlib.util
import sys

NEEDED = ("typer", "rich", "starlette", "uvicorn", "uvloop", "jinja2", "prometheus_client", "structlog")


def main() -> None:
    """Run the command line. Exit codes: see `connector.cli.exits`."""
    if missing := [name for name in NEEDED if importlib.util.find_spec(name) is None]:
        install = "pip install 'chatforge-connector[run]'"
        print(f"chatforge needs {', '.join(missing)}; install the command with: {install}", file=sys.stderr)
        sys.exit(2)
    try:
        from connector.cli.app import run  # only now: the core install has no command line

        run()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
