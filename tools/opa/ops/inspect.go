package ops

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/util"
)

type inspectAnswer struct {
	Packages    map[string]packageFacts `json:"packages"`
	Annotations []annotated             `json:"annotations"`
	Builtins    []use                   `json:"builtins"`
	Manifest    *bundle.Manifest        `json:"manifest,omitempty"`
	Findings    []finding               `json:"findings"`
}

type packageFacts struct {
	Files []string `json:"files"`
	Rules []string `json:"rules"`
	Tests []string `json:"tests"`
}

type annotated struct {
	Path        string           `json:"path"`
	File        string           `json:"file"`
	Line        int              `json:"line"`
	Annotations *ast.Annotations `json:"annotations"`
}

// inspect tells what modules or a bundle (whose signature is not looked at) hold.
func inspect(asked *request) any {
	answer := inspectAnswer{
		Packages: map[string]packageFacts{}, Annotations: []annotated{}, Builtins: []use{}, Findings: []finding{},
	}
	var modules map[string]*ast.Module
	if asked.Bundle != nil {
		opened, err := readBundle(asked)
		if err != nil {
			answer.Findings = findingsOf(err)
			return answer
		}
		answer.Manifest = &opened.Manifest
		asked.Modules = map[string]string{}
		asked.RegoVersion, asked.Modules = modulesOf(opened)
	}
	modules, found := parse(asked, true)
	if len(found) > 0 {
		answer.Findings = found
		return answer
	}
	for _, name := range util.KeysSorted(modules) {
		describe(answer.Packages, name, modules[name])
	}
	answer.Builtins = uses(modules)
	set, errs := ast.BuildAnnotationSet(util.Values(modules))
	if len(errs) > 0 {
		answer.Findings = findingsOf(errs)
		return answer
	}
	for _, each := range set.Flatten() {
		facts := annotated{Path: each.Path.String(), Annotations: each.Annotations, Line: 1}
		if at := each.Location; at != nil {
			facts.File, facts.Line = at.File, max(at.Row, 1)
		}
		answer.Annotations = append(answer.Annotations, facts)
	}
	return answer
}

func describe(packages map[string]packageFacts, file string, module *ast.Module) {
	path := module.Package.Path.String()
	facts, known := packages[path]
	if !known {
		facts = packageFacts{[]string{}, []string{}, []string{}}
	}
	facts.Files = append(facts.Files, file)
	for _, rule := range module.Rules {
		name := rule.Head.Ref().GroundPrefix().String()
		into := &facts.Rules
		if isTest(name) {
			into = &facts.Tests
		}
		if !slices.Contains(*into, name) {
			*into = append(*into, name)
		}
	}
	slices.Sort(facts.Rules)
	slices.Sort(facts.Tests)
	packages[path] = facts
}
