package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/test/cases"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// recordCases runs every case below a folder; each different call is emitted once.
func recordCases(dir string, names *regexp.Regexp, emit func(call)) error {
	seen := map[string]bool{}
	for _, builtin := range ast.Builtins {
		function := topdown.GetBuiltin(builtin.Name)
		if function == nil || !names.MatchString(builtin.Name) || builtin.Relation {
			continue
		}
		arity := len(builtin.Decl.FuncArgs().Args)
		topdown.RegisterBuiltinFunc(builtin.Name, func(bctx topdown.BuiltinContext, operands []*ast.Term,
			iter func(*ast.Term) error) error {
			c := call{Name: builtin.Name}
			ground := true
			for _, operand := range operands[:min(arity, len(operands))] {
				var text strings.Builder
				if writeTerm(&text, operand.Value) != nil {
					ground = false
					break
				}
				c.Args = append(c.Args, text.String())
			}
			if !ground {
				return function(bctx, operands, iter)
			}
			if bctx.Time != nil {
				c.Now, _ = strconv.ParseInt(bctx.Time.String(), 10, 64)
			}
			term, err := run(&c, function, bctx, operands)
			if key, _ := json.Marshal(c); !seen[string(key)] {
				seen[string(key)] = true
				emit(c)
			}
			if err != nil || term == nil {
				return err
			}
			return iter(term)
		})
	}
	set, err := cases.Load(dir)
	if err != nil {
		return err
	}
	for _, one := range set.Sorted().Cases {
		if err := runCase(one); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", one.Note, err)
		}
	}
	return nil
}

func runCase(one cases.TestCase) error {
	for key, value := range one.Env {
		if err := os.Setenv(key, value); err != nil {
			return err
		}
	}
	modules := map[string]string{}
	for i, module := range one.Modules {
		modules[fmt.Sprintf("case-%d.rego", i)] = module
	}
	options := ast.ParserOptions{RegoVersion: ast.RegoV1}
	if one.ExperimentalKeywords {
		options.Capabilities = ast.CapabilitiesForThisVersion(ast.CapabilitiesExperimentalKeywords(true))
	}
	compiler, err := ast.CompileModulesWithOpt(modules, ast.CompileOpts{ParserOptions: options})
	if err != nil {
		return err
	}
	body, err := ast.ParseBody(one.Query)
	if err != nil {
		return err
	}
	query, err := compiler.QueryCompiler().Compile(body)
	if err != nil {
		return err
	}
	store := inmem.New()
	if one.Data != nil {
		store = inmem.NewFromObject(*one.Data)
	}
	ctx := context.Background()
	var input *ast.Term
	if one.InputTerm != nil {
		input = ast.MustParseTerm(*one.InputTerm)
	} else if one.Input != nil {
		input = ast.NewTerm(ast.MustInterfaceToValue(*one.Input))
	}
	// A case may expect an error: whatever comes of it, its calls are what is wanted.
	_, _ = topdown.NewQuery(query).WithCompiler(compiler).WithStore(store).
		WithTransaction(storage.NewTransactionOrDie(ctx, store)).WithInput(input).WithSeed(zeros{}).
		WithTime(fixedTime()).WithStrictBuiltinErrors(one.StrictError).Run(ctx)
	return nil
}
