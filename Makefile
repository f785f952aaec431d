# What a developer runs. make help lists it.
SHELL := /bin/bash
GO    ?= go
export CGO_ENABLED = 0

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
DATA    ?= ./run-data
FUZZTIME ?= 20s

.PHONY: help
help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## build bin/proctape
	$(GO) build -trimpath -ldflags "-X main.version=$(VERSION)" -o bin/proctape ./cmd/proctape

.PHONY: run
run: build ## record this machine into ./run-data (DATA=… for another folder); Ctrl-C stops it
	@exec bin/proctape up --data $(DATA)

.PHONY: test
test: ## all tests, with the race detector where there is a C compiler for it
	@if command -v $${CC:-gcc} >/dev/null; then set -x; CGO_ENABLED=1 $(GO) test -race ./...; \
	else echo "no C compiler: without the race detector"; set -x; $(GO) test ./...; fi

.PHONY: check
check: ## format, vet, staticcheck, known vulnerabilities, generated files: what CI asks before the tests
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$unformatted" || { echo "gofmt would change: $$unformatted"; exit 1; }
	$(GO) vet ./...
	$(GO) tool staticcheck ./...
	$(GO) mod tidy -diff
	@.ci/libc-version
	@.ci/govulncheck
	CGO_ENABLED=0 $(GO) test -run 'TestImports' ./integration_test

.PHONY: soak
soak: ## the long campaigns
	CGO_ENABLED=0 PROCTAPE_SOAK=1 $(GO) test -count=1 -timeout 60m ./integration_test ./projector/...

.PHONY: bench
bench: ## the benchmarks beside the code
	$(GO) test -run '^$$' -bench . -benchmem ./...

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME
	@for target in $$(grep -rhoE '^func Fuzz[A-Za-z_0-9]+' --include='*_test.go' . | awk '{print $$2}' | sort -u); do \
	  pkg=$$(grep -rlE "^func $$target\(" --include='*_test.go' . | head -n 1 | xargs dirname); \
	  echo "$$pkg $$target"; $(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$pkg || exit 1; \
	done

.PHONY: clean
clean: ## remove what was built
	rm -rf bin
