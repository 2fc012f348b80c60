// Render writes what a kustomization directory says as one YAML stream, as
// `kubectl kustomize` does, so that the install file needs no kubectl to make.
package main

import (
	"fmt"
	"os"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: render DIRECTORY")
		os.Exit(2)
	}
	objects, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), os.Args[1])
	if err != nil {
		fmt.Fprintf(os.Stderr, "render %s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
	stream, err := objects.AsYaml()
	if err != nil {
		fmt.Fprintf(os.Stderr, "render %s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
	os.Stdout.Write(stream)
}
