# What a developer runs. make help lists it.
SHELL := /bin/bash
GO    ?= go
export CGO_ENABLED = 0

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
DATA    ?= run-data
HTTP    ?= 127.0.0.1:7447
FUZZTIME ?= 20s
# The race detector, but not for SQLite itself: it is translated C, its memory is not Go's heap, so the
# detector finds nothing there and tests that store rows take three times as long.
RACE     := -race -gcflags=modernc.org/sqlite/lib=-race=false
BENCH_DIR ?= bin/bench-data
# What runs the tests, and of which packages: CI has another one.
GOTEST   ?= $(GO) test
PACKAGES ?= ./...

.PHONY: help
help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## build bin/proctape; the first time takes about two minutes on two cores
	@test -e bin/proctape || echo "The first build takes about two minutes on two cores: SQLite, translated into Go, is one large package. Later ones take seconds."
	$(GO) build -trimpath -ldflags "-X main.version=$(VERSION)" -o bin/proctape ./cmd/proctape

.PHONY: run
run: build ## record this machine into ./run-data (DATA=… for another folder), with the page (HTTP=… for another address, HTTP= for none); Ctrl-C stops it
	@exec bin/proctape up --data $(DATA) $(if $(HTTP),--http $(HTTP))

# Four packages and eight tests of each at a time: many wait more than they work. make check vets all of it. Without symbols a test's program is linked
# in half the time.
TESTS    := -vet=off -ldflags='-s -w' -p 4 -parallel 8 -timeout 60m

.PHONY: test
test: ## all tests
	$(GOTEST) $(TESTS) $(PACKAGES)

.PHONY: race
race: ## the tests of a minute once more, with the race detector, of recorders too; it needs a C compiler
	CGO_ENABLED=1 $(GOTEST) $(RACE) -short $(TESTS) $(PACKAGES)

.PHONY: test-short
test-short: ## the tests of a minute: without the long campaigns, which each say so (-v shows it)
	$(GO) test -short $(TESTS) ./...

.PHONY: check
check: ## format, vet, staticcheck, revive, known vulnerabilities, generated files: what CI asks before the tests
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$unformatted" || { echo "gofmt would change: $$unformatted"; exit 1; }
	$(GO) vet ./...
	$(GO) tool staticcheck ./...
	$(GO) tool -modfile=.ci/tools/go.mod revive -config .ci/revive.toml -formatter plain ./...
	$(GO) mod tidy -diff
	cd .ci/tools && $(GO) mod tidy -diff
	cd deploy/tools && $(GO) mod tidy -diff
	@.ci/libc-version
	@.ci/govulncheck
	@.ci/programs
	CGO_ENABLED=0 $(GO) test -run 'TestImports|TestStructure' ./integration_test

.PHONY: packages
packages: ## deb and rpm for amd64 and arm64, binaries, bill of materials and checksums, into dist; the same bytes every time
	@VERSION='$(VERSION)' deploy/packages/build

.PHONY: release
release: ## what a release of the tag at HEAD would be: checked, built and verified; nothing is published
	@deploy/packages/release

.PHONY: structure
structure: ## how the code is built: arrows and circles between files, the way of a message, sizes, old names (ARGS=-v for all of it)
	@$(GO) run ./bench/cmd/structure $(ARGS)

.PHONY: soak
soak: ## the long campaigns
	CGO_ENABLED=0 PROCTAPE_SOAK=1 $(GO) test -count=1 -timeout 60m ./integration_test ./projector/... ./schema/... ./embedded-nats/... ./producer/... ./query/web

.PHONY: bench-tools
bench-tools: build
	$(GO) build -trimpath -o bin/bench/ ./bench/cmd/...

.PHONY: bench
bench: bench-tools ## figures of this machine against the bars, in one table (ONLY=replay,storm for some of them)
	@bin/bench/bench table -only '$(ONLY)'

.PHONY: accuracy
accuracy: bench-tools ## what is recorded against what the kernel told the parent, on each rung, into docs/accuracy.md; five minutes, as root
	@bin/bench/accuracy -proctape bin/proctape -into docs/accuracy.md

.PHONY: bench-data
bench-data: bench-tools ## reads of ten million rows in BENCH_DIR, made once, while a recorder writes
	@bin/bench/bench data -data '$(BENCH_DIR)'

.PHONY: bench-grow
bench-grow: bench-tools ## how cost grows, into bench/results, and its pictures into docs; half an hour
	@bin/bench/bench grow -data '$(BENCH_DIR)' && bin/bench/plot

.PHONY: bench-steady
bench-steady: bench-tools ## an hour (FOR=10m) of 200 hosts (HOSTS=1000): memory, descriptors, how far behind, into bench/results
	@bin/bench/bench steady -for '$(or $(FOR),1h)' -hosts '$(or $(HOSTS),200)'

.PHONY: bench-capacity
bench-capacity: bench-tools ## what a recorder of 1 to 1000 hosts needs a day, the table of docs/operations.md; half an hour (FOR=2m at each fleet)
	@bin/bench/bench capacity -for '$(or $(FOR),2m)'

.PHONY: trouble
trouble: bench-tools ## mixed trouble for an hour (FOR=10s: once) while "make run" records, to ask about: docs/investigation.md
	@bin/bench/trouble -for '$(or $(FOR),1h)'

.PHONY: pictures
pictures: ## the pictures of the page in docs, made anew of a recording of trouble; needs chromium
	PROCTAPE_SCREENSHOTS=$(CURDIR)/docs $(GO) test -count=1 -run TestInvestigation/page ./integration_test

.PHONY: bench-compare
bench-compare: ## the commit REF against HEAD, in turn, with benchstat's verdict
	@test -n "$(REF)" || { echo "say which commit to compare with: make bench-compare REF=main"; exit 2; }
	@bench/compare '$(REF)'

.PHONY: bench-cost
bench-cost: ## what the sums of the database's pages and the minutes cost: the program without each, in turn (COUNT rounds)
	@bench/cost

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME
	@for target in $$(grep -rhoE '^func Fuzz[A-Za-z_0-9]+' --include='*_test.go' . | awk '{print $$2}' | sort -u); do \
	  pkg=$$(grep -rlE "^func $$target\(" --include='*_test.go' . | head -n 1 | xargs dirname); \
	  echo "$$pkg $$target"; $(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$pkg || exit 1; \
	done

.PHONY: clean
clean: ## remove what was built
	rm -rf bin
