package main

import (
	"fmt"
	"log"
	"net/http"
)

func greet(w http.ResponseWriter, r *http.Request) {
	name := r.URL.Query().Get("name")
	if name == "" {
		name = "devloop"
	}
	greeting := "Hello, " + name
	fmt.Fprintln(w, greeting) // a line for a breakpoint
}

func main() {
	http.HandleFunc("/", greet)
	http.HandleFunc("/healthz", func(http.ResponseWriter, *http.Request) {})
	log.Println("listening on :8080")
	log.Fatal(http.ListenAndServe(":8080", nil))
}
