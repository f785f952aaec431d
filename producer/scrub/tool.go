package scrub

// A form says where the value of an option stands.
type form int

const (
	either   form = iota // -pVALUE, -p VALUE, --user=VALUE, --user VALUE
	attached             // -pVALUE only: a word behind -p is something else
	separate             // -w VALUE only
	last                 // the last word of the command
)

// A part says what of an option's value is secret.
type part int

const (
	whole        part = iota
	afterColon        // user:SECRET
	afterPercent      // user%SECRET
	afterComma        // user,SECRET
	afterSlash        // user/SECRET@host, also user/SECRET
	beforeAt          // user:SECRET@host
	random            // all of it, if it looks random
	cookie            // name=SECRET, not the name of a file
	nothing           // the option is known to be harmless, whatever its name
	bare              // all of it, unless it is an assignment, a path, an address or the name of a way to hash
	afterEquals       // name=SECRET, whatever the name
	afterSign         // >SECRET and <SECRET, as Redis writes passwords in access lists
	afterData         // list,data=SECRET
)

// second stands for the word behind the next one, if neither is an option; 0 for all plain words.
const second = -2

// An option is one way in which a program takes a secret.
type option struct {
	name string // with its dashes
	form form
	part part
	only string // if not "", it counts only behind this word
}

// A position is a secret without an option: the nth word behind the word after, which may be "" for the program.
// An nth of -1 means the last word of the command.
type position struct {
	after string
	nth   int
	part  part
}

// A tool is what is known of a program that takes secrets in ways only it does, or that runs other programs.
type tool struct {
	options   []option
	positions []position
	takes     string // short options that take an argument, for options glued together as in -sSu
	bare      bool   // "user.password VALUE" without dashes assigns, too
	pairs     bool   // and so does "pass VALUE"
	edits     bool   // its scripts replace text: s/NAME/VALUE/
	runs      bool   // the command of another program follows among its arguments
	skip      int    // how many plain words stand before that command
	search    bool   // nobody knows how many: the command starts at the first program that is known
}

// A family is a tool and all the programs that behave like it.
type family struct {
	names []string
	tool  tool
}
