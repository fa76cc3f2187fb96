// Command publish pushes the image of builder pods, unless the registry has it, and prints it with its digest.
//
//	publish IMAGE ARCHITECTURE LAYER.tar...
package main

import (
	"fmt"
	"os"
	"slices"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

func main() {
	if len(os.Args) < 4 {
		fmt.Fprintln(os.Stderr, "usage: publish IMAGE ARCHITECTURE LAYER.tar...")
		os.Exit(2)
	}
	if err := publish(os.Args[1], os.Args[2], os.Args[3:]); err != nil {
		fmt.Fprintln(os.Stderr, "publish:", err)
		os.Exit(1)
	}
}

func publish(named, architecture string, layers []string) error {
	reference, err := name.ParseReference(named)
	if err != nil {
		return err
	}
	image, err := build(architecture, layers)
	if err != nil {
		return err
	}
	login := remote.WithAuthFromKeychain(authn.DefaultKeychain)
	digest, err := known(reference, image, login)
	if err != nil {
		return err
	}
	if digest == (v1.Hash{}) {
		if err := remote.Write(reference, image, login); err != nil {
			return err
		}
		if digest, err = image.Digest(); err != nil {
			return err
		}
	}
	fmt.Println(reference.Context().Digest(digest.String()))
	return nil
}

// build returns the image of these layers. What is below the volume is no overlay in any pod, which BuildKit needs.
func build(architecture string, layers []string) (v1.Image, error) {
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	for _, path := range layers {
		layer, err := tarball.LayerFromFile(path, tarball.WithMediaType(types.OCILayer))
		if err != nil {
			return nil, err
		}
		if image, err = mutate.AppendLayers(image, layer); err != nil {
			return nil, err
		}
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", architecture
	config.Config = v1.Config{
		Entrypoint: []string{"/kaniko/executor"},
		WorkingDir: "/workspace",
		Env:        []string{"PATH=/bin:/kaniko", "HOME=/root", "DOCKER_CONFIG=/kaniko/.docker/", "SSL_CERT_DIR=/etc/ssl/certs"},
		Volumes:    map[string]struct{}{"/var/lib/devloop-builder": {}},
	}
	return mutate.ConfigFile(image, config)
}

// known returns the digest of the image in the registry, if it is the same.
func known(reference name.Reference, image v1.Image, login remote.Option) (v1.Hash, error) {
	there, err := remote.Image(reference, login)
	if err != nil {
		// That there is none yet, and that the registry does not answer, is seen by pushing.
		return v1.Hash{}, nil
	}
	theirs, err := there.ConfigFile()
	if err != nil {
		return v1.Hash{}, nil
	}
	ours, err := image.ConfigFile()
	if err != nil {
		return v1.Hash{}, err
	}
	if !slices.Equal(theirs.RootFS.DiffIDs, ours.RootFS.DiffIDs) || !slices.Equal(theirs.Config.Entrypoint, ours.Config.Entrypoint) || len(theirs.Config.Volumes) != len(ours.Config.Volumes) {
		return v1.Hash{}, nil
	}
	return there.Digest()
}
