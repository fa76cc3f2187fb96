package main

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestACommandLineOfPythonIsItsFlagsAndWhatItRuns(t *testing.T) {
	for line, want := range map[string][2]string{
		"python app.py":                         {"", "app.py"},
		"python app.py -u -m x":                 {"", "app.py -u -m x"},
		"python -u app.py":                      {"-u", "app.py"},
		"python -X dev -Wd -W error -B app.py":  {"-X dev -Wd -W error -B", "app.py"},
		"python -Xdev -- app.py":                {"-Xdev", "app.py"},
		"python --check-hash-based-pycs x a.py": {"--check-hash-based-pycs x", "a.py"},
		"python -m http.server 80":              {"", "-m http.server 80"},
		"python -mflask run":                    {"", "-m flask run"},
		"python -um flask -h":                   {"-u", "-m flask -h"},
		"python -uBmflask":                      {"-uB", "-m flask"},
		"python -c pass x":                      {"", "-c pass x"},
		"python -Ic pass":                       {"-I", "-c pass"},
	} {
		run, err := parse(strings.Fields(line))
		got := [2]string{strings.Join(run.flags, " "), strings.Join(run.target, " ")}
		if err != nil || got != want {
			t.Errorf("%s: %q, %v, not %q", line, got, err, want)
		}
	}
}

func TestACommandLineWithoutAProgramIsRefused(t *testing.T) {
	for _, line := range []string{"python", "python -u", "python -V", "python -hu app.py", "python -m", "python -", "python --"} {
		if run, err := parse(strings.Fields(line)); err == nil {
			t.Errorf("%s: %v", line, run)
		}
	}
}

func TestTheDebuggerIsPutBetweenPythonAndTheProgram(t *testing.T) {
	at := version{3, 10}
	for _, c := range []struct {
		debugger debugger
		version  version
		line     string
		want     string
	}{
		{debugger{mode: "debugpy", port: 5678}, at, "python -u app.py a", "python -u /p/debugpy --listen 0.0.0.0:5678 app.py a"},
		{debugger{mode: "debugpy", port: 5679, wait: true}, at, "python -m app", "python /p/debugpy --listen 0.0.0.0:5679 --wait-for-client -m app"},
		{debugger{mode: "pydevd", port: 5678}, at, "python -c pass", "python /p/serve_pydevd.py 5678 false -c pass"},
		{debugger{mode: "debugpy", port: 5678}, version{3, 13}, "python a.py", "python -X frozen_modules=off /p/debugpy --listen 0.0.0.0:5678 a.py"},
	} {
		run, err := parse(strings.Fields(c.line))
		if err != nil {
			t.Fatal(err)
		}
		c.debugger.packages = "/p"
		got, err := c.debugger.wrap(run, c.version)
		if err != nil || strings.Join(got, " ") != c.want {
			t.Errorf("%s: %q, %v", c.line, got, err)
		}
	}
}

func TestAProgramThatHasADebuggerKeepsIt(t *testing.T) {
	run, err := parse(strings.Fields("python -u -m debugpy --listen 1 app.py"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (debugger{mode: "debugpy"}).wrap(run, version{3, 12}); !errors.Is(err, errDebugged) {
		t.Error(err)
	}
}

func TestAnOldPythonAndAnUnknownDebuggerAreNamed(t *testing.T) {
	run, err := parse([]string{"python", "app.py"})
	if err != nil {
		t.Fatal(err)
	}
	for want, c := range map[string]struct {
		mode    string
		version version
	}{
		"3.8 or later, this is 3.7": {"debugpy", version{3, 7}},
		"no debugger \"gdb\"":       {"gdb", version{3, 12}},
	} {
		if _, err := (debugger{mode: c.mode}).wrap(run, c.version); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, not %s", err, want)
		}
	}
}

func TestTheFirstLineOfAScriptNamesItsInterpreter(t *testing.T) {
	for script, want := range map[string][]string{
		"#!/usr/local/bin/python3\nimport x":                       {"/usr/local/bin/python3"},
		"#! /venv/bin/python -u\n":                                 {"/venv/bin/python", "-u"},
		"#!/usr/bin/env python3\n":                                 {"python3"},
		"#!/usr/bin/env -S python3 -u\n":                           {"python3", "-u"},
		"#!/bin/sh\n'''exec' \"/venv/bin/python\" \"$0\" \"$@\"\n": {"/venv/bin/python"},
		"#!/bin/sh\nexec python app.py\n":                          {"/bin/sh"},
		"#!":                                                       nil,
		"\x7fELF":                                                  nil,
		"":                                                         nil,
	} {
		if got := shebang(strings.NewReader(script)); !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %q, not %q", script, got, want)
		}
	}
}

// executable writes one into a directory that it puts on PATH, and returns its path.
func executable(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", filepath.Dir(path)+":"+os.Getenv("PATH"))
	return path
}

func TestProgramsAreFoundOnThePathAndScriptsThroughTheirFirstLine(t *testing.T) {
	python := executable(t, "python3.12", "")
	gunicorn := executable(t, "gunicorn", "#!"+python+" -u\n")
	executable(t, "serve", "#!/bin/sh\n")
	for line, want := range map[string]string{
		"python3.12 app.py": python + " app.py",
		"gunicorn -w 2 app": python + " -u " + gunicorn + " -w 2 app",
		"serve":             "",
		"missing-program":   "",
	} {
		got, err := interpreted(strings.Fields(line))
		if strings.Join(got, " ") != want || (err == nil) != (want != "") {
			t.Errorf("%s: %q, %v", line, got, err)
		}
	}
}

func TestAVersionIsThatWhichPythonPrints(t *testing.T) {
	for printed, want := range map[string]version{
		"Python 3.13.0\n":                          {3, 13},
		"Python 2.7.18\n":                          {2, 7},
		"Python 3.9.19 (f0)\n[PyPy 7.3.16 with G]": {3, 9},
	} {
		if got, err := parseVersion(printed); err != nil || got != want {
			t.Errorf("%q: %v, %v", printed, got, err)
		}
	}
	if _, err := parseVersion("GNU bash"); err == nil {
		t.Error("bash is no python")
	}
}
