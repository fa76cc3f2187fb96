package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

var (
	interpreter = regexp.MustCompile(`^(python|pypy)[0-9.]*$`)
	// A script of pip's whose interpreter has a path that no `#!` can have: too long, or with a space.
	trampoline = regexp.MustCompile(`^'''exec' "?([^" ]+)"? "\$0" "\$@"`)
)

// interpreted returns a command line with the interpreter in front: that of a console script, as gunicorn and flask
// are, is in its first line.
func interpreted(command []string) ([]string, error) {
	program, err := exec.LookPath(command[0])
	if err != nil {
		return nil, err
	}
	if interpreter.MatchString(filepath.Base(program)) {
		return append([]string{program}, command[1:]...), nil
	}
	file, err := os.Open(program)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	words := shebang(io.LimitReader(file, 4096))
	if len(words) == 0 || !interpreter.MatchString(filepath.Base(words[0])) {
		return nil, fmt.Errorf("%s is no Python program", program)
	}
	if words[0], err = exec.LookPath(words[0]); err != nil {
		return nil, err
	}
	return append(append(words, program), command[1:]...), nil
}

// shebang returns the interpreter that a script names, with its flags, without env.
func shebang(script io.Reader) []string {
	lines := bufio.NewScanner(script)
	if !lines.Scan() || !strings.HasPrefix(lines.Text(), "#!") {
		return nil
	}
	words := strings.Fields(lines.Text()[2:])
	if len(words) == 0 {
		return nil
	}
	switch filepath.Base(words[0]) {
	case "env":
		words = words[1:]
		if len(words) > 0 && words[0] == "-S" {
			words = words[1:]
		}
	case "sh":
		if lines.Scan() {
			if match := trampoline.FindStringSubmatch(lines.Text()); match != nil {
				return match[1:]
			}
		}
	}
	return words
}

// versionOf asks an interpreter.
func versionOf(python string) (version, error) {
	printed, err := exec.Command(python, "-V").CombinedOutput()
	if err != nil {
		return version{}, fmt.Errorf("%s does not run: %w", python, err)
	}
	return parseVersion(string(printed))
}
