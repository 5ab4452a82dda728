// Package ops answers one JSON request with one JSON answer: what Gatehouse needs of OPA, over OPA's public
// packages only. It reads no files, no environment and no network.
package ops

import (
	"bytes"
	"encoding/json"
	"fmt"
	"runtime/debug"
)

// request is the one shape of all operations; each reads its own fields. Bytes are base64.
type request struct {
	Op          string            `json:"op"`
	Modules     map[string]string `json:"modules"`
	RegoVersion string            `json:"regoVersion"`
	Query       string            `json:"query"`
	Data        json.RawMessage   `json:"data"`
	Input       json.RawMessage   `json:"input"`
	// The same as JSON within a string, which wins.
	DataText     string        `json:"dataText"`
	InputText    string        `json:"inputText"`
	Strict       bool          `json:"strict"`
	Run          string        `json:"run"`
	Coverage     bool          `json:"coverage"`
	TimeoutMs    int64         `json:"timeoutMs"`
	Bundle       []byte        `json:"bundle"`
	Verification *verification `json:"verification"`
	MaxBytes     int64         `json:"maxBytes"`
}

var operations = map[string]func(*request) any{
	"build":      build,
	"openBundle": openBundle,
	"check":      check,
	"fmt":        formatModules,
	"test":       test,
	"eval":       eval,
	"inspect":    inspect,
	"deps":       deps,
}

// failure is the answer of a call that could not be made: the instance must not be used again when it panicked.
type failure struct {
	Failure  string `json:"failure"`
	Panicked bool   `json:"panicked"`
}

// Answer never panics; the same request has the same answer, but for durations and a policy's own clock and dice.
func Answer(text []byte) (answer []byte) {
	defer func() {
		if cause := recover(); cause != nil {
			answer = marshal(failure{fmt.Sprintf("%v\n%s", cause, debug.Stack()), true})
		}
	}()
	var asked request
	if err := json.Unmarshal(text, &asked); err != nil {
		return marshal(failure{err.Error(), false})
	}
	if asked.DataText != "" {
		asked.Data = json.RawMessage(asked.DataText)
	}
	if asked.InputText != "" {
		asked.Input = json.RawMessage(asked.InputText)
	}
	operation, known := operations[asked.Op]
	if !known {
		return marshal(failure{fmt.Sprintf("unknown operation `%s`", asked.Op), false})
	}
	return marshal(operation(&asked))
}

func marshal(value any) []byte {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		panic(err)
	}
	return out.Bytes()
}
