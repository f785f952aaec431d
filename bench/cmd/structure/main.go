// Command structure prints how the module's code is built. Ceilings on these figures are in
// integration_test/structure_test.go.
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"

	"github.com/proctape/proctape/bench/structure"
)

func main() {
	root := flag.String("root", ".", "the module's folder")
	start := flag.String("walk", structure.MessageStart, "function in which the way of a message begins: package path, receiver, name")
	param := flag.String("param", structure.MessageParam, "that function's parameter which holds the message")
	all := flag.Bool("v", false, "print every arrow and every step")
	flag.Parse()
	if err := run(*root, *start, *param, *all); err != nil {
		fmt.Fprintln(os.Stderr, "structure:", err)
		os.Exit(1)
	}
}

func run(root, start, param string, all bool) error {
	src, err := structure.ReadSource(root)
	if err != nil {
		return err
	}
	m, err := structure.Load(structure.ModulePath, root, src)
	if err != nil {
		return err
	}
	printFolders(m, all)
	way, err := m.Walk(start, param)
	if err != nil {
		return err
	}
	fmt.Printf("\nThe way of a message from %s: %d functions, %d files, %d stops, %d of them returns\n",
		start, len(way), way.Files(), way.Stops(), way.Returns())
	if all {
		fmt.Print(way)
	}
	printTop("Methods per receiver", m.Receivers())
	printTop("Lines per function", m.FunctionLines())
	printTop(fmt.Sprintf("Files over %d lines", structure.FileLimit), m.LongFiles(structure.FileLimit))
	printList("Exported without a comment", m.Undocumented())
	renames, err := structure.Renames()
	if err != nil {
		return err
	}
	printList("Names that were given up", m.OldNames(renames))
	return nil
}

func printFolders(m *structure.Module, all bool) {
	fmt.Printf("%-28s %6s %7s %4s  %s\n", "between the files of", "files", "arrows", "up", "circles")
	for _, p := range m.Packages {
		printGraph(p.Path, m.FileUses(p), all)
	}
	fmt.Printf("\n%-28s %6s %7s %4s  %s\n", "between", "nodes", "arrows", "up", "circles")
	printGraph("packages", m.PackageUses(), all)
	printGraph("top-level folders", m.FolderUses(), all)
}

func printGraph(name string, g structure.Graph, all bool) {
	circles := g.Circles()
	fmt.Printf("%-28s %6d %7d %4d  %d\n", name, len(g), g.Arrows(), len(g.Up()), len(circles))
	for _, circle := range circles {
		fmt.Printf("    circle of %d: %s\n", len(circle), strings.Join(circle, " "))
	}
	for _, up := range g.Up() {
		fmt.Printf("    up: %s → %s by %s\n", up[0], up[1], strings.Join(g[up[0]][up[1]], ", "))
	}
	if !all {
		return
	}
	for _, from := range g.Nodes() {
		for _, to := range g.Nodes() {
			if names := g[from][to]; names != nil {
				fmt.Printf("    %s → %s: %s\n", from, to, strings.Join(names, ", "))
			}
		}
	}
}

func printTop(title string, counts []structure.Count) {
	fmt.Printf("\n%s\n", title)
	for _, c := range counts[:min(10, len(counts))] {
		fmt.Printf("%6d  %s\n", c.N, c.Name)
	}
}

func printList(title string, lines []string) {
	fmt.Printf("\n%s: %d\n", title, len(lines))
	for _, line := range lines {
		fmt.Println("   ", line)
	}
}
