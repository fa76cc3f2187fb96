// publish makes an image of directories, one for each architecture, and pushes it, with no daemon and no base:
//
//	publish IMAGE TAG amd64=DIRECTORY arm64=DIRECTORY   as :TAG and as :latest
//	publish -has IMAGE TAG                              ends with 0 if :latest is that already
//
// The same files are the same digest.
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

func main() {
	has := flag.Bool("has", false, "ask, and push nothing")
	flag.Parse()
	if flag.NArg() < 2 || *has != (flag.NArg() == 2) {
		fail(fmt.Errorf("publish [-has] IMAGE TAG [ARCHITECTURE=DIRECTORY]"))
	}
	repository, err := name.NewRepository(flag.Arg(0))
	if err != nil {
		fail(err)
	}
	tag, latest := repository.Tag(flag.Arg(1)), repository.Tag("latest")
	if *has {
		if !same(tag, latest) {
			os.Exit(1)
		}
		return
	}
	index, err := indexOf(flag.Args()[2:])
	if err != nil {
		fail(err)
	}
	for _, reference := range []name.Tag{tag, latest} {
		if err := remote.WriteIndex(reference, index, access()); err != nil {
			fail(err)
		}
	}
}

// indexOf returns the images of all architectures.
func indexOf(directories []string) (v1.ImageIndex, error) {
	images := map[string]v1.Image{}
	for _, argument := range directories {
		architecture, directory, _ := strings.Cut(argument, "=")
		image, err := imageOf(directory, architecture)
		if err != nil {
			return nil, err
		}
		images[architecture] = image
	}
	return bundle(images), nil
}

// same says whether two tags are of one image.
func same(a, b name.Tag) bool {
	first, err := remote.Head(a, access())
	if err != nil {
		return false
	}
	second, err := remote.Head(b, access())
	return err == nil && first.Digest == second.Digest
}

// access is that of docker and its like: their configuration has the credentials.
func access() remote.Option { return remote.WithAuthFromKeychain(authn.DefaultKeychain) }

func fail(err error) {
	fmt.Fprintln(os.Stderr, "publish:", err)
	os.Exit(1)
}
