# The verbs of this repository. Nothing is decided here: each calls tools/ or a Python module.

PYTHON := .venv/bin/python
export PYTHONPATH := vm-tests
# The machine that demo, image, bench and scenarios are for: x86_64 or s390x.
ARCH ?= x86_64

.DEFAULT_GOAL := help
.PHONY: help bootstrap demo check image scenarios soak crash cuts bench audit corpus fuzz clean

help: ## list these verbs
	@sed -n 's/^\([a-z]*\):.* ## /  make \1\t/p' Makefile | expand -t 20

bootstrap: ## install what is needed (the other verbs do it by themselves)
	@tools/bootstrap $(ARCH)

demo: bootstrap ## boot the first stage in QEMU on this terminal (ARCH=s390x: an emulated IBM Z)
	@$(PYTHON) -m chainboot_vm.demo $(ARCH)

check: ## run everything: linters, types, unit tests, scenarios in QEMU
	@tools/bootstrap x86_64 s390x nix
	@tools/check

image: bootstrap ## build the first stage's initrd (ARCH=s390x AUTHORIZED_KEYS=FILE HOST_KEY=FILE SETTINGS='NAME=VALUE ...')
	@AUTHORIZED_KEYS='$(AUTHORIZED_KEYS)' HOST_KEY='$(HOST_KEY)' SETTINGS='$(SETTINGS)' $(PYTHON) -m chainboot_vm.first_stage $(ARCH)

scenarios: bootstrap ## run scenarios in QEMU: all, or NAMES='NAME ...' (ARCH=s390x)
	@$(PYTHON) -m chainboot_vm.run --arch $(ARCH) $(NAMES)

SEED ?= 7
soak: bootstrap ## boot one machine 200 times, an IBM Z 50 times, with random acts and failures (SEED=7 BOOTS=N ARCH=s390x)
	@$(PYTHON) -m chainboot_vm.soak --arch $(ARCH) --seed $(SEED) $(if $(BOOTS),--boots $(BOOTS))

crash: ## cut an install with zipl off after each of its writes, and start the machine (an emulated IBM Z)
	@tools/bootstrap s390x
	@$(PYTHON) -m chainboot_vm.power_cuts

cuts: bootstrap ## fail the power at every write of the record of trials and of the default, on ext4 and FAT
	@$(PYTHON) -m chainboot_vm.record_cuts

bench: ## measure reading beside a plain loop, and the way to the menu beside a bare kexec, on both machines
	@tools/bootstrap x86_64 s390x
	@$(PYTHON) tests/bench/parse.py
	@$(PYTHON) -m chainboot_vm.bench

audit: bootstrap ## run ssh-audit against the first stage's SSH server (installs it below build/)
	@$(PYTHON) -m chainboot_vm.audit

CORPUS ?= ../shared/corpus
corpus: bootstrap ## read every configuration of CORPUS=DIR and hold it against what others say of it
	@PYTHONPATH=python:tests $(PYTHON) -m corpus_check.run $(CORPUS)

SECONDS ?= 60
fuzz: bootstrap ## feed the reader made-up configurations for SECONDS=60 (installs atheris below build/)
	@tools/fuzz $(SECONDS)

clean: ## remove what was generated, downloaded packages included (.venv stays)
	@# a Nix store is read-only
	@if [ -d build/nix ]; then chmod -R u+w build/nix; fi
	rm -rf build
