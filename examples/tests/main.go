package main

import (
	"fmt"
	"log"
	"net/http"
	"os"
)

const message = "Hello from a tested image"

func main() {
	if len(os.Args) > 1 && os.Args[1] == "-print" {
		fmt.Println(message)
		return
	}
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, message) })
	log.Println("listening on :8080")
	log.Fatal(http.ListenAndServe(":8080", nil))
}
