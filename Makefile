# The few words of the project. `make help` lists them.
SHELL := /bin/bash
export PATH := $(HOME)/.cargo/bin:$(PATH)
PREFIX ?= /usr/local
DESTDIR ?=

.PHONY: help build demo lab test test-vm bench bench-many install clean

help: ## list these words
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 18

build: ## build skepd, skep and skep-supervise, optimised
	@scripts/install-needs build
	cargo build --release --locked -p skep-skepd -p skep-skep
	@# One runs for each container: without shared libraries it starts in two thirds of the time and takes less memory.
	cargo rustc --release --locked -p skep-supervise -- -C target-feature=+crt-static -C relocation-model=static

demo: build ## install what is missing, build, start a swarm, deploy, heal, show, clean up
	@scripts/install-needs run
	scripts/demo

lab: build ## start five hosts on this machine to play with: cut cables, kill daemons, turn power off
	@scripts/install-needs test
	cargo run --release --locked -p skep-lab

test: ## run every check and every test (root tests too, if you are root)
	@scripts/install-needs test
	cargo xtask test

# What asks most of the kernel; `make test` tests it with the machine's own.
KERNEL_TESTS := cargo test --release --locked -p skep-runtime -p skep-network -p skep-skepd
test-vm: build ## run the tests of containers on Debian's kernel, with control groups v2 alone, then v1 alone (an hour)
	@scripts/install-needs vm
	$(KERNEL_TESTS) --no-run
	scripts/vm v2 'CARGO_NET_OFFLINE=true $(KERNEL_TESTS) -- --ignored --test-threads=1'
	scripts/vm v1 'CARGO_NET_OFFLINE=true $(KERNEL_TESTS) -- --ignored --test-threads=1'

bench: build ## measure skepd beside a real dockerd and print the ratios
	@scripts/install-needs bench
	scripts/bench

bench-many: build ## measure three managers and a worker beside dockerd's, in a lab
	@scripts/install-needs bench
	cargo build --release --locked -p skep-lab
	scripts/bench many

install: build ## put binaries, man pages, completion and the systemd unit in place
	scripts/install "$(DESTDIR)" "$(PREFIX)"

clean: ## remove what was built
	cargo clean
