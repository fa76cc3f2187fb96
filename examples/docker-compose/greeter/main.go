package main

import (
	"fmt"
	"log"
	"net/http"
)

const message = "Hello from a service"

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		log.Println("asked")
		fmt.Fprintln(w, message)
	})
	log.Println("listening on :8080")
	log.Fatal(http.ListenAndServe(":8080", nil))
}
