package ops

import (
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/open-policy-agent/opa/v1/topdown/print"
	"github.com/open-policy-agent/opa/v1/util"
)

// storeOf holds the data, an object; numbers keep their text.
func storeOf(data json.RawMessage) (storage.Store, error) {
	if len(data) == 0 {
		return inmem.New(), nil
	}
	var root any
	if err := util.NewJSONDecoder(strings.NewReader(string(data))).Decode(&root); err != nil {
		return nil, notJSON("data", err)
	}
	object, isObject := root.(map[string]any)
	if !isObject {
		return nil, notJSON("data", errors.New("expected an object"))
	}
	return inmem.NewFromObjectWithOpts(object, inmem.OptRoundTripOnWrite(false)), nil
}

func notJSON(what string, err error) error {
	return ast.NewError("json_error", nil, "%s: %v", what, err)
}

// runtimeTerm is what opa.runtime() answers: nothing of this machine.
func runtimeTerm() *ast.Term {
	empty := func() *ast.Term { return ast.ObjectTerm() }
	return ast.ObjectTerm(
		ast.Item(ast.StringTerm("config"), empty()),
		ast.Item(ast.StringTerm("env"), empty()),
	)
}

type printer struct{ lines *[]string }

func (p printer) Print(_ print.Context, line string) error {
	*p.lines = append(*p.lines, line)
	return nil
}

const defaultTimeoutMs = 5_000

func timeoutOf(asked *request) time.Duration {
	if asked.TimeoutMs > 0 {
		return time.Duration(asked.TimeoutMs) * time.Millisecond
	}
	return defaultTimeoutMs * time.Millisecond
}

// deadline is asked by the evaluator itself: where there is one thread a timer's goroutine would not get a turn.
type deadline struct {
	until time.Time
	asked int
	over  bool
}

func deadlineOf(asked *request) topdown.Cancel {
	return &deadline{until: time.Now().Add(timeoutOf(asked))}
}

func (d *deadline) Cancel() { d.over = true }

func (d *deadline) Cancelled() bool {
	d.asked++
	if d.asked%256 == 0 && time.Now().After(d.until) {
		d.over = true
	}
	return d.over
}
