# Every target sets up what it needs. `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
TOOLS_STAMP := $(VENV)/.tools-installed
# Tools whose requirements do not fit the project's, each in an environment of its own.
BQEMULATOR := .tools/bqemulator
PRISM := .tools/prism
INFRA := .tools/infra
INFRA_STAMP := $(INFRA)/.installed

# Pinned requirements into an environment: by uv in a fifth of pip's time, by pip where uv cannot be had or fails.
define install
if ! { test -x $(BIN)/uv && $(BIN)/uv pip install --quiet --no-deps --python $(1)/bin/python $(2); }; then \
  $(1)/bin/python -m pip install --quiet --disable-pip-version-check --no-compile --no-deps $(2); fi
endef

# Where Python may not keep what it has compiled, as in many containers, every start would compile all of it again.
define compiled
test -z "$$PYTHONDONTWRITEBYTECODE" || $(1)/bin/python -m compileall -qq -j 0 $(1)/lib || true
endef

.DEFAULT_GOAL := help
.PHONY: help setup tools demo pictures web test test-long siege siege-long bench bench-accounts check infra-check infra-tools bqemulator prism format lock clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 22

setup: $(STAMP) ## make .venv with what the commands need, pinned; the others do it themselves

$(STAMP): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
	  { echo "Python 3.11, 3.12 or 3.13 is needed; name one with make PYTHON=python3.12 ..." >&2; exit 1; }
	@test -x $(BIN)/python || { echo "Making $(VENV)"; $(PYTHON) -m venv $(VENV); }
	@echo "Installing the pinned requirements into $(VENV), half a minute the first time"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps "$$(grep '^uv==' requirements-dev.txt)" || true
	@$(call install,$(VENV),-r requirements.txt "$$(grep '^setuptools==' requirements-dev.txt)")
	@$(call install,$(VENV),--no-build-isolation -e .)
	@$(call compiled,$(VENV))
	@touch $@

tools: $(TOOLS_STAMP) ## what developing needs besides, into the same .venv

$(TOOLS_STAMP): $(STAMP) requirements-dev.txt
	@echo "Installing the developers' tools into $(VENV)"
	@$(call install,$(VENV),-r requirements-dev.txt)
	@$(call compiled,$(VENV))
	@touch $@

bqemulator: $(BQEMULATOR)/.installed ## make .tools/bqemulator, a BigQuery for tests; without it they skip

$(BQEMULATOR)/.installed: requirements-bqemulator.txt
	@test -x $(BQEMULATOR)/bin/python || $(PYTHON) -m venv $(BQEMULATOR)
	@echo "Installing the BigQuery emulator into $(BQEMULATOR), half a minute the first time"
	@$(call install,$(BQEMULATOR),-r requirements-bqemulator.txt)
	@$(call compiled,$(BQEMULATOR))
	@touch $@

prism: $(PRISM)/prism ## make .tools/prism, Beam's portable local runner, for tests and bench; needs go, a minute or two

$(PRISM)/prism: requirements.txt
	@command -v go >/dev/null || { echo "go is not installed, and Prism comes from the Go modules" >&2; exit 1; }
	@echo "Building Beam's Prism into $(PRISM), a minute or two the first time"
	@GOBIN="$(abspath $(PRISM))" go install "github.com/apache/beam/sdks/v2/go/cmd/prism@v$$(sed -n 's/^apache-beam==//p' requirements.txt)"
	@touch $@

demo: setup ## the whole thing on this machine, no account needed; EXPORT=path takes a real export for the past
	@$(BIN)/python -m demo $(if $(EXPORT),--export "$(EXPORT)") $(if $(FOLDER),--folder "$(FOLDER)")

web: setup ## the pages over what make demo left; FOLDER=path where it worked elsewhere, PORT=n
	@test -e "$(or $(FOLDER),demo-data)/warehouse/warehouse.json" || { echo "make demo comes first" >&2; exit 1; }
	@$(BIN)/heavy-rotation web --warehouse "$(or $(FOLDER),demo-data)/warehouse" --state "$(or $(FOLDER),demo-data)/state" \
	  $(if $(PORT),--port $(PORT))

pictures: tools ## README's pictures of a terminal and of a page, made anew
	@$(BIN)/python -m demo.pictures

test: tools bqemulator ## the tests of a day's work, five minutes; COVERAGE=1 shows what they do not reach
	@$(BIN)/python -m pytest -n 2 --dist loadgroup -m "not long" $(if $(COVERAGE),--cov --cov-report=term)

test-long: tools bqemulator ## the rest: the runbook rehearsed, processes killed, emulators from end to end
	@$(BIN)/python -m pytest -n 2 --dist loadgroup -m long

siege: tools ## five minutes under fire: random worlds, kills at every step, an oracle, the protocol's model
	@$(BIN)/python -m tests.siege --seconds 150
	@$(BIN)/python -m tests.siege.hostile --seconds 90
	@$(BIN)/python -m tests.siege.model

siege-long: tools ## the same for HOURS=4, every protection taken away once, and a load for MINUTES=10
	@$(BIN)/python -m tests.siege.load --minutes $(or $(MINUTES),10)
	@$(BIN)/python -m tests.siege --mutations
	@$(BIN)/python -m tests.siege.hostile --seconds 3600
	@$(BIN)/python -m tests.siege --seconds $$(( 3600 * $(or $(HOURS),4) ))
	@$(BIN)/python -m tests.siege.model

bench: tools ## what it can carry, in figures, beside what others take; ONLY=rebuild; LONG=1; INTO=docs/performance.md
	@$(BIN)/python -m benchmarks $(ONLY) $(if $(LONG),--long) $(if $(INTO),--into "$(INTO)")

bench-accounts: tools ## five thousand accounts polled, a quarter of an hour; EVERY=2m polls more often, and ends sooner
	@$(BIN)/python -m benchmarks.many_accounts $(if $(EVERY),--every "$(EVERY)")

check: tools ## style, types and the lock file
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/python -m pip check

infra-check: $(INFRA_STAMP) ## infra/: its form, every argument against the providers' schemas, and a policy scan
	@command -v terraform >/dev/null || { echo "terraform is not installed, so infra/ was NOT checked" >&2; exit 1; }
	@TF_CLI_CONFIG_FILE=/dev/null terraform fmt -check -diff -recursive infra
	@$(INFRA)/bin/python infra/check infra validate
	@$(INFRA)/bin/checkov --directory infra --framework terraform --var-file infra/check/everything.tfvars \
	  --skip-download --compact --quiet

infra-tools: $(INFRA_STAMP)

$(INFRA_STAMP): infra/check/requirements.txt infra/check/schemas.txt
	@test -x $(INFRA)/bin/python || { echo "Making $(INFRA)"; $(PYTHON) -m venv $(INFRA); }
	@echo "Installing the tools for infra/ into $(INFRA), half a minute the first time"
	@$(call install,$(INFRA),$(foreach file,$^,-r $(file)))
	@touch $(INFRA_STAMP)

format: tools ## format the code
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

lock: tools ## compile the pinned requirements again, the images' among them, for Python 3.11 to 3.13
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-emit-index-url --custom-compile-command 'make lock' \
	  --extra pipelines --extra query --extra web --extra demo pyproject.toml -o requirements.txt
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-emit-index-url --custom-compile-command 'make lock' \
	  --no-annotate --generate-hashes --extra pipelines -c requirements.txt pyproject.toml -o templates/requirements.txt
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-emit-index-url --custom-compile-command 'make lock' \
	  --no-annotate --generate-hashes --extra web -c requirements.txt pyproject.toml -o templates/web-requirements.txt
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-emit-index-url --custom-compile-command 'make lock' \
	  -c requirements.txt --extra dask pyproject.toml requirements-dev.in -o requirements-dev.txt
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-emit-index-url --custom-compile-command 'make lock' \
	  requirements-bqemulator.in -o requirements-bqemulator.txt
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-emit-index-url --custom-compile-command 'make lock' \
	  infra/check/requirements.in -o infra/check/requirements.txt

clean: ## remove what the others made
	rm -rf $(VENV) .tools build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage demo-data
