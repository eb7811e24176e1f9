# Run from a fresh clone: each target makes .venv first, again only where pyproject.toml, the pins or the stand-in changed.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed

# Without bytecode on disk every process compiles 5700 modules of the hosts anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: install test lowest lint demo docs qgis-plugin

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt hatch_build.py mmcv_ext/_ext.py mmcv_ext/finder.py
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	test -x $(BIN)/uv || $(BIN)/python -m ensurepip --upgrade
	test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip install --compile-bytecode --python $(BIN)/python -c constraints.txt --reinstall-package mmlandslide -e '.[openmmlab,dev,docs]'
	touch $@

test: $(STAMP)
	$(BIN)/python -m pytest --durations=10

# The attack tests once with the lowest versions that pyproject.toml allows, on Python 3.10.
lowest:
	test -x .venv-lowest/bin/python || $(PYTHON) -m venv .venv-lowest
	.venv-lowest/bin/python -m pip install --quiet uv
	.venv-lowest/bin/uv pip install --python .venv-lowest/bin/python --resolution lowest-direct -e '.[openmmlab,dev]'
	.venv-lowest/bin/python -m pytest tests/test_attacks.py tests/weights/test_gate.py tests/weights/test_container_guard.py \
		tests/scenes tests/datasets/storage tests/cli/test_detect.py

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

demo: $(STAMP)
	bash tools/demo.sh

# The site, site/index.html: executes the notebooks, and fails on a link or a page that leads nowhere.
docs: $(STAMP)
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/mkdocs build --strict

# dist/mmlandslide-qgis.zip, for QGIS's "Install from ZIP"; needs Python alone.
qgis-plugin:
	mkdir -p dist
	rm -rf qgis/mmlandslide/__pycache__
	cd qgis && $(PYTHON) -m zipfile -c ../dist/mmlandslide-qgis.zip mmlandslide
