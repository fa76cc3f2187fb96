// launcher starts a Python program under a debugger that listens, in place of the container's own command:
//
//	launcher --mode debugpy|pydevd --port 5678 [--wait] -- python app.py …
//
// What it cannot start so, it says, and starts as it is: a container without its debugger is better than none.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

func main() {
	var d debugger
	flag.StringVar(&d.mode, "mode", "debugpy", "the debugger: debugpy or pydevd")
	flag.IntVar(&d.port, "port", 5678, "where the debugger listens")
	flag.BoolVar(&d.wait, "wait", false, "wait for a client before the program starts")
	flag.StringVar(&d.packages, "packages", "/dbg/python/packages", "where the debuggers are")
	flag.Parse()
	original := flag.Args()
	if len(original) == 0 {
		fail(errors.New("there is no command to start"))
	}
	command := original
	if !slices.Contains([]string{"0", "false", "no"}, os.Getenv("WRAPPER_ENABLED")) {
		debugged, err := d.command(original)
		switch {
		case errors.Is(err, errDebugged):
		case err != nil:
			say("warning: %v; it starts without a debugger: %s", err, strings.Join(original, " "))
		default:
			command = debugged
		}
	}
	if os.Getenv("WRAPPER_VERBOSE") != "" {
		say("%q", command)
	}
	program, err := exec.LookPath(command[0])
	if err != nil {
		fail(err)
	}
	fail(fmt.Errorf("%s: %w", program, syscall.Exec(program, command, os.Environ())))
}

// command returns the command that starts a program under this debugger.
func (d debugger) command(original []string) ([]string, error) {
	args, err := interpreted(original)
	if err != nil {
		return nil, err
	}
	run, err := parse(args)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(d.packages, "debugpy")); err != nil {
		return nil, fmt.Errorf("the debugger is not there: %w", err)
	}
	version, err := versionOf(run.python)
	if err != nil {
		return nil, err
	}
	return d.wrap(run, version)
}

func say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "python launcher: "+format+"\n", args...)
}

// fail ends as a shell does when it cannot start a command.
func fail(err error) {
	say("%v", err)
	os.Exit(127)
}
