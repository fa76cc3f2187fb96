package main

import (
	"errors"
	"strings"
)

// invocation is a command line of Python: its own flags, then what it runs with that one's arguments:
// `file …`, `-m module …` or `-c code …`.
type invocation struct {
	python string
	flags  []string
	target []string
}

var errNoProgram = errors.New("the command runs no program")

// parse reads a command line whose first word is an interpreter.
func parse(args []string) (invocation, error) {
	run := invocation{python: args[0]}
	for rest := args[1:]; len(rest) > 0; {
		arg := rest[0]
		switch {
		case arg == "-":
			return run, errors.New("the program comes from standard input")
		case arg == "--":
			return run.with(rest[1:])
		case !strings.HasPrefix(arg, "-"):
			return run.with(rest)
		case strings.HasPrefix(arg, "--"):
			rest = run.flag(rest, arg == "--check-hash-based-pycs")
		default:
			letters, last, value := cluster(arg)
			if last == 'm' || last == 'c' {
				if letters != "" {
					run.flags = append(run.flags, "-"+letters)
				}
				if value != "" {
					rest = append([]string{value}, rest[1:]...)
				} else {
					rest = rest[1:]
				}
				if len(rest) == 0 {
					return run, errNoProgram
				}
				return run.with(append([]string{"-" + string(last)}, rest...))
			}
			if strings.ContainsAny(letters, "Vh?") {
				return run, errNoProgram
			}
			rest = run.flag(rest, last != 0 && value == "")
		}
	}
	return run, errNoProgram
}

// cluster splits a word of one-letter flags (`-um`, `-Xdev`): those that stand alone, the one that takes a value, and
// as much of the value as the word has.
func cluster(arg string) (letters string, last byte, value string) {
	at := strings.IndexAny(arg[1:], "cmWX")
	if at < 0 {
		return arg[1:], 0, ""
	}
	return arg[1 : 1+at], arg[1+at], arg[2+at:]
}

// flag takes one, with its value if that is the next word, and returns the rest.
func (run *invocation) flag(rest []string, valued bool) []string {
	words := 1
	if valued && len(rest) > 1 {
		words = 2
	}
	run.flags = append(run.flags, rest[:words]...)
	return rest[words:]
}

func (run invocation) with(target []string) (invocation, error) {
	if len(target) == 0 {
		return run, errNoProgram
	}
	run.target = target
	return run, nil
}

// module returns the package of the module that is run, if one is.
func (run invocation) module() string {
	if run.target[0] != "-m" {
		return ""
	}
	name, _, _ := strings.Cut(run.target[1], ".")
	return name
}
