package main

import (
	"fmt"
	"log"
	"net/http"
)

const message = "Hello from buildpacks, without a Dockerfile"

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, message) })
	log.Println("listening on :8080")
	log.Fatal(http.ListenAndServe(":8080", nil))
}
