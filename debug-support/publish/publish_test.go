package main

import (
	"archive/tar"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// files makes a directory with an installer and something to install, as of now.
func files(t *testing.T, text string) string {
	t.Helper()
	directory := t.TempDir()
	if err := os.MkdirAll(filepath.Join(directory, "support"), 0o700); err != nil {
		t.Fatal(err)
	}
	for path, mode := range map[string]os.FileMode{"install": 0o700, "support/" + text: 0o600} {
		if err := os.WriteFile(filepath.Join(directory, path), []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	return directory
}

func digest(t *testing.T, directories ...string) v1.Hash {
	t.Helper()
	index, err := indexOf(directories)
	if err != nil {
		t.Fatal(err)
	}
	hash, err := index.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return hash
}

func TestTheSameFilesAreTheSameImage(t *testing.T) {
	one, again, other := files(t, "one"), files(t, "one"), files(t, "other")
	if err := os.Chtimes(filepath.Join(again, "install"), time.Unix(1, 0), time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	first := digest(t, "amd64="+one, "arm64="+other)
	if again := digest(t, "arm64="+other, "amd64="+again); again != first {
		t.Errorf("%v, then %v", first, again)
	}
	if other := digest(t, "amd64="+other, "arm64="+other); other == first {
		t.Error("other files, and the same digest")
	}
}

func TestAnImageHasFilesForEveryUserAndItsInstaller(t *testing.T) {
	image, err := imageOf(files(t, "text"), "arm64")
	if err != nil {
		t.Fatal(err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if config.Architecture != "arm64" || config.OS != "linux" || strings.Join(config.Config.Entrypoint, " ") != "/install" {
		t.Errorf("%+v", config)
	}
	modes := map[string]int64{}
	for reader := tar.NewReader(mutate.Extract(image)); ; {
		header, err := reader.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		modes[header.Name] = header.Mode
	}
	for path, want := range map[string]int64{"install": 0o755, "support": 0o755, "support/text": 0o644} {
		if modes[path]&0o777 != want {
			t.Errorf("%s: %v", path, modes)
		}
	}
}

func TestATagThatIsNotTheLatestIsToBePublished(t *testing.T) {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	repository, err := name.NewRepository(strings.TrimPrefix(server.URL, "http://") + "/debug/go")
	if err != nil {
		t.Fatal(err)
	}
	push := func(tag, text string) {
		index, err := indexOf([]string{"amd64=" + files(t, text)})
		if err != nil {
			t.Fatal(err)
		}
		if err := remote.WriteIndex(repository.Tag(tag), index); err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range []struct {
		tag, text string
		want      bool
	}{{"a", "one", false}, {"latest", "one", true}, {"latest", "two", false}} {
		push(step.tag, step.text)
		if got := same(repository.Tag("a"), repository.Tag("latest")); got != step.want {
			t.Errorf("%v: %v", step, got)
		}
	}
}
