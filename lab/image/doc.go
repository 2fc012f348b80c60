// Package image packs static Linux programs into container images, without a
// container engine, a base image or a registry.
//
// It promises that the same bytes give the same digest, on any machine and at
// any time: no clock, no user name and no file mode of the build machine gets
// into an image. An image holds one file, its program. A Set has one image for
// each architecture; Write leaves a tarball for each one, which a container
// engine or `ctr images import` loads with its tag, and one OCI layout with an
// index over all of them, which is what is pushed to a registry.
//
// BuildApps builds and packs the small programs below lab/apps that the lab
// itself runs on. The package never pulls or pushes, and never runs an image.
package image
