PYTHON ?= python3
BIN := .venv/bin

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## */\t/' | expand -t 16

# One rule makes the environment; every target that needs it names it.
.venv/.installed: requirements.txt constraints.txt tools/setup_env.py
	@$(PYTHON) tools/setup_env.py

html: .venv/.installed  ## build the site: docs/_build/html/index.html
	@$(BIN)/sphinx-build -q -W --keep-going -c . -d docs/_build/doctrees docs docs/_build/html
	@echo "html: open docs/_build/html/index.html"

test: .venv/.installed  ## run every test that needs no browser
	@$(BIN)/pytest

lint: .venv/.installed  ## ruff and codespell
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@git ls-files -z | xargs -0 $(BIN)/codespell

clean:  ## remove what the build wrote, keep .venv
	rm -rf docs/_build .pytest_cache .ruff_cache

distclean: clean  ## remove .venv too
	rm -rf .venv

.PHONY: help html test lint clean distclean
