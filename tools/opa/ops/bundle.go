package ops

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/tester"
)

type verification struct {
	Key       string `json:"key"`
	Algorithm string `json:"algorithm"`
	Scope     string `json:"scope"`
}

type bundleAnswer struct {
	Ok      bool         `json:"ok"`
	Message string       `json:"message,omitempty"`
	Bundle  *bundleFacts `json:"bundle,omitempty"`
}

type bundleFacts struct {
	Revision    string            `json:"revision"`
	Modules     map[string]string `json:"modules"`
	RegoVersion string            `json:"regoVersion"`
	Data        string            `json:"data"`
	Wasm        []wasmFacts       `json:"wasm"`
}

type wasmFacts struct {
	Wasm       []byte `json:"wasm"`
	Entrypoint string `json:"entrypoint"`
}

// The id of the one key: a bundle's own `kid` does not choose.
const keyID = "key"

// openBundle reads a snapshot bundle. With a key an unsigned bundle is refused, without one signatures are not
// looked at.
func openBundle(asked *request) any {
	opened, err := readBundle(asked)
	if err != nil {
		return bundleAnswer{Message: oneLine(err)}
	}
	facts := &bundleFacts{Revision: opened.Manifest.Revision, Wasm: []wasmFacts{}}
	facts.RegoVersion, facts.Modules = modulesOf(opened)
	facts.Data, err = dataOf(asked, opened)
	if err != nil {
		return bundleAnswer{Message: oneLine(err)}
	}
	for _, resolver := range opened.Manifest.WasmResolvers {
		for _, module := range opened.WasmModules {
			if module.Path == resolver.Module {
				facts.Wasm = append(facts.Wasm, wasmFacts{module.Raw, strings.Trim(resolver.Entrypoint, "/")})
			}
		}
	}
	return bundleAnswer{Ok: true, Bundle: facts}
}

func oneLine(err error) string {
	var parts []string
	var errs ast.Errors
	if !errors.As(err, &errs) {
		return strings.Join(strings.Fields(err.Error()), " ")
	}
	for _, each := range findingsOf(err) {
		parts = append(parts, fmt.Sprintf("%s:%d:%d: %s", trimmed(each.File), each.Line, each.Column, each.Message))
	}
	return strings.Join(parts, "; ")
}

func readBundle(asked *request) (*bundle.Bundle, error) {
	if err := withinLimit(asked.Bundle, asked.MaxBytes); err != nil {
		return nil, err
	}
	opened, err := readAs(asked, ast.RegoV1, true)
	var errs ast.Errors
	if errors.As(err, &errs) {
		// The manifest does not say the version, or the modules are wrong in both.
		if older, err := readAs(asked, ast.RegoV0, true); err == nil {
			return older, nil
		}
	}
	return opened, err
}

// dataOf is the text of the data file as it is when there is one at the root, and else what OPA joins: that takes ten
// times as long.
func dataOf(asked *request, opened *bundle.Bundle) (string, error) {
	var files []bundle.Raw
	for _, file := range opened.Raw {
		if path.Ext(file.Path) != bundle.RegoExt {
			files = append(files, file)
		}
	}
	roots := opened.Manifest.Roots
	everywhere := roots != nil && len(*roots) == 1 && (*roots)[0] == ""
	if len(files) == 1 && everywhere && trimmed(files[0].Path) == "data.json" {
		text := bytes.TrimLeft(files[0].Value, " \t\r\n")
		if bytes.HasPrefix(text, []byte("{")) && utf8.Valid(text) && json.Valid(text) {
			return string(text), nil
		}
	}
	if len(files) == 0 {
		return "{}", nil
	}
	whole, err := readAs(asked, opened.RegoVersion(ast.RegoV1), false)
	if err != nil {
		return "", err
	}
	return strings.TrimSuffix(string(marshal(whole.Data)), "\n"), nil
}

// readAs leaves data files unread when it is `lazy`.
func readAs(asked *request, version ast.RegoVersion, lazy bool) (*bundle.Bundle, error) {
	reader := bundle.NewCustomReader(bundle.NewTarballLoaderWithBaseURL(bytes.NewReader(asked.Bundle), "")).
		WithSizeLimitBytes(asked.MaxBytes).
		WithLazyLoadingMode(lazy).
		WithRegoVersion(version)
	if given := asked.Verification; given != nil {
		algorithm := given.Algorithm
		if algorithm == "" {
			algorithm = "RS256"
		}
		keys := map[string]*bundle.KeyConfig{keyID: {Key: given.Key, Algorithm: algorithm, Scope: given.Scope}}
		reader = reader.WithBundleVerificationConfig(bundle.NewVerificationConfig(keys, keyID, given.Scope, nil))
	} else {
		reader = reader.WithSkipBundleVerification(true)
	}
	opened, err := reader.Read()
	if err != nil {
		return nil, err
	}
	if opened.Type() != bundle.SnapshotBundleType {
		return nil, errors.New("a delta bundle cannot be used, expected a whole one")
	}
	opened.SetRegoVersion(opened.RegoVersion(version))
	return &opened, nil
}

// Headers and padding of the archive's format, beside the content.
const archiveOverhead = 16 << 20

// withinLimit unpacks everything once, keeping nothing: OPA's own limit is one of each file.
func withinLimit(packed []byte, maxBytes int64) error {
	unzipped, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return fmt.Errorf("not a gzipped tar: %w", err)
	}
	whole := &io.LimitedReader{R: unzipped, N: maxBytes + archiveOverhead}
	files := tar.NewReader(whole)
	tooLarge := fmt.Errorf("more than %d bytes unpacked", maxBytes)
	total := int64(0)
	for {
		_, err := files.Next()
		if err == io.EOF {
			return nil
		}
		if err == nil {
			var size int64
			size, err = io.CopyN(io.Discard, files, maxBytes-total+1)
			total += size
			if err == io.EOF {
				err = nil
			}
		}
		switch {
		case whole.N <= 0 || total > maxBytes:
			return tooLarge
		case err != nil:
			return fmt.Errorf("not a gzipped tar: %w", err)
		}
	}
}

// modulesOf brings all modules to one version. A manifest may give each file its own: then the bundle is of v0,
// and a module of v1 gets the import that makes it one, on the line of its package, so that places stay.
func modulesOf(opened *bundle.Bundle) (string, map[string]string) {
	general := opened.RegoVersion(ast.RegoV1)
	hasV0 := false
	for _, module := range opened.Modules {
		hasV0 = hasV0 || versionOf(opened, module, general) == ast.RegoV0
	}
	modules := map[string]string{}
	for _, module := range opened.Modules {
		text := string(module.Raw)
		if hasV0 && versionOf(opened, module, general) == ast.RegoV1 {
			text = importingV1(module)
		}
		modules[trimmed(module.Path)] = text
	}
	if hasV0 {
		return "v0", modules
	}
	return "v1", modules
}

func versionOf(opened *bundle.Bundle, module bundle.ModuleFile, general ast.RegoVersion) ast.RegoVersion {
	version, err := opened.RegoVersionForFile(module.RelativePath, general)
	if err != nil || version == ast.RegoUndefined {
		return general
	}
	return version
}

func importingV1(module bundle.ModuleFile) string {
	text := string(module.Raw)
	for _, each := range module.Parsed.Imports {
		if ref, isRef := each.Path.Value.(ast.Ref); isRef && ref.Equal(ast.RegoV1CompatibleRef) {
			return text
		}
	}
	parts := module.Parsed.Package.Path
	last := parts[len(parts)-1].Location
	end := last.Offset + len(last.Text)
	// The last part in brackets: `package a["b c"]`.
	if rest := strings.TrimLeft(text[end:], " \t\r\n"); strings.HasPrefix(rest, "]") {
		end = len(text) - len(rest) + 1
	}
	return text[:end] + " import rego.v1" + text[end:]
}

func trimmed(file string) string { return strings.TrimPrefix(strings.TrimPrefix(file, "./"), "/") }

func isTest(name string) bool {
	return strings.HasPrefix(name, tester.TestPrefix) || strings.HasPrefix(name, tester.SkipTestPrefix)
}
