# Herald's two commands are `make demo` and `make test`; `make help` lists the rest.
# A fresh Debian 12 machine with root, Go, git and make is enough: what else is
# needed is installed on the way.

VERSION    ?= dev
# IMAGE_REPO is the registry and path that the images are named for.
IMAGE_REPO ?= heraldlb.io
ARCHES     ?= amd64 arm64

BUILD   := build
BIN     := $(BUILD)/bin
IMAGES  := $(BUILD)/images
LAB     := $(BUILD)/lab
LDFLAGS := -s -w -X github.com/heraldlb/herald/internal/version.version=$(VERSION)
SOURCES := $(shell find api config controller internal ipam speaker -name '*.go' -not -name '*_test.go' 2>/dev/null) go.mod go.sum
LAB_SOURCES := $(shell find lab -name '*.go' -not -name '*_test.go' 2>/dev/null) lab/go.mod lab/go.sum

# phase NAME, COMMANDS: says what runs and how long it took.
phase = @echo "==> $(1)"; start=$$(date +%s); { $(2); } || { echo "==> $(1): FAILED after $$(( $$(date +%s) - start )) s"; exit 1; }; echo "==> $(1): $$(( $$(date +%s) - start )) s"

.DEFAULT_GOAL := help
.PHONY: help demo test unit e2e lint generate drift build images bench lab lab-up lab-down clean

help: ## show this text
	@echo "Herald: make TARGET"
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(LAB) images ## a real cluster on this machine, a Service that gets an address, a failover
	@./lab/demo.sh

test: ## everything: lint, generated files, unit tests with the race detector, end to end in the lab
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory drift
	@$(MAKE) --no-print-directory unit
	@$(MAKE) --no-print-directory e2e

unit: $(BUILD)/.cc ## unit and property tests, fuzz seeds, import table; with the race detector
	$(call phase,unit tests,go test -race ./...)
	$(call phase,unit tests of the lab,cd lab && go test $$(go list ./... | grep -v /e2e))

e2e: $(LAB) images ## end-to-end tests in the lab (root)
	$(call phase,end-to-end tests,cd lab && go test -count=1 -timeout 45m -v ./e2e $(E2E_FLAGS))

lint: $(BIN)/golangci-lint ## go vet and golangci-lint, as .golangci.yml says
	$(call phase,lint,go vet ./... && $(BIN)/golangci-lint run ./... && cd lab && ../$(BIN)/golangci-lint run -c ../.golangci.yml ./...)

generate: ## write again what is generated: deep copies, CRDs, the install file
	cd internal/tools && go tool controller-gen object:headerFile=/dev/null paths=../../api/...
	cd internal/tools && go tool controller-gen crd paths=../../api/... output:crd:dir=../../manifests/crds
	cd internal/tools/render && go run . ../../../manifests/install > ../../../$(BUILD)/install.yaml
	mv $(BUILD)/install.yaml manifests/install.yaml

drift: ## fail if generated files are not what `make generate` writes
	$(call phase,generated files,./internal/tools/drift.sh)

build: $(BIN)/controller $(BIN)/speaker $(LAB) ## the product's binaries and the lab program

images: $(IMAGES)/controller-amd64.tar $(IMAGES)/speaker-amd64.tar ## OCI images without docker, reproducible

bench: ## Go benchmarks
	go test -run '^$$' -bench . -benchmem ./ipam/... ./speaker/... ./config/...

lab: $(LAB)

lab-up: $(LAB) images ## start a lab of three nodes with Herald installed
	$(LAB) up

lab-down: $(LAB) ## stop the lab and remove all it made
	$(LAB) down

clean: ## remove what was built
	rm -rf $(BUILD)

$(BIN)/controller $(BIN)/speaker: $(BIN)/%: $(SOURCES)
	@mkdir -p $(BIN)
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o $@ ./$*

$(IMAGES)/%-amd64.tar: $(SOURCES) $(BIN)/pack
	@mkdir -p $(IMAGES) $(BIN)
	@for arch in $(ARCHES); do \
	  echo "building $* for $$arch"; \
	  CGO_ENABLED=0 GOARCH=$$arch go build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN)/$*-$$arch ./$* || exit 1; \
	done
	$(BIN)/pack --name $(IMAGE_REPO)/$*:$(VERSION) $(foreach a,$(ARCHES),--binary $(a)=$(BIN)/$*-$(a)) \
	  --user $(if $(filter speaker,$*),0:0,65532:65532) --out $(IMAGES)/$*

$(BIN)/pack: $(wildcard lab/image/*.go lab/cmd/pack/*.go) lab/go.mod
	@mkdir -p $(BIN)
	cd lab && CGO_ENABLED=0 go build -trimpath -o ../$@ ./cmd/pack

$(LAB): $(LAB_SOURCES)
	@mkdir -p $(BUILD)
	cd lab && CGO_ENABLED=0 go build -trimpath -o ../$@ .

$(BIN)/golangci-lint: internal/tools/lint/go.mod
	@mkdir -p $(BIN)
	cd internal/tools/lint && go build -o ../../../$@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

# The race detector needs a C compiler.
$(BUILD)/.cc:
	@mkdir -p $(BUILD)
	@command -v gcc >/dev/null || { apt-get update -q && apt-get install -y -q --no-install-recommends gcc libc6-dev; }
	@touch $@
