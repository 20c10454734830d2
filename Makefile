# vmblame: `make` lists the targets.

GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
# -E: its own entry point is the launch helper, and sees what Go's start-up changes (tracer/launcher/entry.go).
LDFLAGS := -w -E vmblame_entry -X main.version=$(VERSION)
TIMEOUT ?= 40m
FUZZ    ?= 30s
FAULTS  ?= 2000
VISITS  ?= 200
EVENTS  ?= 10000000
GOLANGCI := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

export GOFLAGS ?= -buildvcs=false

.DEFAULT_GOAL := help

.PHONY: help build man dist demo test race simulate bench kinds maps reliability visits bench-map bench-names bench-alternatives fuzz lint testdata web web-check clean

help: ## list the targets
	@echo "make alone builds nothing. Targets:"
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build the static executable ./vmblame
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o vmblame ./cmd/vmblame

man: ## write the manual pages to ./man
	@CGO_ENABLED=0 $(GO) run -tags man -ldflags '$(LDFLAGS)' ./cmd/vmblame man man

dist: build man ## pack executable, manual pages, completions and docs into ./dist
	@.ci/dist $(VERSION)

demo: build ## build vmblame and show what it does on the case that it was written for
	@.ci/demo

testdata: ## build the programs that the tests trace
	@$(MAKE) --no-print-directory -s -C testdata

test: ## run all tests
	@GO=$(GO) .ci/test -timeout $(TIMEOUT)

race: ## run all tests under the race detector (needs a C compiler)
	@GO=$(GO) CGO_ENABLED=1 .ci/test -race -timeout $(TIMEOUT)

simulate: ## show order and mm every order that a kernel may show, until the logs have EVENTS (10,000,000)
	$(GO) test ./internal/simulation -timeout 0 -events $(EVENTS) -v

bench: build ## compare with a bare ptrace loop and with strace
	@$(MAKE) --no-print-directory -C testdata/bench VMBLAME=$(CURDIR)/vmblame

bench-map: build ## what one map takes, beside pmap -X, smem and jcmd
	@$(MAKE) --no-print-directory -C testdata/bench VMBLAME=$(CURDIR)/vmblame map

bench-names: ## what naming costs, beside addr2line, eu-addr2line and gdb
	@testdata/bench/names/bench.sh

bench-alternatives: ## our own readers beside the libraries that could do their work (docs/architecture.md)
	GOEXPERIMENT=jsonv2 $(GO) test -run '^$$' -bench Alternative -benchmem ./internal/... ./unwind

fuzz: ## run every fuzz target for FUZZ=30s
	@set -e; for p in $$($(GO) list ./...); do \
	  for f in $$($(GO) test -list '^Fuzz' $$p | grep '^Fuzz' || true); do \
	    echo "== $$p $$f"; $(GO) test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZ) -fuzzminimizetime 10x $$p; \
	  done; \
	done

kinds: ## hold what vmblame says of the memory of real programs against their own word (docs/kinds.md; 6 minutes)
	$(GO) test ./cmd/vmblame/e2e -count=1 -timeout $(TIMEOUT) -run '^Test(Truth|Held)$$' -v -kinds table

maps: ## map six busy programs 1,000 times each: nothing is stopped, nothing made resident (15 to 30 minutes)
	$(GO) test ./cmd/vmblame/e2e -count=1 -timeout $(TIMEOUT) -run '^TestMapBusy$$' -v -maps 1000

reliability: testdata ## make 2,000 faults happen and print what came of them (20 minutes)
	$(GO) test ./cmd/vmblame/e2e -count=1 -timeout $(TIMEOUT) -run '^TestReliability$$' -parallel 4 -v -faults $(FAULTS)

visits: ## attach to programs, and kill vmblame at it, VISITS=200 times each, and print what they noticed (an hour)
	$(GO) test ./cmd/vmblame/e2e -count=1 -timeout 0 -run '^(TestVisits|TestKills)$$' -v -visits $(VISITS)

web: ## build the page of `vmblame html` from internal/html/web (needs npm) into internal/html/assets, which is committed
	@cd internal/html/web && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null && node build.mjs

web-check: ## prove that what stands in internal/html/assets is what internal/html/web builds (needs npm)
	@out=$$(mktemp -d) && trap 'rm -rf "$$out"' EXIT && cd internal/html/web && \
	  npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null && node build.mjs "$$out" && diff -r ../assets "$$out" >/dev/null || \
	  { echo "internal/html/assets is not what internal/html/web builds: make web"; exit 1; }

lint: ## gofmt, go vet and golangci-lint (.golangci.yml)
	@bad=$$(gofmt -l .); \
	  if [ -n "$$bad" ]; then echo "not gofmt'ed:"; echo "$$bad"; exit 1; fi
	$(GO) vet ./...
	$(GO) run $(GOLANGCI) run --allow-parallel-runners --max-issues-per-linter 0 --max-same-issues 0 ./...

clean: ## remove what the targets above made
	rm -rf vmblame vmblame.*.jsonl vmblame.*.jsonl.zst dist man
	@$(MAKE) --no-print-directory -s -C testdata clean
