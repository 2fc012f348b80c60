#!/bin/sh
# Fails if a generated file is not what `make generate` writes: generates into
# the tree, compares with what was there, and names the files that differ.
set -eu
cd "$(dirname "$0")/../.."
mkdir -p build
before=$(mktemp -d)
trap 'rm -rf "$before"' EXIT
list() { ls api/*/zz_generated*.go manifests/crds/*.yaml manifests/install.yaml; }
list | while read -r f; do mkdir -p "$before/$(dirname "$f")" && cp "$f" "$before/$f"; done
make --no-print-directory -s generate
stale=$(list | while read -r f; do cmp -s "$f" "$before/$f" || echo "$f"; done)
[ -z "$stale" ] || { echo "not what 'make generate' writes (now written; commit it):" $stale; exit 1; }
