// install copies what its image carries into the volume that a pod's debugged containers share, and ends. It is an
// init container: any user, a read-only root file system, no shell; and a pod may run it again.
package main

import (
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

func main() {
	from := flag.String("from", "/support", "what to copy")
	to := flag.String("to", "/dbg", "the volume to copy to")
	flag.Parse()
	if err := install(*from, *to); err != nil {
		fmt.Fprintf(os.Stderr, "the debugging support files could not be copied: %v\n", err)
		os.Exit(1)
	}
}

// install copies all that is in one directory into another, which exists.
func install(from, to string) error {
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == from {
			return err
		}
		relative, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, relative)
		if entry.IsDir() {
			return directory(target)
		}
		return file(path, target)
	})
}

// directory makes one that every user can read, whatever the umask: the debugged container may run as another user.
func directory(path string) error {
	if err := os.Mkdir(path, 0o755); err != nil {
		if info, stat := os.Stat(path); stat == nil && info.IsDir() {
			return nil
		}
		return err
	}
	return os.Chmod(path, 0o755)
}

// file copies one, readable by every user and executable by every user if it was executable. What is there already is
// replaced, not written to: it may be running.
func file(from, to string) error {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	info, err := source.Stat()
	if err != nil {
		return err
	}
	mode := fs.FileMode(0o644)
	if info.Mode()&0o111 != 0 {
		mode = 0o755
	}
	target, err := os.CreateTemp(filepath.Dir(to), ".install-")
	if err != nil {
		return err
	}
	defer os.Remove(target.Name())
	if _, err := io.Copy(target, source); err != nil {
		target.Close()
		return err
	}
	if err := target.Chmod(mode); err != nil {
		target.Close()
		return err
	}
	if err := target.Close(); err != nil {
		return err
	}
	return os.Rename(target.Name(), to)
}
