# make run   sets up and shows the main job on an example guest
# make test  sets up and runs the tests
# more: make check, slow, fuzz, limits, coverage, score, oracle, bench, notebooks, share, docs, wheel, clean

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
FUZZ_SECONDS ?= 3600
TEST_PROCESSES ?= 2
COVERAGE_FLOOR ?= 92
COVERED := pcisim/libvirt/*,pcisim/placement/*,pcisim/formats/domain/*,pcisim/formats/xml/*,pcisim/topology.py,pcisim/guest.py
ORACLE_DIR ?= /var/tmp/pcisim-oracle

.PHONY: run test check slow fuzz score limits oracle bench notebooks share docs wheel clean

run: $(VENV)/.installed
	@echo '$$ pcisim tree examples/desktop.xml'
	@$(BIN)/pcisim tree examples/desktop.xml
	@echo
	@echo '$$ pcisim assign examples/desktop.xml'
	@$(BIN)/pcisim assign examples/desktop.xml
	@echo
	@echo '$$ pcisim assign examples/conflict.xml'
	@$(BIN)/pcisim assign examples/conflict.xml; test $$? = 1

test: $(VENV)/.developer
	$(BIN)/pytest -n $(TEST_PROCESSES) -p no:benchmark -m 'not oracle and not slow' $(PYTEST_OPTIONS)

check: $(VENV)/.developer
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# every count of devices against the engine
slow: $(VENV)/.developer
	$(BIN)/pytest -n $(TEST_PROCESSES) -p no:benchmark -m slow $(PYTEST_OPTIONS)

# calls of every command with damaged sources; FUZZ_SECONDS=N, an hour by default, and FUZZ_OPTIONS=--seed=N
fuzz: $(VENV)/.developer
	$(BIN)/python -m tests.fuzz --seconds $(FUZZ_SECONDS) $(FUZZ_OPTIONS)

# the limits on time, which say something on a quiet machine only
limits: $(VENV)/.developer
	PCISIM_LIMITS=1 $(BIN)/pytest benchmarks tests/cli tests/formats/test_splice.py tests/fleet/test_hostile.py $(PYTEST_OPTIONS)

# how much of what gives addresses its own tests run
coverage: $(VENV)/.developer
	$(BIN)/coverage run -m pytest tests/libvirt tests/placement tests/catalogue tests/test_goldens.py tests/test_topology.py \
		tests/formats/test_domain_xml.py tests/formats/test_splice.py $(PYTEST_OPTIONS)
	$(BIN)/coverage report --fail-under=$(COVERAGE_FLOOR) --include='$(COVERED)'

# PCISIM_CORPUS=DIR: recorded answers of libvirt, with the scoring tool in DIR/../oracle, and of QEMU with its firmwares
score: $(VENV)/.installed
	@test -n '$(PCISIM_CORPUS)' || { echo 'make score: set PCISIM_CORPUS to a folder of recorded answers'; exit 2; }
	$(BIN)/python '$(PCISIM_CORPUS)/../oracle/score.py' --min 100 \
		'$(PCISIM_CORPUS)/random/libvirt-11.3.0-qemu-10.0.jsonl.gz'
	$(BIN)/python '$(PCISIM_CORPUS)/../oracle/score.py' --min 100 --libvirt 9.0 \
		'$(PCISIM_CORPUS)/random/libvirt-9.0.0-qemu-7.2.jsonl.gz'
	$(BIN)/python '$(PCISIM_CORPUS)/../oracle/score.py' --min 100 --libvirt 12.9 \
		'$(PCISIM_CORPUS)/random/libvirt-12.9.0-qemu-11.1.jsonl.gz'
	$(BIN)/python '$(PCISIM_CORPUS)/../oracle/score.py' --min 99.5 --libvirt 12.9 \
		'$(PCISIM_CORPUS)/libvirt-suite/libvirt-12.9.0-open.jsonl.gz' \
		'$(PCISIM_CORPUS)/reports/libvirt-12.9.jsonl.gz'
	$(BIN)/python '$(PCISIM_CORPUS)/../oracle/score.py' --min 99.5 \
		'$(PCISIM_CORPUS)/libvirt-suite/libvirt-11.3.0-open.jsonl'
	$(BIN)/python '$(PCISIM_CORPUS)/../oracle/score.py' --min 98 \
		'$(PCISIM_CORPUS)/reports/libvirt-11.3.jsonl.gz'
	$(BIN)/python '$(PCISIM_CORPUS)/../oracle/score.py' --min 98 --libvirt 9.0 \
		'$(PCISIM_CORPUS)/reports/libvirt-9.0.jsonl.gz'
	$(BIN)/python benchmarks/score_qemu.py '$(PCISIM_CORPUS)'/qemu/*.jsonl
	$(BIN)/python benchmarks/score_qemu.py --min 97 '$(PCISIM_CORPUS)/reports/qemu.jsonl'

# a live libvirt 9.0 and 11.3 (Debian, as root), then the tests that ask them, and those with many QEMUs
oracle: $(VENV)/.developer
	eval "$$(bash tests/oracle/setup.sh $(ORACLE_DIR))" && $(BIN)/pytest -m oracle $(PYTEST_OPTIONS)

# the table of ratios; a root user of Debian has the libvirts that it is measured against set up
bench: $(VENV)/.developer
	if [ -z "$$PCISIM_LIBVIRT_9_0$$PCISIM_LIBVIRT_11_3" ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		eval "$$(bash tests/oracle/setup.sh $(ORACLE_DIR))"; \
	fi; \
	$(BIN)/python benchmarks/ratios.py $(BENCH_OPTIONS)

# notebooks/NN_title.py, run and written as .ipynb with its pictures
notebooks: $(VENV)/.developer
	$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[notebooks]'
	$(BIN)/python notebooks/render.py

# man pages and completions, from the parser
share: $(VENV)/.developer
	$(BIN)/python -m tools.share

# the pages of docs/ and what the code says of itself, as a site: docs/_build/index.html
docs: $(VENV)/.docs
	$(BIN)/sphinx-build -q -W --keep-going -b html docs docs/_build

# the built wheel, installed into an empty environment, on an example that it carries
wheel: $(VENV)/.developer
	rm -rf build/wheel && mkdir -p build/wheel
	$(BIN)/python -m build --wheel --outdir build/wheel .
	$(BIN)/python -m venv build/wheel/venv
	build/wheel/venv/bin/pip install -q --disable-pip-version-check build/wheel/*.whl
	cd build/wheel && venv/bin/pcisim example desktop | venv/bin/pcisim tree -
	cd build/wheel/venv/share && ls man/man1/pcisim.1 bash-completion/completions/pcisim zsh/site-functions/_pcisim \
		fish/vendor_completions.d/pcisim.fish
	cp tests/typed_user.py build/wheel/ && cd build/wheel && ../../$(BIN)/mypy --strict --config-file= \
		--python-executable venv/bin/python typed_user.py && venv/bin/python typed_user.py

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV) || { \
		rm -rf $(VENV); \
		$(PYTHON) -m pip install -q --target build/virtualenv virtualenv && \
		PYTHONPATH=build/virtualenv $(PYTHON) -m virtualenv -q $(VENV); }

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml
	$(BIN)/python -m pip install -q --disable-pip-version-check -e .
	$(BIN)/python -m compileall -q pcisim
	@touch $@

$(VENV)/.developer: $(VENV)/.installed
	$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[dev]'
	@touch $@

$(VENV)/.docs: $(VENV)/.developer
	$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[docs]'
	@touch $@

clean:
	rm -rf $(VENV) build dist docs/_build docs/generated .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
