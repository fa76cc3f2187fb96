package main

import (
	"fmt"
	"io"
	"log"
	"net/http"
)

// Containers of one project know one another by name.
const greeter = "http://greeter:8080/"

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		answer, err := http.Get(greeter)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer answer.Body.Close()
		text, _ := io.ReadAll(answer.Body)
		fmt.Fprintf(w, "web asked: %s", text)
	})
	log.Println("listening on :8080")
	log.Fatal(http.ListenAndServe(":8080", nil))
}
