package html

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/json"
	stdhtml "html"
	"io"
	"strings"

	"github.com/vmblame/vmblame/internal/text"
)

// assets are what `make web` builds of the sources in web: the script, the style, and the licences of the libraries in
// them.
//
//go:embed assets/page.js assets/page.css assets/licences.txt
var assets embed.FS

// asset returns the content of one of assets.
func asset(name string) string {
	content, err := assets.ReadFile("assets/" + name)
	if err != nil {
		panic(err) // it is embedded: the compiler has seen it
	}
	return string(content)
}

// Write writes p as one HTML file that needs no other.
func Write(w io.Writer, p *Page) error {
	value, err := pack(p)
	if err != nil {
		return err
	}
	return write(w, title(p), base64.StdEncoding.EncodeToString(value), "'none'")
}

// pack encodes the value of a page as compressed JSON.
func pack(p *Page) ([]byte, error) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if err := json.NewEncoder(z).Encode(p); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// title returns the page's title.
func title(p *Page) string {
	var logs []string
	for _, v := range p.Logs {
		logs = append(logs, text.Printable(v.Log))
	}
	return strings.Join(logs, " | ") + " - vmblame"
}

// write writes the page: a content security policy that allows only its own script and style, these two, the value, and
// the licences. connect is the address that the page may send requests to.
func write(w io.Writer, title, value, connect string) error {
	script, style := asset("page.js"), asset("page.css")
	policy := "default-src 'none'; script-src '" + digest(script) + "'; style-src '" + digest(style) + "'; img-src data:; connect-src " + connect + "; base-uri 'none'; form-action 'none'"
	for _, s := range []string{
		"<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n",
		"<meta http-equiv=\"Content-Security-Policy\" content=\"", policy, "\">\n",
		"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light dark\">\n<link rel=\"icon\" href=\"data:,\">\n",
		"<title>", stdhtml.EscapeString(title), "</title>\n<style>", style, "</style>\n</head>\n<body>\n<div id=\"page\"><h1>", stdhtml.EscapeString(title), "</h1><p class=\"dim\">...</p></div>\n",
		"<script type=\"application/gzip\" id=\"value\">", value, "</script>\n",
		"<script type=\"text/plain\" id=\"licences\">", asset("licences.txt"), "</script>\n",
		"<script>", script, "</script>\n</body>\n</html>\n",
	} {
		if _, err := io.WriteString(w, s); err != nil {
			return err
		}
	}
	return nil
}

// digest returns the hash by which a content security policy allows a text.
func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}
