# make demo    see vcam at work: installs it into .venv and runs its built-in scene
# make test    the whole test suite
# make quick   the tests of pure functions and of loops with fakes, but for the long ones: half a minute
# make lint    style and types
# make docs    the reference pages and the picture of the house, from the program itself
# make gallery renew docs/gallery.md and its pictures
# make pictures renew README's picture and that of docs/room.md
# make panel   renew the panel's pictures; needs Chromium
# make models  convert the networks anew from where they are published
# make dist    the source distribution and the wheels, in dist/; a compiler for each kind of machine is needed
# make deb     packages for Debian and Ubuntu, in dist/, for this machine's Python; FOR=3.13 for another's
# make packages-check   try the packages for Debian 12 and 13 in bare roots, and the others as far as that goes; root
# make release VERSION=1.2.0   changelog, tag, packages, checksums; DRY_RUN=1 tags nothing
# make clean   remove all that make has made

VENV ?= .venv
# extra words for pytest, for example: make test PYTEST="-k matte"
PYTEST ?=

# Two processes take a file of tests each, in the order of their names. Where there is a virtual machine, a third one
# waits for its guests meanwhile. With PYTEST="-n 0" there is one.
GUESTS := $(wildcard $(or $(VCAM_VM_CACHE),$(HOME)/.cache/vcam-vm)/uml/ok)
TESTS := -m pytest --dist loadfile --no-loadscope-reorder

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet

# pip does not pass on what the build says of a missing compiler
TELL := ls vcam/native/*.so >/dev/null 2>&1 || echo "the loops were not compiled, is there a C compiler? vcam works without, but each frame costs more CPU (vcam doctor)"

.PHONY: demo test quick lint docs gallery pictures panel models dist deb packages-check release clean
.DELETE_ON_ERROR:

demo: $(VENV)/.vcam
	$(BIN)/vcam demo

test: $(VENV)/.vcam-test
	$(BIN)/python $(TESTS) -n $(if $(GUESTS),3,2) $(PYTEST)

quick: $(VENV)/.vcam-test
	$(BIN)/python $(TESTS) -n 2 -m "not process and not engine and not vm and not long" $(PYTEST)

lint: $(VENV)/.vcam-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

docs: $(VENV)/.vcam
	$(BIN)/python -m vcam.cli.reference docs/reference
	$(BIN)/python -m docs.house

gallery: $(VENV)/.vcam
	$(BIN)/python docs/gallery.py

pictures: $(VENV)/.vcam
	$(BIN)/python docs/before_after.py

panel: $(VENV)/.vcam-test
	$(BIN)/python -m docs.panelpictures

models: $(VENV)/.vcam-test
	$(BIN)/python -m vcam.models.convert --all models
	$(BIN)/python -m vcam.segment.answers models/*.toml

# into another folder: make dist DIST=...
DIST ?= dist

dist: $(VENV)/.vcam-dist
	$(BIN)/python -m vcam.packaging.dist $(DIST)

# how hard xz tries: 6 takes three minutes for a package, 0 takes one
DEB_LEVEL ?= 6
DEB := $(BIN)/python -m vcam.packaging.deb --level $(DEB_LEVEL)

deb: $(VENV)/.vcam-test
	$(BIN)/python -m vcam.packaging.dist $(DIST) $(shell uname -m)
	$(DEB) $(if $(FOR),--python $(FOR)) $(DIST)

packages-check: $(VENV)/.vcam-test
	$(BIN)/python -m vcam.packaging.dist $(DIST) $(shell uname -m)
	$(DEB) --python 3.11 $(DIST)
	$(DEB) --python 3.13 $(DIST)
	PYTHON=$(BIN)/python vcam/packaging/deb_check $(DIST)

release: $(VENV)/.vcam-test
	@if [ -z "$(VERSION)" ]; then echo "make: make release VERSION=1.2.0; DRY_RUN=1 tags nothing" >&2; exit 1; fi
	$(BIN)/python -m vcam.packaging.release $(VERSION) $(if $(DRY_RUN),--dry-run) $(DIST)

# Each set of packages has its stamp, renewed when the list in pyproject.toml or a compiled loop changes. The larger
# sets hold the smaller.
BUILT_FROM := pyproject.toml hatch_build.py $(wildcard vcam/native/*.c vcam/native/*.h vcam/native/build.py)

$(VENV)/.vcam: $(BUILT_FROM) | $(BIN)/python
	@echo "installing vcam and what it needs into $(VENV); the first time takes a minute or two"
	$(PIP) --editable '.[all]'
	@$(TELL)
	@touch $@

$(VENV)/.vcam-test: $(BUILT_FROM) | $(BIN)/python
	@echo "installing vcam and its test tools into $(VENV); the first time takes a minute or two"
	$(PIP) --editable '.[test]'
	@$(TELL)
	@touch $(VENV)/.vcam $@

$(VENV)/.vcam-dev: $(BUILT_FROM) | $(BIN)/python
	@echo "installing vcam and its tools into $(VENV); the first time takes a minute or two"
	$(PIP) --editable '.[dev]'
	@$(TELL)
	@touch $(VENV)/.vcam $(VENV)/.vcam-test $@

# not vcam and what it needs: whoever makes packages does not run it
$(VENV)/.vcam-dist: | $(BIN)/python
	$(PIP) 'hatchling>=1.24' 'auditwheel>=6' 'pyelftools>=0.31'
	@touch $@

# python3 where it is new enough, else a newer one beside it; PYTHON=... chooses another
$(BIN)/python:
	@for python in $(or $(PYTHON),python3 python3.13 python3.12 python3.11); do \
	  "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
	  "$$python" -c 'import ensurepip, venv' 2>/dev/null || { missing=$$python; continue; }; \
	  echo "making $(VENV) with $$("$$python" --version)"; \
	  "$$python" -m venv "$(VENV)" && exit 0; \
	  rm -rf "$(VENV)"; exit 1; \
	done; \
	if [ -n "$$missing" ]; then \
	  echo "make: $$missing has no venv module: sudo apt install python3-venv" >&2; \
	else \
	  echo "make: vcam needs Python 3.11 or newer; found: $$(python3 --version 2>/dev/null || echo none)" >&2; \
	  echo "make: install it, for example: sudo apt install python3 python3-venv, or name one: make PYTHON=/path/to/python3.12" >&2; \
	fi; exit 1

clean:
	rm -rf $(VENV) build dist vcam/native/*.so .pytest_cache .mypy_cache .ruff_cache .hypothesis vcam-demo.mp4
	find vcam tests -name __pycache__ -type d -exec rm -rf {} +
