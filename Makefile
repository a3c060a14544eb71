# Every target works in the active environment; `make setup` fills it.
.PHONY: setup check test bench docs images

setup:
	python -m pip install -e ".[dev]"

check:
	ruff format --check .
	ruff check .
	mypy
	lint-imports

test:
	pip install -e ".[dev]" && pytest

bench:
	python benchmarks/reproduce.py --table all

docs:
	rm -rf docs/_build
	sphinx-build -q -W --keep-going -b html -d docs/_build/doctrees docs docs/_build/html
	python docs/check.py

# Draws the images that tests compare figures with anew; it fails so that nobody takes it for a test. Look at them.
images:
	AVGROUND_NEW_IMAGES=1 pytest -q tests/viz -k looks_as_it_did
