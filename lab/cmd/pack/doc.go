// Command pack packs static Linux binaries into a container image; `make
// images` runs it for each of the project's programs.
//
//	pack --name heraldlb.io/speaker:dev --user 0:0 \
//	    --binary amd64=PATH --binary arm64=PATH --out build/images/speaker
//
// leaves build/images/speaker-amd64.tar and speaker-arm64.tar, which container
// engines load, and build/images/speaker, an OCI layout to push, and prints
// their digests. The work is done by package image.
package main
