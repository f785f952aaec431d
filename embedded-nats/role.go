package embeddednats

// Role says what a key may do. docs/security.md has the table.
type Role string

// The roles. There is one key of each but RoleHost, of which each host has its own.
const (
	RoleAdmin     Role = "admin"     // everything
	RoleProjector Role = "projector" // projects the log into a database, and trims the log
	RoleReader    Role = "reader"    // reads the log
	RoleConductor Role = "conductor" // publishes the job events of every host
	RoleHost      Role = "host"      // publishes as one host
	RoleMember    Role = "member"    // publishes the job events of this machine
)
