package embeddednats

import (
	"errors"
	"fmt"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/proctape/proctape/schema"
)

// The log and those who are trusted with it live in the server's global account. Every other key lives in an account of
// its own. What its owner publishes comes into the log's account through an import, and the server writes its answers,
// acknowledgements among them, to a reply subject of its own making there. The subject that the client named is one of
// the client's account alone. So a client can have the server write to no subject of the log.
//
// All of a host's subjects are covered by one export. The server does not lead an answer through the export that the
// question came by (client.go, processServiceImport: "Detect cycles"): so a client's reply subject that is a subject of
// its own host does not come back into the log either.

// joinAccounts makes what keys of other accounts may use usable for them. It is called once for each server.
func joinAccounts(ns *server.Server) error {
	log := ns.GlobalAccount()
	err := errors.Join(
		log.AddServiceExport(schema.SubjectPrefix+">", nil),
		log.AddServiceExport("$JS.API.STREAM.INFO.*", nil),
		log.AddServiceExport("$JS.API.DIRECT.GET.>", nil),
		log.AddServiceExport(schema.SubjectState, nil),
		log.AddStreamExport(schema.Subject("*", schema.KindJob), nil),
		log.AddStreamExport(schema.ControlSubject("*", ">"), nil))
	if err != nil {
		return fmt.Errorf("export the log: %w", err)
	}
	conductors, err := accountOf(ns, grantOf(RoleConductor))
	if err != nil {
		return err
	}
	if err := conductors.AddStreamExport(schema.Subject("*", schema.KindJob), nil); err != nil {
		return fmt.Errorf("export the conductors' job events: %w", err)
	}
	return nil
}

// accountOf returns the account of a grant, made and joined to the log's when it is not there yet. One goroutine at a time
// calls it.
func accountOf(ns *server.Server, g grant) (*server.Account, error) {
	log := ns.GlobalAccount()
	if g.account == "" {
		return log, nil
	}
	account, isNew := ns.LookupOrRegisterAccount(g.account)
	if !isNew {
		return account, nil
	}
	for _, subject := range g.into {
		if err := account.AddServiceImport(log, subject, subject); err != nil {
			return nil, fmt.Errorf("let %s publish %s: %w", g.account, subject, err)
		}
	}
	for _, subject := range g.hear {
		if err := account.AddStreamImport(log, subject, ""); err != nil {
			return nil, fmt.Errorf("let %s hear %s: %w", g.account, subject, err)
		}
	}
	// What came into the log's account through an import is not exported again: the conductors' messages come directly.
	for _, subject := range g.hearConductors {
		conductors, err := ns.LookupAccount(conductorAccount)
		if err != nil {
			return nil, fmt.Errorf("let %s hear %s: %w", g.account, subject, err)
		}
		if err := account.AddStreamImport(conductors, subject, ""); err != nil {
			return nil, fmt.Errorf("let %s hear %s of conductors: %w", g.account, subject, err)
		}
	}
	return account, nil
}
