# Every target works in the active environment; `make setup` fills it.
.PHONY: setup check test bench

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
