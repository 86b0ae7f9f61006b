# im2hands_ros without an installed ROS 2. `make help` lists the targets.
# PYTHON=python3.12 chooses the interpreter. On a machine with ROS 2, use colcon instead (README.md).

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:
.ONESHELL:
.PHONY: help setup build demo test test-fast test-asan test-aarch64 soak soak-detector docs lint clean

PYTHON ?=
export PYTHON
OUT ?= demo_out
SOAK_OUT ?= build/soak.json
# Test processes side by side, each with a ROS domain of its own: most tests wait for messages. Whole files, in the
# order of test/conftest.py: those that take longest first.
PYTEST_JOBS ?= -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder
VIEW ?=
ROS_DOMAIN := $${ROS_DOMAIN_ID:-$$(($$$$ % 100 + 1))}

help:  ## list the targets
	@sed -nE 's/^([a-z0-9-]+):.*## (.*)/  make \1\t\2/p' Makefile | expand -t 18

setup:  ## virtual environment, pinned packages, ROS 2 Jazzy wheels
	@scripts/setup.sh

build: setup  ## colcon build into install/
	@scripts/build.sh

demo: build  ## replay, node and recorder over DDS; pictures, GLB, bag and summary in demo_out/; VIEW=1: in a browser
	@export ROS_DOMAIN_ID="$(ROS_DOMAIN)"
	source scripts/env.sh
	if [ -n "$(VIEW)" ]; then
	  exec python -m im2hands_ros.cli demo --view --out "$(OUT)"
	fi
	echo "[im2hands] running the demo into $(OUT)/"
	python -m im2hands_ros.cli demo --out "$(OUT)"

lint: setup  ## ruff and mypy
	@source scripts/env.sh
	echo "[im2hands] checking style (ruff) and types (mypy)"
	python -m ruff check --quiet .
	python -m ruff format --check --quiet .
	python -m mypy

test: build lint  ## linters, then every test
	@scripts/browser.sh
	source scripts/env.sh
	echo "[im2hands] running the tests"
	python -m pytest test $(PYTEST_JOBS) $(PYTEST_ARGS)

test-fast: build  ## the tests that start no processes, train nothing and take no seconds each
	@source scripts/env.sh
	python -m pytest test -m "not dds and not train and not slow" $(PYTEST_JOBS) $(PYTEST_ARGS)

soak: build  ## ten minutes at 30 Hz into the node: no image lost, no growth; JSON (SOAK_OUT=FILE SOAK_ARGS="--minutes 60 --networks")
	@source scripts/env.sh
	echo "[im2hands] soaking the node"
	python test/support/soak.py --out "$(SOAK_OUT)" $(SOAK_ARGS)

soak-detector: build  ## ten minutes of pictures into the detector: no growth, as many hands at the end; JSON (SOAK_OUT=FILE)
	@source scripts/env.sh
	echo "[im2hands] soaking the detector"
	python test/support/detector_soak.py --out "$(SOAK_OUT)" $(SOAK_ARGS)

docs: build  ## these pages and the API reference as HTML in build/docs; warnings are errors
	@source scripts/env.sh
	echo "[im2hands] making the documentation in build/docs/"
	python -m sphinx --quiet --fail-on-warning --keep-going -d build/doctrees docs build/docs

test-asan: setup  ## the kernels' C interface under AddressSanitizer and UndefinedBehaviorSanitizer
	@scripts/test_asan.sh $(PYTEST_ARGS)

test-aarch64: build  ## the kernels compiled for aarch64, under qemu, against torch
	@scripts/test_aarch64.sh

clean:  ## remove the virtual environment and everything that was built
	@rm -rf .venv build install log demo_out docs/api .pytest_cache .ruff_cache .mypy_cache .hypothesis
