package ops

import (
	"cmp"
	"context"
	"runtime"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/cover"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/tester"
	"github.com/open-policy-agent/opa/v1/topdown"
)

type testAnswer struct {
	Results  []testResult    `json:"results"`
	Coverage *coverageAnswer `json:"coverage,omitempty"`
	Findings []finding       `json:"findings"`
}

type testResult struct {
	Package    string    `json:"package"`
	Name       string    `json:"name"`
	File       string    `json:"file"`
	Line       int       `json:"line"`
	Outcome    string    `json:"outcome"`
	DurationNs int64     `json:"durationNs"`
	Output     string    `json:"output"`
	Message    string    `json:"message,omitempty"`
	FailedAt   *place    `json:"failedAt,omitempty"`
	Cases      []subCase `json:"cases"`
}

type place struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
	Text   string `json:"text"`
}

type subCase struct {
	Name string `json:"name"`
	Pass bool   `json:"pass"`
}

type coverageAnswer struct {
	Files   map[string]fileCoverage `json:"files"`
	Percent float64                 `json:"percent"`
}

type fileCoverage struct {
	Covered    []lines `json:"covered"`
	NotCovered []lines `json:"notCovered"`
	Percent    float64 `json:"percent"`
}

type lines struct {
	From int `json:"from"`
	To   int `json:"to"`
}

// test is `opa test`: rules named test_…, and todo_test_… which are skipped.
func test(asked *request) any {
	answer := testAnswer{Results: []testResult{}}
	parsed, found := parse(asked, false)
	answer.Findings = found
	if len(found) > 0 {
		return answer
	}
	covered := cover.New()
	results, err := runTests(asked, parsed, covered)
	if err != nil {
		answer.Findings = findingsOf(err)
		return answer
	}
	answer.Results = results
	if asked.Coverage {
		answer.Coverage = coverageOf(covered.Report(parsed))
	}
	return answer
}

func runTests(asked *request, parsed map[string]*ast.Module, covered *cover.Cover) ([]testResult, error) {
	ctx := context.Background()
	store, err := storeOf(asked.Data)
	if err != nil {
		return nil, err
	}
	txn, err := store.NewTransaction(ctx, storage.WriteParams)
	if err != nil {
		return nil, err
	}
	defer store.Abort(ctx, txn)
	tracer := &turns{bodies: map[uint64]spot{}, failed: map[spot]*ast.Expr{}}
	if asked.Coverage {
		tracer.inner = covered
	}
	results, err := tester.NewRunner().
		SetCompiler(newCompiler(asked, compilation{withoutNetwork: true, prints: true})).
		SetStore(store).
		SetModules(parsed).
		SetCoverageQueryTracer(tracer).
		SetRuntime(runtimeTerm()).
		SetParallel(1).
		SetTimeout(timeoutOf(asked)).
		Filter(asked.Run).
		RunTests(ctx, txn)
	if err != nil {
		return nil, err
	}
	all := []testResult{}
	for result := range results {
		all = append(all, told(result, tracer))
	}
	slices.SortFunc(all, func(a, b testResult) int {
		return cmp.Or(
			cmp.Compare(a.File, b.File),
			cmp.Compare(a.Line, b.Line),
			cmp.Compare(a.Package, b.Package),
			cmp.Compare(a.Name, b.Name),
		)
	})
	return all, nil
}

func told(result *tester.Result, tracer *turns) testResult {
	each := testResult{
		Package:    strings.TrimPrefix(result.Package, "data."),
		Name:       result.Name,
		Line:       1,
		Outcome:    "pass",
		DurationNs: result.Duration.Nanoseconds(),
		Output:     string(result.Output),
		Cases:      []subCase{},
	}
	if result.Location != nil {
		each.File, each.Line = result.Location.File, max(result.Location.Row, 1)
	}
	switch {
	case result.Error != nil:
		each.Outcome = "error"
		each.Message = findingsOf(result.Error)[0].Message
	case result.Skip:
		each.Outcome = "skip"
	case result.Fail:
		each.Outcome = "fail"
		if at := tracer.failed[spotOf(result.Location)]; at != nil {
			each.FailedAt = &place{at.Location.File, at.Location.Row, at.Location.Col, string(at.Location.Text)}
		}
	}
	for name, sub := range result.SubResults.Iter {
		each.Cases = append(each.Cases, subCase{strings.Join(name, "/"), !sub.Fail})
	}
	return each
}

func coverageOf(report cover.Report) *coverageAnswer {
	answer := &coverageAnswer{Files: map[string]fileCoverage{}, Percent: report.Coverage}
	for name, file := range report.Files {
		answer.Files[name] = fileCoverage{spans(file.Covered), spans(file.NotCovered), file.Coverage}
	}
	return answer
}

// spans joins ranges to whole lines that neither overlap nor touch.
func spans(ranges []cover.Range) []lines {
	all := []lines{}
	for _, each := range ranges {
		all = append(all, lines{each.Start.Row, each.End.Row})
	}
	slices.SortFunc(all, func(a, b lines) int { return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To)) })
	joined := []lines{}
	for _, each := range all {
		if last := len(joined) - 1; last >= 0 && each.From <= joined[last].To+1 {
			joined[last].To = max(joined[last].To, each.To)
			continue
		}
		joined = append(joined, each)
	}
	return joined
}

// spot names a test: OPA's own results do not say which expression failed.
type spot struct {
	file string
	row  int
}

func spotOf(at *ast.Location) spot {
	if at == nil {
		return spot{}
	}
	return spot{at.File, at.Row}
}

// turns gives the timer of a test's time limit a turn now and then, where there is one thread; notes the furthest
// expression of each test that was not true; and traces.
type turns struct {
	inner  topdown.QueryTracer
	events int
	// The tests whose bodies are evaluated, by their query.
	bodies map[uint64]spot
	failed map[spot]*ast.Expr
}

func (t *turns) Enabled() bool { return true }

func (t *turns) Config() topdown.TraceConfig {
	if t.inner != nil {
		return t.inner.Config()
	}
	return topdown.TraceConfig{}
}

func (t *turns) TraceEvent(event topdown.Event) {
	t.events++
	if t.events%512 == 0 {
		runtime.Gosched()
	}
	t.note(event)
	if t.inner != nil {
		t.inner.TraceEvent(event)
	}
}

func (t *turns) note(event topdown.Event) {
	switch event.Op {
	case topdown.EnterOp:
		if rule, isRule := event.Node.(*ast.Rule); isRule && isTest(rule.Head.Ref()[0].Value.String()) {
			t.bodies[event.QueryID] = spotOf(rule.Location)
		}
	case topdown.FailOp:
		test, known := t.bodies[event.QueryID]
		expr, isExpr := event.Node.(*ast.Expr)
		if !known || !isExpr || expr.Location == nil {
			return
		}
		if before := t.failed[test]; before == nil || before.Index <= expr.Index {
			t.failed[test] = expr
		}
	}
}
