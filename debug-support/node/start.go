package main

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// start is how a node is started: its arguments, NODE_OPTIONS and NODE_DEBUG.
type start struct {
	args    []string
	options string
	debug   string
}

// launchers start an application's script in a node of their own.
var launchers = regexp.MustCompile(`^(npm|npx|yarn|yarnpkg|pnpm|pnpx|corepack|nodemon)(-cli)?(\.c?js)?$`)

// valued are the flags of node that may have their value in the next word.
var valued = []string{
	"-r", "--require", "--import", "--loader", "--experimental-loader", "-C", "--conditions", "--env-file",
	"--env-file-if-exists", "--input-type", "--title", "--icu-data-dir", "--openssl-config", "--disable-warning",
	"--max-http-header-size", "--dns-result-order", "--unhandled-rejections", "--trace-event-categories", "--watch-path",
	"--diagnostic-dir", "--report-dir", "--report-directory", "--cpu-prof-dir", "--heap-prof-dir", "--stack-trace-limit",
}

// debugged returns the same start with the flag of the debugger where it belongs. NODE_DEBUG is node's own variable
// too, for the logs of its modules: such a value stays.
func (s start) debugged(resolve func(string) string) start {
	at, path, runs := script(s.args)
	args, inArgs := without(s.args[:at])
	options, inOptions := without(strings.Fields(s.options))
	flag := inArgs
	if flag == "" {
		flag = inOptions
	}
	// What was asked for from outside wins.
	if inspects(s.debug) {
		flag = s.debug
	}
	if flag == "" {
		return s
	}
	if inOptions != "" {
		s.options = strings.Join(options, " ")
	}
	rest := s.args[at:]
	switch {
	case runs == none:
		s.args = append(args, rest...)
		s.debug = flag
	case runs == file && rest[0] == path && strings.Contains(path, "nodemon") && launches(resolve(path)):
		// nodemon would fork the script, past this wrapper; with the flag it starts `node` from PATH.
		s.args = append(append(args, path, flag), rest[1:]...)
		s.debug = ""
	case runs == file && launches(resolve(path)):
		s.args = append(args, rest...)
		s.debug = flag
	default:
		s.args = append(append(args, flag), rest...)
		s.debug = ""
	}
	return s
}

// launches says whether a script starts others rather than being the application.
func launches(path string) bool {
	return slices.Contains(strings.Split(filepath.ToSlash(path), "/"), "node_modules") || launchers.MatchString(filepath.Base(path))
}

// kind is what a node runs.
type kind int

const (
	none kind = iota // it answers, as with --version
	code             // from the command line or from standard input
	file
)

// script returns where node's own flags end, and the script that follows them, or what there is instead.
func script(args []string) (end int, path string, runs kind) {
	for i := 0; i < len(args); i++ {
		name, _, assigned := strings.Cut(args[i], "=")
		switch {
		case args[i] == "--" && i+1 < len(args):
			return i, args[i+1], file
		case args[i] == "-" || args[i] == "--":
			return i, "", code
		case !strings.HasPrefix(name, "-"):
			return i, args[i], file
		case slices.Contains([]string{"-e", "--eval", "-p", "--print", "-pe"}, name):
			return i, "", code
		case slices.Contains([]string{"-v", "--version", "-h", "--help", "-c", "--check", "--v8-options"}, name):
			return i, "", none
		case !assigned && slices.Contains(valued, name):
			i++
		}
	}
	return len(args), "", code
}

// without returns words without the flags that start an inspector, and the last of these.
func without(words []string) (rest []string, flag string) {
	for _, word := range words {
		if inspects(word) {
			flag = word
			continue
		}
		rest = append(rest, word)
	}
	return rest, flag
}

// inspects says whether a word makes node listen; `--inspect-port` alone does not.
func inspects(word string) bool {
	name, _, _ := strings.Cut(word, "=")
	return slices.Contains([]string{"--inspect", "--inspect-brk", "--inspect-wait"}, name)
}
