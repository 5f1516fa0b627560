# Two commands do everything, set-up included: make demo, make test.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready
DRIVER := .venv/ready-real
PIP := -m pip install --quiet --disable-pip-version-check

# What needs real parts has an environment of its own for each of them.
PROXY := .venv-proxy
LLAMA := .venv-llama
PORT ?= 4000

# The tests start needle many times over; with this set each start compiles the package anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test test-real proxy proxy-keys real-packages lint bench gallery clean

demo: $(READY)
	$(BIN)/needle run --config configs/runs/demo.yaml

test: $(READY) lint
	$(BIN)/python -m pytest -n 2 --dist worksteal -q
	@echo "left out, for make test-real: $(wildcard tests/real/test_*.py)"

# Each file's tests share their server, and run in one process.
test-real: real-packages $(DRIVER) $(PROXY)/ready $(LLAMA)/ready
	$(BIN)/python -m pytest -n 2 --dist loadfile -q tests/real

# LiteLLM's proxy in front of Anthropic, on loopback, until Ctrl-C (docs/proxy.md).
proxy: proxy-keys $(PROXY)/ready
	@LITELLM_LOCAL_MODEL_COST_MAP=True $(PROXY)/bin/litellm --config configs/proxy/litellm.yaml \
		--host 127.0.0.1 --port $(PORT) --telemetry False

# Its keys stand in the environment, or in a .env, which LiteLLM reads by itself.
proxy-keys:
	$(call need,ANTHROPIC_API_KEY,the key of your account with Anthropic)
	$(call need,LITELLM_MASTER_KEY,a key that you draw for the proxy: \
		export LITELLM_MASTER_KEY=sk-$$(python3 -c "import secrets; print(secrets.token_hex())"))

need = $(if $($(1))$(shell grep -sE '^(export +)?$(1)=.' .env),,$(error $(1) is not set: it is $(2)))

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(READY)
	$(BIN)/python benchmarks/planning.py
	$(BIN)/python benchmarks/building.py
	$(BIN)/python benchmarks/memory.py
	$(BIN)/python benchmarks/families.py
	$(BIN)/python benchmarks/coverage.py
	$(BIN)/python benchmarks/caches.py
	$(BIN)/python benchmarks/adapting.py
	$(BIN)/python benchmarks/strategies.py
	$(BIN)/python benchmarks/starting.py
	$(BIN)/python benchmarks/rivals.py
	$(BIN)/python benchmarks/asking.py
	$(BIN)/python benchmarks/growth.py --trials 100,1000,10000
	$(BIN)/python benchmarks/archive.py --trials 1000,10000

# The environment is made anew whenever what it holds has changed.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "needle needs Python 3.11 or later: make PYTHON=python3.11 ..."; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python $(PIP) -c constraints.txt -e '.[dev]'
	@touch $(READY)

# What drives Debian's Chromium, and Ray, beside all that the other tests need.
$(DRIVER): $(READY)
	$(BIN)/python $(PIP) -c constraints.txt -e '.[dev,real,ray]'
	@touch $@

$(PROXY)/ready: configs/proxy/constraints.txt
	$(PYTHON) -m venv --clear $(PROXY)
	$(PROXY)/bin/python $(PIP) -c configs/proxy/constraints.txt 'litellm[proxy]'
	@touch $@

$(LLAMA)/ready: tests/real/llama-constraints.txt
	$(PYTHON) -m venv --clear $(LLAMA)
	$(LLAMA)/bin/python $(PIP) -c tests/real/llama-constraints.txt gguf tokenizers xllamacpp
	@touch $@

real-packages:
	@tests/real/install_packages.sh $(PYTHON)

clean:
	rm -rf .venv $(PROXY) $(LLAMA) .mypy_cache .pytest_cache .ruff_cache .hypothesis
