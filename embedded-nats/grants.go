package embeddednats

import (
	"strings"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/proctape/proctape/schema"
)

// grant is what a key may do. A role whose account is empty lives in the log's own account; any other lives in an account
// of its own, from which only what it may publish leads into the log's, and only what it may hear leads back
// (docs/adr/0015-keys.md).
type grant struct {
	everything     bool // and nothing else counts
	account        string
	publish        []string
	into           []string // what its account imports of the log's, which covers publish: where a message comes into the log
	hear           []string // also the subjects of the log's account that its account imports
	hearConductors []string // those of hear that it imports of the conductors' account too
}

// hostGrant is what a host's key may do: publish what a sampler makes and what happens to the host's jobs, hear of its
// jobs, of the fleet's and of requests for it, answer these, and ask the recorder for what it may not read itself.
func hostGrant(host string) grant {
	publish := []string{schema.AnswerSubject(host, ">"), schema.BacklogSubject(host), schema.SamplerSubject(host)}
	for _, k := range schema.Kinds() {
		if k.Kind.IsNumbered() { // any other is made of what is stored, by who stores it
			publish = append(publish, schema.Subject(host, k.Kind))
		}
	}
	jobs := []string{schema.Subject(host, schema.KindJob), schema.Subject(schema.Fleet, schema.KindJob)}
	// One import for a host, and not one for each kind: a server may have a thousand hosts, and each import takes 1 KB.
	return grant{account: "host-" + host, publish: publish, into: []string{schema.SubjectPrefix + host + ".>"}, hear: append([]string{schema.ControlSubject(host, ">")}, jobs...), hearConductors: jobs}
}

// memberGrant is what the member's key may do: publish what happens to the jobs of this machine, hear of its jobs and of the fleet's, and
// ask the recorder whether a sampler runs and what jobs there were.
func memberGrant(host string) grant {
	if host == "" { // no sampler runs in the process
		return grant{account: "members"}
	}
	job := schema.Subject(host, schema.KindJob)
	publish := []string{job, schema.SamplerSubject(host), schema.BacklogSubject(host)}
	return grant{account: "members", publish: publish, into: publish, hear: []string{job, schema.Subject(schema.Fleet, schema.KindJob)}}
}

// grantOf is what the key of a role other than RoleHost and RoleMember may do.
func grantOf(role Role) grant {
	switch role {
	case RoleAdmin:
		return grant{everything: true}
	case RoleConductor:
		publish := []string{schema.Subject("*", schema.KindJob), schema.SamplerSubject("*")}
		return grant{account: conductorAccount, publish: publish, into: publish}
	case RoleReader:
		publish := append(eachStream(schema.DataStreams, "$JS.API.STREAM.INFO.%", "$JS.API.DIRECT.GET.%", "$JS.API.DIRECT.GET.%.>"), schema.SubjectState)
		return grant{account: "readers", publish: publish, into: publish}
	case RoleProjector:
		publish := []string{schema.Subject("*", schema.KindRollup), schema.Subject("*", schema.KindRun), schema.AnomalySubjects("*"), schema.SubjectTick, schema.SubjectSchedule, schema.SubjectState}
		return grant{publish: append(publish, eachStream(append([]string{schema.StreamOps}, schema.DataStreams...),
			"$JS.API.STREAM.INFO.%", "$JS.API.STREAM.MSG.GET.%", "$JS.API.STREAM.PURGE.%", "$JS.API.DIRECT.GET.%", "$JS.API.DIRECT.GET.%.>",
			"$JS.API.CONSUMER.CREATE.%.>", "$JS.API.CONSUMER.INFO.%.*", "$JS.API.CONSUMER.LIST.%", "$JS.API.CONSUMER.MSG.NEXT.%.*",
			"$JS.API.CONSUMER.RESET.%.*", "$JS.API.CONSUMER.DELETE.%.*", "$JS.ACK.%.>")...)}
	}
	return grant{}
}

// conductorAccount is the account of the conductors' key.
const conductorAccount = "conductors"

// permissions are the grant as the server enforces it on a connection; nil for everything. Nobody but an admin may answer a message because
// it came to him: he chooses the subject on which another asked, or none.
func (g grant) permissions(public string) *server.Permissions {
	if g.everything {
		return nil
	}
	return &server.Permissions{
		Publish:   &server.SubjectPermission{Allow: g.publish},
		Subscribe: &server.SubjectPermission{Allow: append([]string{inboxOf(public) + ".>"}, g.hear...)},
	}
}

// eachStream puts each stream's name in the place of the % of each pattern.
func eachStream(streams []string, patterns ...string) []string {
	var out []string
	for _, pattern := range patterns {
		for _, name := range streams {
			out = append(out, strings.Replace(pattern, "%", name, 1))
		}
	}
	return out
}
