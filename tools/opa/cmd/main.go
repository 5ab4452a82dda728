// The native build, for tests with thousands of cases: one JSON request a line, one JSON answer a line.
package main

import (
	"bufio"
	"io"
	"os"

	"gatehouse/opa/ops"
)

func main() {
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	for {
		line, err := in.ReadBytes('\n')
		if len(line) > 1 {
			if _, err := os.Stdout.Write(ops.Answer(line)); err != nil {
				os.Exit(1)
			}
		}
		if err == io.EOF {
			return
		}
		if err != nil {
			os.Exit(1)
		}
	}
}
