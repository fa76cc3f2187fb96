package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// debugger is what a program is to be started under.
type debugger struct {
	mode     string
	port     int
	wait     bool
	packages string
}

// errDebugged is of a command that starts a debugger itself.
var errDebugged = errors.New("the program has a debugger already")

// wrap returns the command that has this debugger start what an interpreter would. The debugger is named by its path,
// not by PYTHONPATH: that would be for every child too, and not at all under the flags -I and -E.
func (d debugger) wrap(run invocation, v version) ([]string, error) {
	if slices.Contains([]string{"debugpy", "ptvsd", "pydevd"}, run.module()) {
		return nil, errDebugged
	}
	if v.less(version{3, 8}) {
		return nil, fmt.Errorf("the debugger needs Python 3.8 or later, this is %v", v)
	}
	command := append([]string{run.python}, run.flags...)
	if !v.less(version{3, 11}) {
		// Or the debugger warns that it may miss breakpoints in the standard library.
		command = append(command, "-X", "frozen_modules=off")
	}
	switch d.mode {
	case "debugpy":
		command = append(command, filepath.Join(d.packages, "debugpy"), "--listen", "0.0.0.0:"+strconv.Itoa(d.port))
		if d.wait {
			command = append(command, "--wait-for-client")
		}
	case "pydevd":
		command = append(command, filepath.Join(d.packages, "serve_pydevd.py"), strconv.Itoa(d.port), strconv.FormatBool(d.wait))
	default:
		return nil, fmt.Errorf("there is no debugger %q, but debugpy and pydevd", d.mode)
	}
	return append(command, run.target...), nil
}

// version is a Python's.
type version struct{ major, minor int }

func (v version) less(other version) bool {
	return v.major < other.major || v.major == other.major && v.minor < other.minor
}

func (v version) String() string { return fmt.Sprintf("%d.%d", v.major, v.minor) }

// parseVersion reads what `python -V` prints.
func parseVersion(printed string) (version, error) {
	var v version
	_, err := fmt.Sscanf(strings.TrimSpace(printed), "Python %d.%d", &v.major, &v.minor)
	if err != nil {
		err = fmt.Errorf("%q is no version of Python", strings.TrimSpace(printed))
	}
	return v, err
}
