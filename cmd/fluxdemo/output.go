package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fluxdemo/fluxdemo/cmd/fluxdemo/internal/cli"
)

// addOutput adds the flag -o, with the formats that the verb knows beside
// its default.
func addOutput(cmd *cobra.Command, value *string, formats ...string) {
	cmd.Flags().StringVarP(value, "output", "o", "", "output format; valid values: "+strings.Join(formats, ", "))
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(formats, cobra.ShellCompDirectiveNoFileComp))
}

// checkOutput returns a usage error unless value is empty or one of formats.
func checkOutput(value string, formats ...string) error {
	if value == "" || slices.Contains(formats, value) {
		return nil
	}
	return cli.Usage(fmt.Errorf("unknown output format %q; valid values: %s", value, strings.Join(formats, ", ")))
}
