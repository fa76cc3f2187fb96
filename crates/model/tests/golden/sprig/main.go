// Writes cases.json: what Go's text/template and Sprig make of each template. Run `go run . > cases.json` here.
package main

import (
	"encoding/json"
	"os"
	"strings"
	"text/template"
	"time"

	"github.com/Masterminds/sprig/v3"
)

// The variables that every template sees, as data and as environment.
var variables = map[string]string{
	"NAME": "web", "REPO": "gcr.io/p", "TAG": "v1.2.3", "EMPTY": "", "N": "42", "TEXT": "Hello, wide World", "HTML": "<a href=\"x\">&</a>",
	"JSON": `{"a":[1,2.5,"x"],"b":{"c":true,"d":null}}`, "UNICODE": "Grüße, 世界", "TZ": "UTC",
}

type result struct {
	Template string  `json:"template"`
	Mode     string  `json:"mode,omitempty"`
	Output   *string `json:"output"`
}

func run(text, mode string) result {
	parsed := template.New("template")
	if mode != "plain" {
		parsed = parsed.Funcs(sprig.FuncMap())
	}
	if mode == "strict" || mode == "plain" {
		parsed = parsed.Option("missingkey=error")
	}
	parsed, err := parsed.Parse(text)
	if err != nil {
		return result{text, mode, nil}
	}
	var out strings.Builder
	if err := parsed.Execute(&out, variables); err != nil {
		return result{text, mode, nil}
	}
	output := out.String()
	return result{text, mode, &output}
}

func main() {
	time.Local = time.UTC
	os.Clearenv()
	for name, value := range variables {
		os.Setenv(name, value)
	}
	var results []result
	for _, mode := range []string{"", "strict", "plain"} {
		source := map[string]string{"": templates, "strict": strict, "plain": plain}[mode]
		for _, text := range strings.Split(strings.Trim(source, "\n"), "\n") {
			results = append(results, run(strings.ReplaceAll(text, "⏎", "\n"), mode))
		}
	}
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", " ")
	if err := encoder.Encode(results); err != nil {
		panic(err)
	}
}
