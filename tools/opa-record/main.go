// Records what OPA's builtin functions answer, one JSON line per call.
//
//	opa-record < calls.jsonl                    answers calls {"name", "args": [term texts], "now": ns}
//	opa-record -cases DIR [-names REGEXP]       runs OPA's compliance cases and records every call in them
//
// An answer is the call with "result" (a term's text), "error" (OPA's text), or "undefined": true.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/open-policy-agent/opa/v1/topdown/builtins"
)

// The clock of calls that name none: 2024-01-02T03:04:05.678901234Z.
const defaultNow = 1704164645678901234

type call struct {
	Name      string   `json:"name"`
	Args      []string `json:"args"`
	Now       int64    `json:"now,omitempty"`
	Result    string   `json:"result,omitempty"`
	Error     string   `json:"error,omitempty"`
	Undefined bool     `json:"undefined,omitempty"`
}

func main() {
	dir := flag.String("cases", "", "folder of compliance cases to run instead of reading calls")
	names := flag.String("names", ".", "which builtins to record, a regular expression")
	flag.Parse()
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	emit := func(c call) { _ = encoder.Encode(c) }
	var err error
	if *dir == "" {
		err = answer(os.Stdin, emit)
	} else {
		err = recordCases(*dir, regexp.MustCompile(*names), emit)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func answer(in io.Reader, emit func(call)) error {
	lines := bufio.NewReaderSize(in, 1<<20)
	for number := 1; ; number++ {
		line, err := lines.ReadBytes('\n')
		if len(line) > 1 {
			var c call
			if err := json.Unmarshal(line, &c); err != nil {
				return fmt.Errorf("line %d: %w", number, err)
			}
			if err := answerOne(&c); err != nil {
				return fmt.Errorf("line %d: %w", number, err)
			}
			emit(c)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func answerOne(c *call) error {
	operands := make([]*ast.Term, len(c.Args))
	for i, text := range c.Args {
		term, err := readTerm(text)
		if err != nil {
			return fmt.Errorf("argument %d: %w", i+1, err)
		}
		operands[i] = term
	}
	function := topdown.GetBuiltin(c.Name)
	if function == nil {
		return fmt.Errorf("no builtin %s", c.Name)
	}
	now := c.Now
	if now == 0 {
		now = defaultNow
	}
	run(c, function, topdown.BuiltinContext{
		Context:  context.Background(),
		Seed:     zeros{},
		Time:     ast.NewTerm(ast.Number(strconv.FormatInt(now, 10))),
		Cancel:   topdown.NewCancel(),
		Cache:    builtins.Cache{},
		Location: ast.NewLocation(nil, "", 1, 1),
	}, operands)
	return nil
}

// run calls a builtin and writes down its answer; gives the term.
func run(c *call, function topdown.BuiltinFunc, bctx topdown.BuiltinContext, operands []*ast.Term) (
	term *ast.Term, err error) {
	defer func() {
		if reason := recover(); reason != nil {
			err = fmt.Errorf("panic: %v", reason)
		}
		if err != nil {
			c.Error = err.Error()
		}
	}()
	if err = function(bctx, operands, func(t *ast.Term) error { term = t; return nil }); err != nil {
		return nil, err
	}
	if term == nil {
		c.Undefined = true
		return nil, nil
	}
	var text strings.Builder
	if err := writeTerm(&text, term.Value); err != nil {
		return nil, err
	}
	c.Result = text.String()
	return term, nil
}

// zeros is a source of randomness that is always the same.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func fixedTime() time.Time { return time.Unix(0, defaultNow) }
