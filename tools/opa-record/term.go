package main

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/open-policy-agent/opa/v1/ast"
)

// A Rego string may hold any bytes, JSON text may not: a byte that is no UTF-8 is written as the escape of the lone
// surrogate U+DC00 + byte. While OPA's parser reads a text, such a byte is the private character byteMark + byte.
const byteMark = 0x10fe00

var loneSurrogate = regexp.MustCompile(`(?i)(\\ud[89ab][0-9a-f]{2})?\\udc([89a-f][0-9a-f])`)

// readTerm reads a term as parseValue does.
func readTerm(text string) (*ast.Term, error) {
	marked := loneSurrogate.ReplaceAllStringFunc(text, func(found string) string {
		if len(found) > len(`\udc80`) {
			return found
		}
		code, _ := strconv.ParseUint(found[len(found)-2:], 16, 8)
		return string(rune(byteMark + code))
	})
	term, err := ast.ParseTerm(marked)
	if err != nil || marked == text {
		return term, err
	}
	value, err := ast.Transform(bytesBack{}, term.Value)
	if err != nil {
		return nil, err
	}
	whole, ok := value.(ast.Value)
	if !ok {
		return nil, fmt.Errorf("no value: %T", value)
	}
	return ast.NewTerm(whole), nil
}

type bytesBack struct{}

func (bytesBack) Transform(x any) (any, error) {
	text, ok := x.(ast.String)
	if !ok {
		return x, nil
	}
	var out strings.Builder
	for _, char := range string(text) {
		if char >= byteMark+0x80 && char <= byteMark+0xff {
			out.WriteByte(byte(char - byteMark))
		} else {
			out.WriteRune(char)
		}
	}
	return ast.String(out.String()), nil
}

// writeTerm writes what parseValue reads.
func writeTerm(out *strings.Builder, value ast.Value) error {
	switch v := value.(type) {
	case ast.String:
		writeString(out, string(v))
	case *ast.Array:
		return writeAll(out, "[", "]", v.Len(), func(i int) error { return writeTerm(out, v.Elem(i).Value) })
	case ast.Set:
		if v.Len() == 0 {
			out.WriteString("set()")
			return nil
		}
		members := v.Slice()
		return writeAll(out, "{", "}", len(members), func(i int) error { return writeTerm(out, members[i].Value) })
	case ast.Object:
		keys := v.Keys()
		return writeAll(out, "{", "}", len(keys), func(i int) error {
			if err := writeTerm(out, keys[i].Value); err != nil {
				return err
			}
			out.WriteByte(':')
			return writeTerm(out, v.Get(keys[i]).Value)
		})
	case ast.Null, ast.Boolean, ast.Number:
		out.WriteString(v.String())
	default:
		return fmt.Errorf("not ground: %T", value)
	}
	return nil
}

func writeAll(out *strings.Builder, open, end string, count int, item func(int) error) error {
	out.WriteString(open)
	for i := range count {
		if i > 0 {
			out.WriteByte(',')
		}
		if err := item(i); err != nil {
			return err
		}
	}
	out.WriteString(end)
	return nil
}

func writeString(out *strings.Builder, text string) {
	out.WriteByte('"')
	for len(text) > 0 {
		char, size := utf8.DecodeRuneInString(text)
		if char == utf8.RuneError && size == 1 {
			fmt.Fprintf(out, `\udc%02x`, text[0])
		} else {
			var one strings.Builder
			encoder := json.NewEncoder(&one)
			encoder.SetEscapeHTML(false)
			_ = encoder.Encode(text[:size])
			out.WriteString(strings.Trim(one.String(), "\n")[1 : one.Len()-2])
		}
		text = text[size:]
	}
	out.WriteByte('"')
}
