package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func write(t *testing.T, path, content string, mode fs.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
}

func installed(t *testing.T, from, to string) {
	t.Helper()
	if err := install(from, to); err != nil {
		t.Fatal(err)
	}
}

func TestFilesAreForEveryUserWhateverTheUmask(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o077))
	from, to := t.TempDir(), t.TempDir()
	write(t, filepath.Join(from, "go/bin/dlv"), "program", 0o700)
	write(t, filepath.Join(from, "go/notice"), "text", 0o600)
	installed(t, from, to)
	for path, want := range map[string]fs.FileMode{
		"go": fs.ModeDir | 0o755, "go/bin": fs.ModeDir | 0o755, "go/bin/dlv": 0o755, "go/notice": 0o644,
	} {
		info, err := os.Stat(filepath.Join(to, path))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != want {
			t.Errorf("%s is %v, not %v", path, info.Mode(), want)
		}
	}
}

func TestASecondRunReplacesAndLeavesNothingElseBehind(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	write(t, filepath.Join(from, "nodejs/bin/node"), "one", 0o755)
	write(t, filepath.Join(to, "python/launcher"), "of another image", 0o755)
	installed(t, from, to)
	write(t, filepath.Join(from, "nodejs/bin/node"), "two", 0o755)
	installed(t, from, to)
	content, err := os.ReadFile(filepath.Join(to, "nodejs/bin/node"))
	if err != nil || string(content) != "two" {
		t.Errorf("%q, %v", content, err)
	}
	if _, err := os.Stat(filepath.Join(to, "python/launcher")); err != nil {
		t.Error(err)
	}
	if entries, _ := os.ReadDir(filepath.Join(to, "nodejs/bin")); len(entries) != 1 {
		t.Errorf("%v", entries)
	}
}

func TestAVolumeThatIsMissingIsAnError(t *testing.T) {
	from := t.TempDir()
	write(t, filepath.Join(from, "launcher"), "", 0o755)
	if err := install(from, filepath.Join(t.TempDir(), "dbg")); err == nil {
		t.Error("nothing was said")
	}
}
