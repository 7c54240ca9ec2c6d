package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/fluxdemo/fluxdemo/demo/plaintext"
)

// AddOutput adds the flag -o with the formats that the command supports besides its default, for example "json".
func AddOutput(cmd *cobra.Command, value *string, formats ...string) {
	cmd.Flags().StringVarP(value, "output", "o", "", "output format; valid values: "+strings.Join(formats, ", "))
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(formats, cobra.ShellCompDirectiveNoFileComp))
}

// CheckOutput returns a usage error unless value is empty or one of formats.
func CheckOutput(value string, formats ...string) error {
	if value == "" || slices.Contains(formats, value) {
		return nil
	}
	return Usage(fmt.Errorf("unknown output format %q; valid values: %s", value, strings.Join(formats, ", ")))
}

// WriteJSON writes a value as -o json prints it: indented, with escapes for what a terminal would obey.
func WriteJSON(out io.Writer, value any) error {
	raw, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	_, err = out.Write(append(plaintext.JSON(raw), '\n'))
	return err
}

// WriteYAML writes a value as -o yaml prints it. YAML has escapes only in strings in quotes, so a value with characters
// that a terminal would obey looks like JSON.
func WriteYAML(out io.Writer, value any) error {
	raw, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	quoted := plaintext.YAML(raw)
	text, err := yaml.JSONToYAML(quoted)
	if err != nil {
		return err
	}
	if plaintext.Text(string(text)) != string(text) {
		text = append(quoted, '\n')
	}
	_, err = out.Write(text)
	return err
}
