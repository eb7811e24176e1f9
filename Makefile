# Run from a fresh clone: each target makes .venv first, again only where pyproject.toml, the pins or the stand-in changed.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed

.PHONY: install test lint demo

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt hatch_build.py mmcv_ext/_ext.py
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	test -x $(BIN)/uv || $(BIN)/python -m ensurepip --upgrade
	test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip install --python $(BIN)/python -c constraints.txt --reinstall-package mmlandslide -e '.[openmmlab,dev]'
	touch $@

test: $(STAMP)
	$(BIN)/python -m pytest

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

demo: $(STAMP)
	bash tools/demo.sh
