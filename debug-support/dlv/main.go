// dlv is Delve with two other defaults, which a debugger in a container needs: a client that comes through a port
// forward is another user (`--only-same-user`), and the program was built by a Go of its own (`--check-go-version`).
package main

import (
	"log"

	"github.com/go-delve/delve/cmd/dlv/cmds"
)

func main() {
	root := cmds.New(false)
	for _, flag := range []string{"only-same-user", "check-go-version"} {
		if err := root.PersistentFlags().Set(flag, "false"); err != nil {
			log.Fatal(err)
		}
	}
	if err := root.Execute(); err != nil {
		log.Fatal(err)
	}
}
