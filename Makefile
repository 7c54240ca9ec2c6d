# The commands that matter are `make demo`, `make check` and `make test`.

GO ?= go

# Everything but the race detector shares one set of compiled packages with the
# bundle: another would take a slow machine 6 minutes more.
export CGO_ENABLED = 0
export GOFLAGS     := $(sort $(shell $(GO) env GOFLAGS) -trimpath)

BUNDLE    := build/bundle
WEB       := slides/web
APP       := $(WEB)/dist/app/index.html
VERSION   ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
SLOWEST   := build/tools/slowest
GOLANGCI  := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: web
web: $(APP) ## Build the web app that shows decks (needs node and npm)

$(WEB)/node_modules/.package-lock.json: $(WEB)/package.json $(WEB)/package-lock.json
	@command -v npm >/dev/null || { echo 'the web app is built with npm: run make deps, or install node 20 or newer'; exit 1; }
	cd $(WEB) && npm ci
	@touch $@

$(APP): $(WEB)/node_modules/.package-lock.json $(WEB)/vite.config.ts $(WEB)/tsconfig.json $(shell find $(WEB)/src $(WEB)/public -type f)
	cd $(WEB) && npm run build
	@touch $@

.PHONY: build
build: web ## Build bin/fluxdemo
	$(GO) build -ldflags '-s -w -X main.version=$(VERSION)' -o bin/fluxdemo ./cmd/fluxdemo

.PHONY: bundle
bundle: ## Build etcd, Kubernetes and Flux (10 minutes the first time)
	cd hack/bundle && $(GO) run . -o ../../$(BUNDLE)

.PHONY: demo
demo: bundle build ## Bring up a cluster and walk through GitOps
	bin/fluxdemo up
	bin/fluxdemo walk gitops --auto
	bin/fluxdemo status

.PHONY: deps
deps: ## Install what the tests need (Debian's packages)
	hack/deps.sh

$(SLOWEST): $(wildcard hack/slowest/*.go)
	$(GO) build -o $@ ./hack/slowest

.PHONY: check
check: web lint web-check $(SLOWEST) ## Lint, and run what needs no cluster and no browser (2 minutes)
	$(SLOWEST) -short -timeout 10m $(TESTFLAGS) ./...

.PHONY: web-check
web-check: $(WEB)/node_modules/.package-lock.json ## Check types, lint and test the web app
	cd $(WEB) && npm run -s check && npm run -s lint && npm run -s test

.PHONY: wire
wire: ## Write the web app's types from those of its servers
	$(GO) test -count=1 -run '^TestWire$$' ./slides/stage ./slides/learn -update-wire

.PHONY: test
test: deps bundle web $(SLOWEST) ## Run all tests
	cd hack/bundle && $(GO) test . ./gobuild
	cd hack/nodeimage && $(GO) test .
	@# Browsers first: what the cluster tests compare drifts apart beside them.
	FLUXDEMO_BUNDLE=$(CURDIR)/$(BUNDLE) $(SLOWEST) -timeout 20m $(TESTFLAGS) $$($(GO) list ./... | grep -v '/cmd/fluxdemo$$')
	FLUXDEMO_BUNDLE=$(CURDIR)/$(BUNDLE) $(SLOWEST) -timeout 75m $(TESTFLAGS) ./cmd/fluxdemo

.PHONY: test-learn
test-learn: deps bundle web $(SLOWEST) ## Run the contract of learning for the walks that `make test` leaves out
	FLUXDEMO_TEST_LEARN='ga how-flux-does-it multi-tenancy receivers-gone-wrong sharding' FLUXDEMO_BUNDLE=$(CURDIR)/$(BUNDLE) \
		$(SLOWEST) -timeout 60m -run '^TestLearn$$' ./cmd/fluxdemo

.PHONY: race
race: deps bundle web $(SLOWEST) ## Run all tests with the race detector
	CGO_ENABLED=1 FLUXDEMO_BUNDLE=$(CURDIR)/$(BUNDLE) $(SLOWEST) -race -timeout 45m $(TESTFLAGS) ./...

.PHONY: nodeimage
nodeimage: bundle ## Make the image of a kind node, without a registry
	hack/deps.sh mmdebstrap
	cd hack/nodeimage && $(GO) run . -o ../../build/nodeimage -bundle ../../$(BUNDLE)

.PHONY: test-kind
test-kind: deps bundle ## Run the tests of all kinds of clusters on kind, in an engine without a way out
	FLUXDEMO_BUNDLE=$(CURDIR)/$(BUNDLE) hack/test-kind.sh

.PHONY: lint
lint: ## gofmt, go vet, golangci-lint
	@test -z "$$(gofmt -l .)" || { gofmt -l .; echo 'run gofmt -w on these'; exit 1; }
	$(GO) vet ./...
	cd hack/bundle && $(GO) vet . ./gobuild ./node
	cd hack/nodeimage && $(GO) vet ./...
	$(GO) run $(GOLANGCI) run

.PHONY: docs
docs: ## Write docs/cli, the reference of all commands
	FLUXDEMO_UPDATE_DOCS=1 $(GO) test -count=1 -short -run '^TestReference$$' ./cmd/fluxdemo

.PHONY: picture
picture: bundle build ## Take the README's picture of the stage from a real run (needs chromium)
	$(GO) run ./hack/picture -fluxdemo bin/fluxdemo -bundle $(BUNDLE) -o docs/stage.png

.PHONY: bench
bench: bundle build ## Measure start, push latency, memory; PEERS=1 compares
	$(GO) run ./hack/bench -fluxdemo bin/fluxdemo -bundle $(BUNDLE) $(if $(PEERS),-peers)

.PHONY: clean
clean: ## Remove what make has built
	rm -rf bin build $(WEB)/dist/app $(WEB)/node_modules
