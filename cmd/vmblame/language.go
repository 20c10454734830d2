package main

import (
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/vmblame/vmblame/internal/locale"
	"github.com/vmblame/vmblame/internal/text"
)

// tongue is the value of --lang: the name of a language, "" for the one that the environment asks for.
type tongue struct {
	name  string
	words text.Words // nil for English
}

func (v *tongue) String() string { return v.name }

func (v *tongue) Type() string { return "LANGUAGE" }

func (v *tongue) Set(name string) (err error) {
	v.words, err = locale.Named(name)
	v.name = name
	return err
}

// languageFlag gives --lang to root and all its commands.
func languageFlag(root *cobra.Command) {
	root.PersistentFlags().Var(&tongue{}, "lang", "the `LANGUAGE` of what people read: en or zh (default: that of LC_ALL, LC_MESSAGES, LANG and LANGUAGE)")
	_ = root.RegisterFlagCompletionFunc("lang", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return []string{"en", "zh"}, cobra.ShellCompDirectiveNoFileComp
	})
}

// language returns the words of the language in which cmd speaks: that of --lang, or else of the environment. nil is
// English.
func language(cmd *cobra.Command) text.Words {
	if f := cmd.Root().PersistentFlags().Lookup("lang"); f != nil {
		if v, ok := f.Value.(*tongue); ok && v.name != "" {
			return v.words
		}
	}
	return locale.Asked(os.Getenv)
}

// speak translates the help of cmd and its subcommands. The help of cobra's completion command, which is about shell
// scripts, stays English.
func speak(cmd *cobra.Command, words text.Words) {
	l := text.Style{Words: words}
	cmd.Short, cmd.Long, cmd.Example = l.Word(cmd.Short), l.Word(cmd.Long), l.Word(cmd.Example)
	flag := func(f *pflag.Flag) {
		if f.Usage = l.Word(f.Usage); f.Name == "help" {
			f.Usage = l.Say("help for %s", cmd.Name())
		}
	}
	cmd.LocalFlags().VisitAll(flag)
	if cmd.Name() == "completion" {
		return
	}
	for _, c := range cmd.Commands() {
		speak(c, words)
	}
}
