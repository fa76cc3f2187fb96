package main

import (
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"time"
)

const message = "Hello from devloop"

// check prints what a service answers, and fails unless that is all right. A ready pod may be a moment ahead of the
// node's rules for its Service, so that what does not answer is asked again.
func check(url string) {
	response, err := http.Get(url)
	for deadline := time.Now().Add(10 * time.Second); err != nil && time.Now().Before(deadline); {
		time.Sleep(100 * time.Millisecond)
		response, err = http.Get(url)
	}
	if err != nil {
		log.Fatal(err)
	}
	defer response.Body.Close()
	io.Copy(os.Stdout, response.Body)
	if response.StatusCode != http.StatusOK {
		log.Fatal(response.Status)
	}
}

func main() {
	url := flag.String("check", "", "check this address instead of serving")
	greet := flag.Bool("print", false, "print the greeting instead of serving it")
	flag.Parse()
	switch {
	case *url != "":
		check(*url)
	case *greet:
		fmt.Println(message)
	default:
		http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, message) })
		log.Println("listening on :8080")
		log.Fatal(http.ListenAndServe(":8080", nil))
	}
}
