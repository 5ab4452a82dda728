package ops

import (
	"cmp"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// use is the first call of a builtin in a module.
type use struct {
	Name   string `json:"name"`
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
}

func uses(modules map[string]*ast.Module) []use {
	found := []use{}
	for file, module := range modules {
		first := map[string]use{}
		note := func(operator *ast.Term, around *ast.Location) {
			ref, isRef := operator.Value.(ast.Ref)
			if !isRef {
				return
			}
			name := ref.String()
			if _, isBuiltin := ast.BuiltinMap[name]; !isBuiltin {
				return
			}
			at := around
			if at == nil {
				at = operator.Location
			}
			here := use{Name: name, File: file, Line: 1, Column: 1}
			if at != nil {
				here.Line, here.Column = max(at.Row, 1), max(at.Col, 1)
			}
			if earlier, seen := first[name]; !seen || byPlace(here, earlier) < 0 {
				first[name] = here
			}
		}
		ast.WalkNodes(module, func(node ast.Node) bool {
			switch node := node.(type) {
			case *ast.Expr:
				if terms, isCall := node.Terms.([]*ast.Term); isCall && len(terms) > 0 {
					note(terms[0], node.Location)
				}
			case *ast.Term:
				if call, isCall := node.Value.(ast.Call); isCall && len(call) > 0 {
					note(call[0], node.Location)
				}
			}
			return false
		})
		for _, each := range first {
			found = append(found, each)
		}
	}
	slices.SortFunc(found, byPlace)
	return found
}

func byPlace(a, b use) int {
	return cmp.Or(
		cmp.Compare(a.File, b.File),
		cmp.Compare(a.Line, b.Line),
		cmp.Compare(a.Column, b.Column),
		cmp.Compare(a.Name, b.Name),
	)
}
