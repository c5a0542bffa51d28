# `make` lists what there is to do. Every target sets up what it needs.

.DEFAULT_GOAL := help
SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
INSTALLED := $(VENV)/.installed
# What DVC remembers of files is unpickled: nobody else may write it. By default it is in /var/tmp, for all.
SITE_CACHE := $(CURDIR)/.dvc/site-cache
# A relative folder would be lost in a DVC stage that runs elsewhere; quotes survive a path with spaces.
ACTIVATE := export PATH="$(CURDIR)/$(VENV)/bin:$$PATH" DVC_NO_ANALYTICS=1 DVC_SITE_CACHE_DIR="$(SITE_CACHE)";
# Three processes for two processors, since some tests only wait, and four for the faults, since most do.
PYTEST := python -m pytest --dist loadgroup --no-loadscope-reorder --numprocesses

.PHONY: help setup repro exercises test test-slow faults coverage lint audit ui team-server report publish promote serve demo reproduce bench profile screenshots docs lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

setup: $(INSTALLED) ## create .venv with the locked dependencies
	@mkdir -p "$(SITE_CACHE)" && chmod 700 "$(SITE_CACHE)"
	@grep -q DVC_SITE_CACHE_DIR $(VENV)/bin/activate || \
		echo 'export DVC_SITE_CACHE_DIR="$(SITE_CACHE)"' >> $(VENV)/bin/activate

$(INSTALLED): requirements/runtime.txt requirements/development.txt
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r requirements/development.txt
	@touch $@

# Without waiting, any other DVC command that takes three seconds would end this one between two stages.
repro: setup ## run the pipeline, log it to MLflow, show the comparison
	@$(ACTIVATE) python -m pipeline check && \
		{ dvc --wait-for-lock repro || { printf "doctor: " >&2; python -m pipeline doctor >&2; exit 1; }; } && \
		python -m pipeline docs && python -m pipeline summary

exercises: setup ## run the six exercises: what their authors saw, the answers, and what is checked
	@$(ACTIVATE) for name in quadratic two_layer spiral digits_cg relu_regression softmax_loops; do \
		python -m pipeline exercise $$name || exit; echo; done

test: setup ## run the tests
	@$(ACTIVATE) $(PYTEST) 3

test-slow: setup ## run those that take longer, but for the faults
	@$(ACTIVATE) $(PYTEST) 3 --slow -m slow --ignore tests/faults

faults: setup ## inject every fault, and print one line each
	@$(ACTIVATE) $(PYTEST) 4 tests/faults --slow

coverage: setup ## run both and show which lines of pipeline/ they reach: at least 90%
	@$(ACTIVATE) $(PYTEST) 3 --slow -m "not slow or not fault" --cov --cov-report=term --cov-fail-under=90

lint: setup ## check style and types
	@$(ACTIVATE) ruff check . && ruff format --check . && mypy

audit: setup ## ask for known holes in the locked versions; takes a network
	@$(ACTIVATE) python requirements/audit.py

ui: setup ## open the MLflow UI on the local store, on this machine only (PORT=5000)
	@$(ACTIVATE) python -m pipeline ui --port $(or $(PORT),5000)

team-server: setup ## serve MLflow for a team, with passwords: see docs/operations.md (PORT=5000)
	@$(ACTIVATE) python -m pipeline team-server --port $(or $(PORT),5000)

report: setup ## write what was found into one HTML file to send (OUTPUT=results/report.html)
	@$(ACTIVATE) python -m pipeline report --output "$(or $(OUTPUT),results/report.html)"

publish: setup ## add to MLflow what it lacks, without training
	@$(ACTIVATE) python -m pipeline publish

promote: setup ## make the best published model, by validation, the champion, or say why not
	@$(ACTIVATE) python -m pipeline promote

serve: setup ## serve the champion over HTTP, on this machine only (PORT=5001)
	@$(ACTIVATE) python -m pipeline serve --port $(or $(PORT),5001)

demo: setup ## draw a digit and see three networks read it, on this machine only (PORT=8000)
	@$(ACTIVATE) python -m pipeline demo --port $(or $(PORT),8000)

reproduce: setup ## run everything again in a temporary clone and compare every output's hash
	@$(ACTIVATE) python -m pipeline reproduce

bench: setup ## measure our engines beside PyTorch, scikit-learn and plain NumPy, after make repro: 15 minutes
	@$(ACTIVATE) python -m benchmarks

profile: setup ## show what each stage costs beside its work, in a cold run
	@$(ACTIVATE) python -m benchmarks.profile

screenshots: setup ## look at this repository's runs in a browser, and keep the pictures of docs/review.md
	@$(ACTIVATE) GRADLINE_SCREENSHOTS=docs/review python -m pytest tests/pipeline/test_ui.py --slow

docs: setup ## write what was produced into README.md and docs/exercises/
	@$(ACTIVATE) python -m pipeline docs

lock: setup ## write the lock files anew from pyproject.toml
	@$(ACTIVATE) python requirements/lock.py

clean: ## remove the virtual environment and what tools leave behind; data, results and runs stay
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage .coverage.*
	find pipeline tests -name __pycache__ -type d -prune -exec rm -rf {} +
