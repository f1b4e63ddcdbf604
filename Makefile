# Every target makes the virtual environment first, if need be. constraints.txt pins what goes into it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
DEMO := runs/demo
# Tests that run at once.
TESTS ?= 2

.PHONY: docs-test demo test test-fast test-numerics test-others test-slow test-wheel coverage matrix bench bench-learning methods docs films lint format clean FORCE

demo: $(VENV)/.installed
	$(BIN)/maml-rl train --config configs/paper/navigation.yaml --output-folder $(DEMO) --seed 1 --overwrite
	$(BIN)/maml-rl test --config $(DEMO)/config.json --policy $(DEMO)/policy.th \
	    --output $(DEMO)/results.npz --seed 2 --overwrite \
	    --num-batches 1 --meta-batch-size 40 --fast-batch-size 40 \
	    --num-steps 3 --step-size-schedule 1 0.4 0.2
	$(BIN)/maml-rl plot $(DEMO) --num-steps 3 --step-size-schedule 1 0.4 0.2

# In the numerics every call is checked for types and shapes; elsewhere that takes half as long again.
NUMERICS := $(addprefix tests/,adaptation metalearners optim oracles policies)
OTHERS := $(NUMERICS:%=--ignore %) --override-ini addopts=--strict-markers
FAST := pytest -m "not slow" -n $(TESTS)
test: lint docs test-fast

test-fast: test-numerics test-others

test-numerics: $(VENV)/.installed
	$(BIN)/$(FAST) $(NUMERICS)

test-others: $(VENV)/.installed
	$(BIN)/$(FAST) $(OTHERS)

test-slow: $(VENV)/.installed
	$(BIN)/pytest -m slow --timeout 1800

test-wheel: $(VENV)/.installed
	$(BIN)/pytest -m slow tests/test_packaging.py --override-ini addopts=--strict-markers

# What of the package the quick tests run, workers too; it fails below the floor in pyproject.toml.
coverage: $(VENV)/.installed
	$(BIN)/coverage erase
	$(BIN)/coverage run -m $(FAST) --override-ini addopts=--strict-markers
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

# The tests with the lowest and with the newest of everything that pyproject.toml allows, in environments of their own.
# PIN holds packages in both: make matrix PIN=torch==2.13.0
matrix: matrix-lowest matrix-newest
matrix-%: FORCE
	$(PYTHON) -m venv --clear $(VENV)-$*
	$(PYTHON) -m tests.constraints $* $(PIN) > $(VENV)-$*/constraints.txt
	$(VENV)-$*/bin/pip install --quiet --constraint $(VENV)-$*/constraints.txt --editable '.[dev]'
	$(VENV)-$*/bin/$(FAST) $(NUMERICS)
	$(VENV)-$*/bin/$(FAST) $(OTHERS)

bench: $(VENV)/.installed
	$(BIN)/python -m benchmarks.speed

# Every page of the documentation, and a report, in headless Chromium, which Debian calls chromium.
docs-test: docs
	$(BIN)/pip install --quiet -e '.[browser]' -c constraints.txt
	$(BIN)/pytest -m slow --timeout 1800 tests/website --override-ini addopts=--strict-markers

lint: $(VENV)/.installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.installed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench-learning: $(VENV)/.installed
	$(BIN)/python -m benchmarks.learning

# Training runs of the methods, hours long; see benchmarks/metalearners/README.md.
methods: $(VENV)/.installed
	$(BIN)/python -m benchmarks.metalearners --seed $(SEED)

# make paper-cheetah-dir SEED=1 METHOD=oracle: a row of the MAML paper's figures; see benchmarks/paper/README.md.
SEED ?= 1
METHOD ?= maml
paper-%: $(VENV)/.installed FORCE
	$(BIN)/python -m benchmarks.paper $* --method $(METHOD) --seed $(SEED)

docs: $(VENV)/.docs
	$(BIN)/mkdocs build --strict

# The films of the documentation's gallery: minutes, for they are drawn without a GPU.
FILMED := ant-dir ant-vel cheetah-dir cheetah-vel navigation
films: $(VENV)/.installed
	for name in $(FILMED); do $(BIN)/maml-rl render maml-rl://paper/$$name --output docs/gallery/paper-$$name.mp4 \
	    --num-steps 1 --seed 1 --size 240 || exit 1; done

clean:
	rm -rf $(VENV) $(VENV)-lowest $(VENV)-newest site build dist .coverage*

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15) and "constraints.txt is for Python 3.11 to 3.14; try make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

$(VENV)/.docs: $(VENV)/.installed
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[docs]'
	touch $@
