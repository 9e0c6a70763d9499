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

# tools/check.py holds what each of these runs.
check: .venv/.installed  ## all that CI runs: html, lint, tests, mutants of code and pages, browser
	@CHROMIUM=$(CHROMIUM) $(BIN)/python tools/check.py

test: .venv/.installed  ## run every test that needs no browser
	@$(BIN)/python tools/check.py test

test-browser: .venv/.installed  ## look at the site in Chromium (CHROMIUM=path if not found)
	@CHROMIUM=$(CHROMIUM) $(BIN)/python tools/check.py test-browser

lint: .venv/.installed  ## ruff and codespell
	@$(BIN)/python tools/check.py lint

types: .venv/.installed  ## mypy, strict, on rnn_examples
	@$(BIN)/python tools/check.py types

# Minutes more than a check takes: for once a week, or the module at hand.
mutants: .venv/.installed  ## break modules on purpose, see it noticed (MODULE=path SAMPLE=40)
	@$(BIN)/python tools/mutate.py $(if $(MODULE),--module $(MODULE)) $(if $(SAMPLE),--sample $(SAMPLE))

page-mutants: .venv/.installed  ## break the pages' cells, see it noticed (PAGE=path SAMPLE=60)
	@$(BIN)/python tools/mutate_pages.py $(PAGE) $(if $(SAMPLE),--sample $(SAMPLE))

check-wheels: .venv/.installed  ## find a wheel of every pin for each Python, on Linux and macOS
	@$(BIN)/python tools/check_wheels.py

test-torch: .venv/.installed  ## run the layers' tests with another torch (TORCH=2.4.1)
	@$(BIN)/python tools/other_torch.py $(TORCH)

linkcheck: .venv/.installed  ## follow every link that leaves the site
	@$(BIN)/python -m sphinx -q -b linkcheck -c . -d docs/_build/links docs docs/_build/linkcheck

lighthouse: html  ## scores of four pages on a phone; needs npm
	@CHROMIUM=$(CHROMIUM) $(BIN)/python tools/lighthouse.py

weekly: mutants page-mutants check-wheels  ## what takes minutes more than make check

assets: .venv/.installed  ## fetch the third-party files of docs/_vendor/ASSETS.toml anew
	@$(BIN)/python tools/update_assets.py

clean:  ## remove what the build wrote, keep .venv
	rm -rf docs/_build .pytest_cache .ruff_cache

distclean: clean  ## remove .venv too
	rm -rf .venv

.PHONY: help html live serve check test test-browser lint types mutants page-mutants weekly check-wheels test-torch linkcheck lighthouse assets clean distclean
