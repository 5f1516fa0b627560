# Two commands do everything, set-up included: make demo, make test.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready

.PHONY: demo test test-real lint bench gallery clean

demo: $(READY)
	$(BIN)/needle run --config configs/runs/demo.yaml

test: $(READY) lint
	$(BIN)/python -m pytest -n 2 -q

test-real: $(READY)
	$(BIN)/python -m pytest -q -m real

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(READY)
	$(BIN)/python benchmarks/planning.py
	$(BIN)/python benchmarks/building.py
	$(BIN)/python benchmarks/memory.py
	$(BIN)/python benchmarks/families.py

# The environment is made anew whenever what it holds has changed.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "needle needs Python 3.11 or later: make PYTHON=python3.11 ..."; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $(READY)

clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis
