package ops

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/dependencies"
	"github.com/open-policy-agent/opa/v1/format"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/open-policy-agent/opa/v1/util"
)

type checkAnswer struct {
	Findings []finding `json:"findings"`
}

// check is `opa check`, with `strict` as its flag.
func check(asked *request) any {
	_, _, found := compile(asked, compilation{strict: asked.Strict, prints: true})
	return checkAnswer{found}
}

type formatAnswer struct {
	Formatted map[string]string `json:"formatted"`
	Findings  []finding         `json:"findings"`
}

// formatModules is `opa fmt`; a module with findings is not in the answer.
func formatModules(asked *request) any {
	answer := formatAnswer{map[string]string{}, []finding{}}
	options, err := parserOptions(asked)
	if err != nil {
		answer.Findings = findingsOf(err)
		return answer
	}
	for _, name := range util.KeysSorted(asked.Modules) {
		text, err := format.SourceWithOpts(name, []byte(asked.Modules[name]), format.Opts{
			RegoVersion:   options.RegoVersion,
			ParserOptions: &options,
		})
		if err != nil {
			answer.Findings = append(answer.Findings, ofModule(name, findingsOf(err))...)
			continue
		}
		answer.Formatted[name] = string(text)
	}
	return answer
}

type depsAnswer struct {
	Base     []string  `json:"base"`
	Virtual  []string  `json:"virtual"`
	Findings []finding `json:"findings"`
}

// deps is `opa deps`: the documents that an answer may depend on.
func deps(asked *request) any {
	answer := depsAnswer{Base: []string{}, Virtual: []string{}}
	compiler, _, found := compile(asked, compilation{})
	answer.Findings = found
	if compiler == nil {
		return answer
	}
	term, err := queryTerm(asked)
	if err != nil {
		answer.Findings = findingsOf(err)
		return answer
	}
	query, err := compiler.QueryCompiler().Compile(ast.NewBody(ast.Equality.Expr(ast.NewTerm(resultVar), term)))
	if err != nil {
		answer.Findings = findingsOf(err)
		return answer
	}
	base, err := dependencies.Base(compiler, query)
	virtual, err2 := dependencies.Virtual(compiler, query)
	if err := errors.Join(err, err2); err != nil {
		answer.Findings = findingsOf(err)
		return answer
	}
	answer.Base, answer.Virtual = texts(base), texts(virtual)
	return answer
}

func texts(refs []ast.Ref) []string {
	all := []string{}
	for _, ref := range refs {
		all = append(all, ref.String())
	}
	slices.Sort(all)
	return slices.Compact(all)
}

type evalAnswer struct {
	// JSON; absent: undefined, or a finding of severity error tells why there is none.
	Value    *string   `json:"value,omitempty"`
	Findings []finding `json:"findings"`
	Printed  []string  `json:"printed"`
}

// eval is `opa eval` of one term: its only answer.
func eval(asked *request) any {
	answer := evalAnswer{Printed: []string{}}
	compiler, _, found := compile(asked, compilation{withoutNetwork: true, prints: true})
	answer.Findings = found
	if compiler == nil {
		return answer
	}
	ofBuiltins := []topdown.Error{}
	value, err := evaluate(asked, compiler, &answer.Printed, &ofBuiltins)
	if err != nil {
		answer.Findings = findingsOf(err)
		return answer
	}
	for _, each := range ofBuiltins {
		warning := findingAt(each.Code, each.Message, each.Location)
		warning.Severity = "warning"
		answer.Findings = append(answer.Findings, warning)
	}
	answer.Findings = inOrder(answer.Findings)
	answer.Value = value
	return answer
}

// evaluate lists what builtins failed with: it made their expressions undefined.
func evaluate(
	asked *request, compiler *ast.Compiler, printed *[]string, ofBuiltins *[]topdown.Error,
) (*string, error) {
	term, err := queryTerm(asked)
	if err != nil {
		return nil, err
	}
	store, err := storeOf(asked.Data)
	if err != nil {
		return nil, err
	}
	options := []func(*rego.Rego){
		rego.Compiler(compiler),
		rego.Store(store),
		rego.ParsedQuery(ast.NewBody(ast.Equality.Expr(ast.NewTerm(resultVar), term))),
		rego.PrintHook(printer{printed}),
		rego.EnablePrintStatements(true),
		rego.Runtime(runtimeTerm()),
		rego.BuiltinErrorList(ofBuiltins),
	}
	if len(asked.Input) > 0 {
		input, err := ast.ValueFromReader(strings.NewReader(string(asked.Input)))
		if err != nil {
			return nil, notJSON("input", err)
		}
		options = append(options, rego.ParsedInput(input))
	}
	query, err := rego.New(options...).PrepareForEval(context.Background())
	if err != nil {
		return nil, err
	}
	results, err := query.Eval(context.Background(), rego.EvalSortSets(true), rego.EvalExternalCancel(deadlineOf(asked)))
	if err != nil || len(results) == 0 {
		return nil, err
	}
	if len(results) > 1 {
		return nil, errors.New("the query has more than one answer, expected one")
	}
	text := strings.TrimSuffix(string(marshal(results[0].Bindings[string(resultVar)])), "\n")
	return &text, nil
}
