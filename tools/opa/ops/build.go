package ops

import (
	"context"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
)

type buildAnswer struct {
	Wasm     []byte    `json:"wasm,omitempty"`
	Findings []finding `json:"findings"`
	Builtins []use     `json:"builtins"`
}

// The name of what the query answers in the result set, as OPA's own builds name it.
const resultVar = ast.Var("result")

// build compiles the query itself as the entrypoint, so that it may name a rule, a value inside one, a package, a
// base document, or nothing that exists: OPA's `compile` package would refuse all but the first and third.
func build(asked *request) any {
	compiler, parsed, found := compile(asked, compilation{})
	if compiler == nil {
		return buildAnswer{Findings: found, Builtins: uses(parsed)}
	}
	answer := buildAnswer{Findings: []finding{}, Builtins: uses(compiler.Modules)}
	term, err := queryTerm(asked)
	if err != nil {
		answer.Findings = findingsOf(err)
		return answer
	}
	compiled, err := rego.New(
		rego.Compiler(compiler),
		rego.ParsedQuery(ast.NewBody(ast.Equality.Expr(ast.NewTerm(resultVar), term))),
	).Compile(context.Background())
	if err != nil {
		answer.Findings = findingsOf(err)
		return answer
	}
	answer.Wasm = compiled.Bytes
	return answer
}
