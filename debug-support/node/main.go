// node stands before the real one on PATH, and starts that. `--inspect…` is for the application's script only: what
// starts it (npm, yarn, nodemon, whatever is in node_modules) would take the debugger's port for itself. Until then
// the flag waits in NODE_DEBUG, where it may be from the beginning.
package main

import (
	"fmt"
	"os"
	"slices"
	"syscall"
)

func main() {
	program, err := behind(os.Args[0], os.Getenv("PATH"))
	if err != nil {
		fail(err)
	}
	start := start{args: os.Args[1:], options: os.Getenv("NODE_OPTIONS"), debug: os.Getenv("NODE_DEBUG")}
	if !slices.Contains([]string{"0", "false", "no"}, os.Getenv("WRAPPER_ENABLED")) {
		start = start.debugged(resolved)
		set("NODE_OPTIONS", start.options)
		set("NODE_DEBUG", start.debug)
	}
	if os.Getenv("WRAPPER_VERBOSE") != "" {
		fmt.Fprintf(os.Stderr, "node wrapper: %s %q, NODE_DEBUG=%q\n", program, start.args, start.debug)
	}
	fail(fmt.Errorf("%s: %w", program, syscall.Exec(program, append([]string{os.Args[0]}, start.args...), os.Environ())))
}

func set(name, value string) {
	if value == "" {
		os.Unsetenv(name)
		return
	}
	os.Setenv(name, value)
}

// fail ends as a shell does when it cannot start a command.
func fail(err error) {
	fmt.Fprintf(os.Stderr, "node wrapper: %v\n", err)
	os.Exit(127)
}
