package main

import (
	"fmt"
	"os"
	"path/filepath"
)

// behind returns the first program of this one's name on PATH that is not this one.
func behind(called, path string) (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	this, err := os.Stat(self)
	if err != nil {
		return "", err
	}
	name := filepath.Base(called)
	for _, directory := range filepath.SplitList(path) {
		candidate := filepath.Join(directory, name)
		info, err := os.Stat(candidate)
		if err == nil && !info.IsDir() && info.Mode()&0o111 != 0 && !os.SameFile(this, info) {
			return candidate, nil
		}
	}
	return "", fmt.Errorf("there is no other %s on PATH (%s)", name, path)
}

// resolved returns where a script really is: `npm` on PATH is a link into node_modules, and a workspace's package in
// node_modules is one out of it.
func resolved(script string) string {
	if path, err := filepath.EvalSymlinks(script); err == nil {
		script = path
	}
	if path, err := filepath.Abs(script); err == nil {
		return path
	}
	return script
}
