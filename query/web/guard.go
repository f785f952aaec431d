package web

import (
	"net"
	"net/http"
	"net/url"
	"strings"
)

// isOpen reports whether a path holds no data: it may be asked for without a token.
func isOpen(path string) bool { return path == "/healthz" || path == "/readyz" || isPage(path) }

// guard knows by whom requests may be asked, and under which names.
type guard struct {
	hosts []string
	token *keptToken
}

// before lets through what may be answered: by a name of this server, by a method that reads, without a body, and for data with
// the token.
func (g *guard) before(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		secure(w.Header())
		if p := g.refusal(r); p != nil {
			switch p.Status {
			case http.StatusUnauthorized:
				w.Header().Set("WWW-Authenticate", `Bearer realm="proctape"`)
			case http.StatusMethodNotAllowed:
				w.Header().Set("Allow", "GET, HEAD")
			}
			w.Header().Set("Connection", "close")
			refuse(w, p)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// secure sets what keeps an answer from being run, framed, sniffed or kept by others.
func secure(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
}

// refusal says why a request is not answered; nil when it is.
func (g *guard) refusal(r *http.Request) *Problem {
	switch {
	case !g.knowsHost(r):
		return &Problem{Title: "not a name of this server", Status: http.StatusMisdirectedRequest,
			Detail: "the Host header names another", Hint: "use localhost, the address, or a name that the server was started with"}
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		return &Problem{Title: "this server only reads", Status: http.StatusMethodNotAllowed, Hint: "use GET"}
	case r.ContentLength != 0 || len(r.TransferEncoding) > 0:
		return &Problem{Title: "a request has no body", Status: http.StatusRequestEntityTooLarge, Hint: "parameters stand in the URL"}
	case strings.Contains(r.URL.Path, "//") || strings.Contains(r.URL.Path, "/."):
		return &Problem{Title: "no such path", Status: http.StatusNotFound}
	case !isOpen(r.URL.Path) && !g.knowsOrigin(r):
		return &Problem{Title: "another site asks", Status: http.StatusForbidden, Detail: "a page of another origin reads no data here"}
	case !isOpen(r.URL.Path) && !g.token.isOf(r):
		return &Problem{Title: "no token", Status: http.StatusUnauthorized, Detail: "a request for data carries the server's token",
			Hint: "send the header Authorization: Bearer TOKEN"}
	}
	return nil
}

// knowsHost reports whether a request may address the server by the text of its Host header. A name that an attacker's DNS
// points here is not one: browsers send it along.
func (g *guard) knowsHost(r *http.Request) bool { return g.knows(r, r.Host) }

// knowsOrigin reports whether a browser that sends a request for data does so for a page of this server. What is no browser says nothing of that.
func (g *guard) knowsOrigin(r *http.Request) bool {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" && site != "none" {
		return false
	}
	origin := r.Header.Get("Origin")
	if origin == "" {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && u.Host != "" && u.Host == r.Host
}

// knows reports whether a name, with a port or without, is one of this server.
func (g *guard) knows(r *http.Request, name string) bool {
	if host, _, err := net.SplitHostPort(name); err == nil {
		name = host
	}
	name = strings.ToLower(strings.Trim(name, "[]"))
	if name == "localhost" || isLoopback(name) {
		return true
	}
	for _, known := range g.hosts {
		if name == strings.ToLower(known) {
			return true
		}
	}
	local, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	return ok && name == local.IP.String()
}

// isLoopback reports whether a name is an address of this machine alone.
func isLoopback(name string) bool {
	ip := net.ParseIP(name)
	return ip != nil && ip.IsLoopback()
}
