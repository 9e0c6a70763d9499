PYTHON ?= python3
BIN := .venv/bin
PORT ?= 8000

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## */\t/' | expand -t 16

# One rule makes the environment; every target that needs it names it.
.venv/.installed: requirements.txt constraints.txt tools/setup_env.py
	@$(PYTHON) tools/setup_env.py

html: .venv/.installed  ## build the site: docs/_build/html/index.html
	@$(BIN)/python tools/build.py

live: .venv/.installed  ## serve the site and rebuild it on every edit
	@$(BIN)/python tools/build.py --live --port $(PORT)

serve: html  ## serve the built site
	@echo "serve: http://127.0.0.1:$(PORT), stop with Ctrl+C"
	@$(BIN)/python -m http.server --bind 127.0.0.1 -d docs/_build/html $(PORT)

test: .venv/.installed  ## run every test that needs no browser
	@$(BIN)/pytest

test-browser: html  ## look at the built site in Chromium (CHROMIUM=path if not found)
	@CHROMIUM=$(CHROMIUM) $(BIN)/pytest -m browser tests/site/test_browser.py

check-honesty: .venv/.installed  ## break every module on purpose, see it noticed (SAMPLE=40)
	@$(BIN)/python tools/check_honesty.py $(if $(SAMPLE),--sample $(SAMPLE))

lint: .venv/.installed  ## ruff and codespell
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@git ls-files -z | xargs -0 $(BIN)/codespell

assets: .venv/.installed  ## fetch the third-party files of docs/_vendor/ASSETS.toml anew
	@$(BIN)/python tools/update_assets.py

clean:  ## remove what the build wrote, keep .venv
	rm -rf docs/_build .pytest_cache .ruff_cache

distclean: clean  ## remove .venv too
	rm -rf .venv

check-wheels: .venv/.installed  ## find a wheel of every pin for each Python, on Linux and macOS
	@$(BIN)/python tools/check_wheels.py

test-torch: .venv/.installed  ## run the layers' tests with another torch (TORCH=2.4.1)
	@$(BIN)/python tools/other_torch.py $(TORCH)

.PHONY: check-wheels test-torch
.PHONY: help html live serve test test-browser check-honesty lint assets clean distclean
