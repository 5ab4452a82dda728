package ops

import (
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/util"
)

// How many errors of one compilation are told.
const errorLimit = 100

func parserOptions(asked *request) (ast.ParserOptions, error) {
	switch asked.RegoVersion {
	case "v0":
		return ast.ParserOptions{RegoVersion: ast.RegoV0}, nil
	case "v1", "":
		return ast.ParserOptions{RegoVersion: ast.RegoV1}, nil
	}
	return ast.ParserOptions{}, unknownVersion(asked.RegoVersion)
}

// parse tells the errors of all modules, not of the first one only.
func parse(asked *request, annotations bool) (map[string]*ast.Module, []finding) {
	options, err := parserOptions(asked)
	if err != nil {
		return nil, findingsOf(err)
	}
	options.ProcessAnnotation = annotations
	modules := make(map[string]*ast.Module, len(asked.Modules))
	found := []finding{}
	for _, name := range util.KeysSorted(asked.Modules) {
		module, err := ast.ParseModuleWithOpts(name, asked.Modules[name], options)
		if err != nil {
			found = append(found, ofModule(name, findingsOf(err))...)
			continue
		}
		modules[name] = module
	}
	return modules, inOrder(found)
}

// ofModule names the module in findings without a place, e.g. of an empty one.
func ofModule(name string, found []finding) []finding {
	for i := range found {
		if found[i].File == "" {
			found[i].File = name
		}
	}
	return found
}

type compilation struct {
	// Nothing outside may be called at compile time or in tests: http.send has no host to go to.
	withoutNetwork bool
	prints         bool
	strict         bool
}

func newCompiler(asked *request, how compilation) *ast.Compiler {
	capabilities := ast.CapabilitiesForThisVersion()
	if how.withoutNetwork {
		capabilities.AllowNet = []string{}
	}
	version := ast.RegoV1
	if asked.RegoVersion == "v0" {
		version = ast.RegoV0
	}
	return ast.NewCompiler().
		WithCapabilities(capabilities).
		WithDefaultRegoVersion(version).
		WithEnablePrintStatements(how.prints).
		WithStrict(how.strict).
		SetErrorLimit(errorLimit)
}

// compile answers a compiler when there is nothing to tell.
func compile(asked *request, how compilation) (*ast.Compiler, map[string]*ast.Module, []finding) {
	parsed, found := parse(asked, false)
	if len(found) > 0 {
		return nil, parsed, found
	}
	compiler := newCompiler(asked, how)
	compiler.Compile(parsed)
	if compiler.Failed() {
		return nil, parsed, findingsOf(compiler.Errors)
	}
	return compiler, parsed, []finding{}
}

// queryTerm parses one term; its places have no file.
func queryTerm(asked *request) (*ast.Term, error) {
	options, err := parserOptions(asked)
	if err != nil {
		return nil, err
	}
	body, err := ast.ParseBodyWithOpts(asked.Query, options)
	if err != nil {
		return nil, err
	}
	if len(body) == 1 && !body[0].Negated && len(body[0].With) == 0 {
		switch terms := body[0].Terms.(type) {
		case *ast.Term:
			if _, isVar := terms.Value.(ast.Var); isVar {
				return nil, ast.NewError(ast.UnsafeVarErr, terms.Location, "var %v is unsafe", terms)
			}
			return terms, nil
		case []*ast.Term:
			if !body[0].IsAssignment() && !body[0].IsEquality() {
				return &ast.Term{Value: ast.Call(terms), Location: terms[0].Location}, nil
			}
		}
	}
	return nil, ast.NewError(ast.ParseErr, ast.NewLocation(nil, "", 1, 1), "expected one term, not `%s`", asked.Query)
}
