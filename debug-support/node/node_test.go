package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTheInspectorIsForTheApplicationsScript(t *testing.T) {
	const flag, other = "--inspect=0.0.0.0:9229", "--inspect=1"
	for _, c := range []struct{ args, options, debug, wantArgs, wantOptions, wantDebug string }{
		// The application.
		{"server.js a", "", flag, flag + " server.js a", "", ""},
		{"--no-warnings server.js", "", flag, "--no-warnings " + flag + " server.js", "", ""},
		{"-r ts-node/register server.ts", "", flag, "-r ts-node/register " + flag + " server.ts", "", ""},
		{"-- server.js", "", flag, flag + " -- server.js", "", ""},
		{"-e 1", "", flag, flag + " -e 1", "", ""},
		{"", "", flag, flag, "", ""},
		{flag + " server.js", "", "", flag + " server.js", "", ""},
		{other + " server.js " + other, "", flag, flag + " server.js " + other, "", ""},
		{"server.js", "--max-old-space-size=9 " + flag, "", flag + " server.js", "--max-old-space-size=9", ""},
		// What starts it.
		{"/usr/lib/node_modules/npm/bin/npm-cli.js start", "", flag, "/usr/lib/node_modules/npm/bin/npm-cli.js start", "", flag},
		{"/opt/yarn/bin/yarn.js start", "", flag, "/opt/yarn/bin/yarn.js start", "", flag},
		{flag + " node_modules/.bin/next dev", "", "", "node_modules/.bin/next dev", "", flag},
		{"/usr/local/bin/npx x", flag, "", "/usr/local/bin/npx x", "", flag},
		{"node_modules/.bin/nodemon app.js", "", flag, "node_modules/.bin/nodemon " + flag + " app.js", "", ""},
		{"-v", "", flag, "-v", "", flag},
		// No debugger.
		{"server.js", "--x", "http,net", "server.js", "--x", "http,net"},
		{"--inspect-port=1 server.js", "", "", "--inspect-port=1 server.js", "", ""},
	} {
		got := start{strings.Fields(c.args), c.options, c.debug}.debugged(func(path string) string { return path })
		if args := strings.Join(got.args, " "); args != c.wantArgs || got.options != c.wantOptions || got.debug != c.wantDebug {
			t.Errorf("%v: %q, NODE_OPTIONS=%q NODE_DEBUG=%q", c, args, got.options, got.debug)
		}
	}
}

func TestAScriptIsJudgedByWhereItReallyIs(t *testing.T) {
	root := t.TempDir()
	for _, path := range []string{"lib/node_modules/npm/bin/npm-cli.js", "packages/app/index.js", "bin/other", "node_modules/other"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(root, path)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, path), nil, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for from, to := range map[string]string{"bin/start": "../lib/node_modules/npm/bin/npm-cli.js", "node_modules/app": "../packages/app"} {
		if err := os.Symlink(to, filepath.Join(root, from)); err != nil {
			t.Fatal(err)
		}
	}
	for script, want := range map[string]bool{"bin/start": true, "node_modules/app/index.js": false, "bin/other": false} {
		if got := launches(resolved(filepath.Join(root, script))); got != want {
			t.Errorf("%s: %v", script, got)
		}
	}
}

func TestTheRealNodeIsTheNextOnThePath(t *testing.T) {
	first, link, second := t.TempDir(), t.TempDir(), t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(link, "node")); err != nil {
		t.Fatal(err)
	}
	for path, mode := range map[string]os.FileMode{filepath.Join(first, "node"): 0o644, filepath.Join(second, "node"): 0o755} {
		if err := os.WriteFile(path, nil, mode); err != nil {
			t.Fatal(err)
		}
	}
	path := strings.Join([]string{first, link, "/missing", second}, ":")
	if got, err := behind("/dbg/nodejs/bin/node", path); err != nil || got != filepath.Join(second, "node") {
		t.Errorf("%s, %v", got, err)
	}
	if _, err := behind("node", link); err == nil {
		t.Error("this program is not its own node")
	}
}
