# Herald's two commands are `make demo` and `make test`; `make help` lists the rest.
# A fresh Debian 12 machine with root, Go, git and make is enough: what else is
# needed is installed on the way.

VERSION    ?= dev
# IMAGE_REPO is the registry and path that the images are named for.
IMAGE_REPO ?= heraldlb.io
ARCHES     ?= amd64 arm64
HOST_ARCH  := $(shell go env GOARCH)

BUILD   := build
BIN     := $(BUILD)/bin
IMAGES  := $(BUILD)/images
LAB     := $(BUILD)/lab
LDFLAGS := -s -w -X github.com/heraldlb/herald/internal/version.version=$(VERSION)
SOURCES := $(shell find api config controller internal ipam speaker -name '*.go' -not -name '*_test.go' 2>/dev/null) go.mod go.sum
LAB_SOURCES := $(shell find lab \( -name '*.go' -o -name '*.tmpl' \) -not -name '*_test.go' 2>/dev/null) lab/go.mod lab/go.sum

# WIRE are the packages whose tests have real time in them: network namespaces,
# routers' own daemons. They run one after another. Root has all that they need,
# so what they need and do not find there is a failure, and not a reason to skip.
WIRE     := speaker/(bfd|bgp|layer2|members|sentry)|internal/netnstest
ROOT     := $(filter 0,$(shell id -u))
WIRE_ENV := $(if $(ROOT),HERALD_WIRE_TESTS=required)

# phase NAME, COMMANDS: says what runs and how long it took.
phase = @echo "==> $(1)"; start=$$(date +%s); { $(2); } || { echo "==> $(1): FAILED after $$(( $$(date +%s) - start )) s"; exit 1; }; echo "==> $(1): $$(( $$(date +%s) - start )) s"

.DEFAULT_GOAL := help
.PHONY: help demo test unit e2e soak lint generate drift build images images-local bench lab lab-up lab-down clean

help: ## show this text
	@echo "Herald: make TARGET"
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(LAB) images-local ## a real cluster on this machine, a Service that gets an address, a failover
	@./lab/demo.sh

test: ## everything: lint, generated files, unit tests with the race detector, end to end in the lab
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory drift
	@$(MAKE) --no-print-directory unit
	@$(MAKE) --no-print-directory e2e

unit: $(BUILD)/.cc $(if $(ROOT),$(BUILD)/.routers) ## unit and property tests, fuzz seeds, import table; with the race detector
	$(call phase,unit tests,go test -race $$(go list ./... | grep -vE '$(WIRE)'))
	$(call phase,tests on the wire,$(WIRE_ENV) go test -race -p 1 $$(go list ./... | grep -E '$(WIRE)'))
	$(call phase,BGP against FRR,$(WIRE_ENV) go test -run TestFRR ./speaker/bgp)
	$(call phase,unit tests of the lab,cd lab && go test $$(go list ./... | grep -v /e2e))

e2e: $(LAB) images ## end-to-end tests in the lab (root)
	$(call phase,end-to-end tests,cd lab && go test -count=1 -timeout 45m -v ./e2e $(E2E_FLAGS))
	$(call phase,the lab itself for real,cd lab && go test -count=1 -timeout 10m -v -run TestReal ./cluster)

# What fuzz tests look at beyond their seeds, and for how long each.
FUZZ      := internal/iprange:FuzzParse config:FuzzParse controller/assign:FuzzNewRequest
FUZZ_TIME ?= 1m

soak: $(LAB) images-local ## long tests: thousands of random histories, fuzzing, the controller killed for 5 minutes while 500 Services come and go, a hostile router (root)
	$(call phase,histories,go test -count=1 -timeout 45m ./ipam -run TestModelLaw -histories 500 && go test -count=1 -timeout 45m ./controller/assign -run TestHistories -histories 2000)
	$(call phase,fuzz tests,for f in $(FUZZ); do go test -run '^$$' -fuzz "^$${f#*:}$$" -fuzztime $(FUZZ_TIME) -fuzzminimizetime 10x ./$${f%:*} || exit 1; done)
	$(call phase,soak,cd lab && go test -count=1 -timeout 45m -v ./e2e -run '(TestHerald|TestBGP)/(kill_the_controller_in_a_loop|bear_a_hostile_router)' -soak $(E2E_FLAGS))

lint: $(BIN)/golangci-lint ## go vet and golangci-lint, as .golangci.yml says
	$(call phase,lint,go vet ./... && $(BIN)/golangci-lint run ./... && cd lab && ../$(BIN)/golangci-lint run -c ../.golangci.yml ./...)

generate: ## write again what is generated: deep copies, CRDs, the install file
	cd internal/tools && go tool controller-gen object:headerFile=/dev/null paths=../../api/...
	cd internal/tools && go tool controller-gen crd paths=../../api/... output:crd:dir=../../manifests/crds
	cd internal/tools/render && go run . ../../../manifests/install > ../../../$(BUILD)/install.yaml
	mv $(BUILD)/install.yaml manifests/install.yaml

drift: ## fail if generated files are not what `make generate` writes
	$(call phase,generated files,./internal/tools/drift.sh)

build: $(BIN)/controller-$(HOST_ARCH) $(BIN)/speaker-$(HOST_ARCH) $(LAB) ## the product's binaries and the lab program

images: images-local $(IMAGES)/controller/index.json $(IMAGES)/speaker/index.json ## OCI images without docker, reproducible, for all ARCHES

# What the lab runs: this machine's architecture alone.
images-local: $(IMAGES)/controller-$(HOST_ARCH).tar $(IMAGES)/speaker-$(HOST_ARCH).tar

bench: $(LAB) images-local ## Go benchmarks, measurements on the wire, thousands of Services in a lab, failover in layer 2 and BGP (root; BENCH_FLAGS, FAILOVER_FLAGS)
	go test -run '^$$' -bench . -benchmem ./ipam/... ./speaker/... ./config/... ./controller/...
	HERALD_MEASURE=1 go test -count=1 -p 1 -v -run '^TestMeasure' ./speaker/layer2 ./speaker/members ./speaker/sentry
	cd lab && CGO_ENABLED=0 go build -trimpath -o ../$(BUILD)/bench ./bench
	$(BUILD)/bench $(BENCH_FLAGS)
	cd lab && CGO_ENABLED=0 go build -trimpath -o ../$(BUILD)/failover ./failover
	$(BUILD)/failover $(FAILOVER_FLAGS)

lab: $(LAB)

lab-up: $(LAB) images-local ## start a lab of three nodes with Herald installed
	$(LAB) up

lab-down: $(LAB) ## stop the lab and remove all it made
	$(LAB) down

clean: ## remove what was built
	rm -rf $(BUILD)

define binary
$(BIN)/$(1)-$(2): $(SOURCES)
	@mkdir -p $(BIN)
	CGO_ENABLED=0 GOARCH=$(2) go build -trimpath -ldflags '$(LDFLAGS)' -o $$@ ./$(1)
endef
$(foreach p,controller speaker,$(foreach a,$(sort $(ARCHES) $(HOST_ARCH)),$(eval $(call binary,$(p),$(a)))))

PACK = $(BIN)/pack --name $(IMAGE_REPO)/$*:$(VERSION) --user $(if $(filter speaker,$*),0:0,65532:65532) --out $(IMAGES)/$*

$(IMAGES)/%-$(HOST_ARCH).tar: $(BIN)/%-$(HOST_ARCH) $(BIN)/pack
	$(PACK) --tarballs --binary $(HOST_ARCH)=$<

$(IMAGES)/%/index.json: $(foreach a,$(ARCHES),$(BIN)/%-$(a)) $(BIN)/pack
	$(PACK) $(foreach a,$(ARCHES),--binary $(a)=$(BIN)/$*-$(a))

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
	@command -v gcc >/dev/null || ./internal/tools/packages.sh gcc libc6-dev
	@touch $@

# Tests on the wire play with routers of others: FRR, BIRD.
$(BUILD)/.routers:
	@mkdir -p $(BUILD)
	@command -v vtysh >/dev/null && command -v bird >/dev/null || ./internal/tools/packages.sh frr bird2
	@touch $@
