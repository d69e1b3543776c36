# Needs Python 3.11 or newer and make, nothing else. The work is done by tools/
# (plain Python); this file only finds the interpreter.
#
#   make book                     build the book, say where it is
#   make test                     lint, types, unit tests, every notebook
#   make PYTHON=python3.12 test   with another interpreter
#   make CONSTRAINTS=none test    with the newest versions instead of the tried ones
#   make VENV=none test           in the environment you are in (conda), no .venv

PYTHON ?= python3
export CONSTRAINTS VENV URL PAGES

COMMANDS := help book test browser colab lint env address clean

.PHONY: $(COMMANDS)
.DEFAULT_GOAL := help
$(COMMANDS):
	@command -v "$(PYTHON)" >/dev/null 2>&1 || { \
	  echo "mbrl-edu needs Python 3.11 or newer, and there is no '$(PYTHON)' here: install Python, or name one with 'make $@ PYTHON=...'."; \
	  exit 1; }
	@"$(PYTHON)" tools/project.py $@
