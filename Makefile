# install · run · test · test-system · test-long · test-perf · coverage · check · pictures · screenshots · bench · soak · test-versions · lock · openapi · client · clean
PYTHON ?= python3
BIN := .venv/bin

.PHONY: install install-dev run test test-system test-long test-perf coverage check pictures screenshots bench soak test-versions lock openapi client clean

install: .venv/installed
install-dev: .venv/installed-dev

.venv/installed: requirements.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Arena needs Python 3.11 or newer: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	$(BIN)/python -m compileall -q arena sandbox
	touch $@

.venv/installed-dev: .venv/installed requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	touch $@

run: install
	$(if $(HOST),HOST=$(HOST)) $(if $(PORT),PORT=$(PORT)) $(BIN)/arena serve

test: install-dev
	$(BIN)/python -m pytest -n 3 --dist worksteal

# Whole servers, browsers, clusters and kills: what a change of the engine or the pages wants before it is merged.
test-system: install-dev
	$(BIN)/python -m pytest -m 'system and not perf and not long' -n 4 --dist worksteal

# The few tests whose cost is their content: soaks, and everything of a kind where `make test` takes a part.
test-long: install-dev
	$(BIN)/python -m pytest -m long -n 3 --dist worksteal

# Bounds that depend on the machine (speed, page faults); run on an idle one.
test-perf: install-dev
	$(BIN)/python -m pytest -m perf

# Branches of the core, the sandbox and the engine. Tracing slows the tests, so it is not part of `make test`.
coverage: install-dev
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -m 'not perf and not long' -n 3 --dist worksteal --timeout 300
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report --skip-covered --sort=cover

# The pictures in docs/images, taken of a real server's page by an installed Chromium.
pictures: install-dev
	$(BIN)/python -m docs.images.take

check: install-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy --config-file tests/mypy.ini tests

# Pictures of every page, desktop and phone, dark and light.
screenshots: install-dev
	$(BIN)/python -m tests.e2e.screenshots $(or $(OUT),build/screenshots)

bench: install-dev
	$(BIN)/python -m benchmarks.run

soak: install-dev
	$(BIN)/python -m benchmarks.soak_crash --kills 200
	$(BIN)/python -m benchmarks.soak_feeds --minutes 30
	$(BIN)/python -m benchmarks.soak_reads --seconds 60

lock:
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --custom-compile-command 'make lock' requirements.in -o requirements.txt
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --custom-compile-command 'make lock' requirements-dev.in -o requirements-dev.txt

# The committed OpenAPI document; a test fails where it is not the one that the server sends.
openapi: install
	$(BIN)/python -m arena.web.server > docs/openapi.json

# The client for plain programs, made of the one for asyncio; a test fails where they differ.
client: install-dev
	$(BIN)/python -m tests.client.generate

clean:
	rm -rf .venv .venv-* build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The language wall under every other Python that is on this machine.
test-versions:
	for version in 3.12 3.13; do \
	  python=$$(command -v python$$version) || { echo "python$$version is not here: skipped"; continue; }; \
	  $$python -c '' 2>/dev/null || { echo "python$$version does not start: skipped"; continue; }; \
	  $$python -m venv .venv-$$version && \
	  .venv-$$version/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt -r requirements-dev.txt && \
	  .venv-$$version/bin/python -m pytest -n 2 tests/sandbox tests/engine tests/e2e/test_real_markets.py || exit 1; \
	done
