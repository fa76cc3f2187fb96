// Writes cases.json: what joho/godotenv reads from each text. Run `go run . > cases.json` here.
package main

import (
	"encoding/json"
	"os"

	"github.com/joho/godotenv"
)

type result struct {
	Text      string            `json:"text"`
	Variables map[string]string `json:"variables"`
}

var texts = []string{
	"", "\n\n", "# comment only", "A=1", "A=1\n", "A=1\r\nB=2\r\n", "A = 1", "A= 1 ", "  A=1", "export A=1", "exportA=1", "export\tA=1",
	"A:1", "A: 1", "A: 'x: y'", "A=", "A=\nB=2", "A= \nB=2", "A=x y z", "A=x # comment", "A=x#nocomment", "A=#x", "A= # x", "A=x # y # z",
	"A='x'", "A=\"x\"", "A='x y' # c", "A=\"x # y\"", "A='it\\'s'", "A=\"say \\\"hi\\\"\"", "A=\"a\\nb\"", "A='a\\nb'", "A=\"a\\tb\"", "A=\"a\nb\"", "A='a\nb'\nB=2",
	"A=1\nB=$A", "A=1\nB=${A}x", "A=1\nB=\"$A $A\"", "A=1\nB='$A'", "A=1\nB=\\$A", "A=1\nB=\"\\$A\"", "B=$NOT_THERE", "B=$lower", "B=a$", "B=$(cmd)", "A=1\nB=$(A)",
	"A=1\nA=2", "A.B=1", "A_B=1", "a1=2", "A-B=1", "A B=1", "A", "A=\"x", "A='x", "=x", "A==x", "A=x=y", "A=\"\"", "A=''", "A=\"x\"y", "A=\"x\" B=2",
	"# c\n\n  # d\nA=1 \n#e", "A=päö", "A=\"x\\\\y\"", "A=https://h/p?q=1#f", "A=\"$\"", "A=\t1\t", "POSTGRES_URL=postgres://u:p@h:5432/db?sslmode=disable",
}

func main() {
	var results []result
	for _, text := range texts {
		variables, err := godotenv.Unmarshal(text)
		if err != nil {
			variables = nil
		} else if _, stray := variables[""]; stray {
			// A name that is empty cannot be set: devloop rejects a last line without `=`.
			if text != "=x" {
				variables = nil
			}
		}
		results = append(results, result{text, variables})
	}
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", " ")
	if err := encoder.Encode(results); err != nil {
		panic(err)
	}
}
