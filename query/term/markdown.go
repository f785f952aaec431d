package term

import "strings"

var markdown = strings.NewReplacer(`\`, `\\`, "|", `\|`, "<", "&lt;", ">", "&gt;", "*", `\*`, "_", `\_`, "[", `\[`, "`", "'", "@", "@\u200b")

// Markdown keeps text of outside within a sentence or a table from being Markdown or HTML, and from naming people.
func Markdown(s string) string { return markdown.Replace(s) }
