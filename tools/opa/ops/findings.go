package ops

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// finding is something that OPA says of a module; one of the query itself has no file.
type finding struct {
	Severity string `json:"severity"`
	Code     string `json:"code"`
	Message  string `json:"message"`
	File     string `json:"file,omitempty"`
	Line     int    `json:"line"`
	Column   int    `json:"column"`
}

// findingsOf is never empty for an error.
func findingsOf(err error) []finding {
	var several ast.Errors
	var one *ast.Error
	var evaluation *topdown.Error
	var stored *storage.Error
	found := []finding{}
	switch {
	case err == nil:
	case errors.As(err, &several) && len(several) > 0:
		for _, each := range several {
			found = append(found, findingAt(each.Code, messageOf(each), each.Location))
		}
	case errors.As(err, &one):
		found = append(found, findingAt(one.Code, messageOf(one), one.Location))
	case errors.As(err, &evaluation):
		found = append(found, findingAt(evaluation.Code, evaluation.Message, evaluation.Location))
	case errors.As(err, &stored):
		found = append(found, findingAt(stored.Code, stored.Message, nil))
	default:
		found = append(found, findingAt(ast.CompileErr, err.Error(), nil))
	}
	return inOrder(found)
}

// messageOf joins what OPA prints below its message, but for the lines that show the source again.
func messageOf(err *ast.Error) string {
	message := err.Message
	if _, showsSource := err.Details.(*ast.ParserErrorDetail); showsSource || err.Details == nil {
		return message
	}
	for _, line := range err.Details.Lines() {
		line = strings.TrimSpace(line)
		if strings.Trim(line, "^") != "" && !strings.Contains(message, line) {
			message += "; " + line
		}
	}
	return message
}

func findingAt(code, message string, at *ast.Location) finding {
	// One line: OPA lists the conflicting values below each other.
	message = strings.Join(strings.Fields(message), " ")
	found := finding{Severity: "error", Code: code, Message: message, Line: 1, Column: 1}
	if at != nil {
		found.File = at.File
		found.Line = max(at.Row, 1)
		found.Column = max(at.Col, 1)
	}
	return found
}

func inOrder(found []finding) []finding {
	slices.SortStableFunc(found, func(a, b finding) int {
		return cmp.Or(
			cmp.Compare(a.File, b.File),
			cmp.Compare(a.Line, b.Line),
			cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.Code, b.Code),
			cmp.Compare(a.Message, b.Message),
		)
	})
	return slices.Compact(found)
}

func unknownVersion(version string) error {
	return fmt.Errorf("unknown version of Rego `%s`, expected v0 or v1", version)
}
