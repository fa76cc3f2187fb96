// Command feed-agg serves one line of text, and where it was configured.
package main

import (
	"fmt"
	"log"
	"net/http"
	"os"
)

func main() {
	conf, err := os.ReadFile("/etc/feed-agg/conf.yaml")
	if err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "built in the cluster\n%s", conf)
	})
	log.Fatal(http.ListenAndServe(":8080", nil))
}
