# The commands of the project. `make demo` and `make test` install what they need first (tests/install-deps.sh).

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:

TARGET_DIR := $(abspath $(or $(CARGO_TARGET_DIR),target))
RELEASE := $(TARGET_DIR)/release/roomcam
# What was tested is what the lock file says; at a desk, cargo may update it after an edit of Cargo.toml.
LOCKED := $(if $(CI),--locked)

# How long a meeting `make soak` holds, in seconds, and with which clients.
SOAK_SECONDS ?= 1200
GENERATION ?= later
# How long `make soak-whip` publishes, in seconds.
WHIP_SECONDS ?= 1800
export SOAK_SECONDS
# How long `make fuzz` looks for trouble in each target, in seconds, and in which.
FUZZ_SECONDS ?= 60
FUZZ_TARGETS ?= $$(cargo fuzz list --fuzz-dir tests/fuzz)
# How many inputs `make test-fuzz` makes for each target.
FUZZ_RUNS ?= 10000
# What `make demo` adds to `roomcam demo`, such as ARGS="--camera auto --listen 0.0.0.0:8080".
ARGS ?=
# Whose processor `make cross` and `make deb` build for, as Debian calls it.
ARCH ?= arm64

CARGO_FUZZ := 0.13.2
CARGO_DENY := 0.20.2
# Cargo's plugins of these versions, compiled where there is none, and out of the way of those that others installed.
TOOLS := $(TARGET_DIR)/tools
TOOL := CARGO_PROFILE_DEV_DEBUG=0 cargo install --quiet --locked --debug --root $(TOOLS)
export PATH := $(TOOLS)/bin:$(PATH)

NODE_MODULES := $(patsubst %/package-lock.json,%/node_modules/.package-lock.json,\
	$(shell find tests -name node_modules -prune -o -name package-lock.json -print))

# Signalling and media servers for the tests need packages of Python, which they have to themselves.
PYTHON_SERVER := tests/signalling/.venv/.installed

.PHONY: help
help: ## List the commands
	@sed -nE 's/^([a-z0-9-]+):.*## (.*)/  make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 26

.PHONY: demo
demo: release ## Watch a test picture in a meeting on this machine (ARGS="--camera auto" for the camera)
	$(RELEASE) demo $(ARGS)

.PHONY: test
test: test-rust test-viewer test-fuzz test-e2e test-packages test-readme test-pi ## Run all tests, the quick ones first

.PHONY: bench
bench: release deps-test ## Measure CPU, memory, cadence and latency, beside a bare pipeline and a browser
	cargo build $(LOCKED) --release --example fan_out
	npm --prefix tests run --silent prepare
	ROOMCAM=$(RELEASE) npm --prefix tests run --silent bench

.PHONY: bench-scale
bench-scale: release deps-test ## How many rooms and viewers one relay carries (VIEWERS=40 in each room)
	cargo build $(LOCKED) --release --example fan_out
	ROOMCAM=$(RELEASE) node tests/bench/scale.mjs

.PHONY: soak
soak: release deps-test ## A meeting of SOAK_SECONDS with a newcomer every 5 s (GENERATION=later, first, ...)
	ROOMCAM=$(RELEASE) node tests/bench/soak.mjs $(GENERATION)

.PHONY: soak-events
soak-events: release deps-test ## The same SOAK_SECONDS with something happening every second, as root: what the process holds
	ROOMCAM=$(RELEASE) node tests/bench/soak-events.mjs

.PHONY: soak-whip
soak-whip: release deps-test media-servers ## Half an hour of publishing by WHIP: a bad link, a server that restarts, an agent that is killed (as root)
	SOAK_SECONDS=$(WHIP_SECONDS) ROOMCAM=$(RELEASE) node tests/bench/soak-whip.mjs

.PHONY: check
check: check-format check-lints check-docs check-dependencies ## What .ci/run checks before the tests

.PHONY: release
release: deps
	cargo build $(LOCKED) --release

.PHONY: cross
cross: ## Build for a Pi on this machine (ARCH=arm64)
	cross/build.sh $(ARCH)

.PHONY: deb
deb: deps ## Build the Debian package for a Pi (ARCH=arm64, armhf, or amd64)
	cross/package.sh $(ARCH)

.PHONY: debs
debs: ## Build the packages for all processors
	$(foreach arch,amd64 arm64 armhf,$(MAKE) --no-print-directory deb ARCH=$(arch);)

# --- Tests ---

# One after the other, whatever -j says: end-to-end tests measure time.
.NOTPARALLEL:

.PHONY: build-tests
build-tests: deps
	cargo test $(LOCKED) --no-run

.PHONY: test-rust
test-rust: deps-test ## Unit, property and integration tests
	cargo test $(LOCKED)

.PHONY: test-viewer
test-viewer: deps-test ## The viewer page's decisions
	node --test $(wildcard tests/viewer/*.test.mjs)

# Without a sanitizer this needs no nightly toolchain, and there is little for one to find: unsafe code is denied.
CARGO_FUZZ_FLAGS := --fuzz-dir tests/fuzz --target-dir $(TARGET_DIR) --sanitizer none

.PHONY: build-fuzz
build-fuzz: deps
	$(TOOL) cargo-fuzz --version $(CARGO_FUZZ)
	@# cargo-fuzz would write another lock file without a word.
	cargo metadata $(LOCKED) --manifest-path tests/fuzz/Cargo.toml --format-version 1 > /dev/null
	cargo fuzz build $(CARGO_FUZZ_FLAGS)

# The same inputs each time, as far as a commit is concerned: another verdict on the same commit would say nothing of it.
# So: only what is committed to begin with, one seed, a number of inputs instead of a time, and addresses that do not
# vary. The relay reads clocks and draws ids; no new inputs are made for it here.
.PHONY: test-fuzz
test-fuzz: build-fuzz ## Fuzz the parsers and the segmenter, the same inputs each time
	fixed=; ! setarch -R true 2>/dev/null || fixed="setarch -R"; \
	targets="$(FUZZ_TARGETS)"; \
	for target in $$targets; do \
		runs=$(FUZZ_RUNS); [ $$target != relay ] || runs=0; \
		found=$$(mktemp -d); \
		$$fixed cargo fuzz run $(CARGO_FUZZ_FLAGS) $$target $$found tests/fuzz/seeds/$$target -- \
			-seed=1 -runs=$$runs -reload=0 -rss_limit_mb=1024 -print_final_stats=1; \
		rm -r $$found; \
	done

.PHONY: fuzz
fuzz: build-fuzz ## Look for inputs that nobody has thought of, FUZZ_SECONDS in each target
	targets="$(FUZZ_TARGETS)"; \
	for target in $$targets; do \
		mkdir -p tests/fuzz/corpus/$$target; \
		cargo fuzz run $(CARGO_FUZZ_FLAGS) $$target tests/fuzz/{corpus,seeds}/$$target -- \
			-max_total_time=$(FUZZ_SECONDS) -rss_limit_mb=1024 -print_final_stats=1; \
	done

# What `make test-e2e` runs beside its test files: commands that judge no time, each in quotes.
BESIDE ?=

.PHONY: test-e2e
test-e2e: release deps-test media-servers ## The program with relays in NestJS, viewers in Chromium, Firefox and WebKit, bad links, TURN (as root)
	@tests/install-deps.sh webkit
	npm --prefix tests run --silent prepare
	ROOMCAM=$(RELEASE) node tests/lanes.mjs $(BESIDE) tests/e2e/*.{test,alone}.mjs tests/network/*.test.mjs

.PHONY: media-servers
media-servers: deps-test-system
	@tests/install-deps.sh media-servers
	@test -e tests/whip/server || tests/whip/install.sh

.PHONY: test-pi
test-pi: deps-test ## The package on an emulated Raspberry Pi, with a camera, a sound card and GPIO
	npm --prefix tests run --silent prepare
	ROOMCAM_DEB=$$(realpath "$$($(MAKE) --no-print-directory --silent deb ARCH=arm64 | tail -n 1)"); \
	export ROOMCAM_DEB; npm --prefix tests run --silent pi

.PHONY: test-packages
test-packages: deps-test ## The packages: lintian, installed in a Debian of their own, watched in Chromium
	@tests/install-deps.sh packages
	$(MAKE) --no-print-directory deb ARCH=amd64
	$(MAKE) --no-print-directory deb ARCH=arm64
	ARCHITECTURES="amd64 arm64" npm --prefix tests run --silent packages

# Not part of `make test`: the standard library is built with it and a Debian is set up under emulation, 20 minutes.
.PHONY: test-armhf
test-armhf: deps-test ## The package for armhf: lintian, installed and run under emulation
	@tests/install-deps.sh packages
	$(MAKE) --no-print-directory deb ARCH=armhf
	ARCHITECTURES=armhf npm --prefix tests run --silent armhf

.PHONY: test-readme
test-readme: deps ## README.md and systemd/OPERATING.md, followed word for word in a clean Debian
	@tests/install-deps.sh packages
	$(MAKE) --no-print-directory deb ARCH=amd64
	tests/readme.sh

# `make test` has a fifth of it. The relay is the release build, because it is the one that people run.
.PHONY: hostile
hostile: release ## Let 10 000 hostile connections loose on the relay for five minutes, while a meeting goes on
	ROOMCAM=$(RELEASE) ROOMCAM_HOSTILE_CONNECTIONS=10000 cargo test $(LOCKED) --test relay_hostile -- --nocapture

# --- Checks ---

.PHONY: check-format
check-format:
	cargo fmt --check

.PHONY: check-lints
check-lints: deps
	cargo clippy $(LOCKED) --all-targets -- -D warnings

.PHONY: check-docs
check-docs: deps
	RUSTDOCFLAGS="-D warnings" cargo doc $(LOCKED) --no-deps

# The advisories are a git repository that not every machine may reach; the other checks need only the lock file.
.PHONY: check-dependencies
check-dependencies:
	$(TOOL) cargo-deny --version $(CARGO_DENY)
	cargo deny $(LOCKED) check bans licenses sources
	@if timeout 60 cargo deny $(LOCKED) fetch db; then \
		cargo deny $(LOCKED) check --disable-fetch advisories; \
	else \
		echo "SKIPPED: the database of security advisories cannot be reached from here; nothing is known of them."; \
	fi

# --- What has to be installed ---

.PHONY: deps
deps:
	@tests/install-deps.sh build

.PHONY: deps-test
deps-test: deps-test-system $(NODE_MODULES) $(PYTHON_SERVER)

.PHONY: deps-test-system
deps-test-system:
	@tests/install-deps.sh build test

%/node_modules/.package-lock.json: %/package-lock.json | deps-test-system
	@echo "Installing the Node packages of $*"
	npm --prefix $* ci --no-audit --no-fund

%/.venv/.installed: %/requirements.txt | deps-test-system
	@echo "Installing the Python packages of $*"
	python3 -m venv --clear $*/.venv
	$*/.venv/bin/pip --quiet --disable-pip-version-check install --requirement $<
	touch $@
