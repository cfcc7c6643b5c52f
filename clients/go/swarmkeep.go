// Package swarmkeep is a client of Swarmkeep's API: one file, of Go's standard library.
//
//	client := swarmkeep.New("https://swarm.example.org", "token")
//	err := client.Torrents(ctx, url.Values{"q": {"rain"}}, func(torrent swarmkeep.Torrent) bool {
//		fmt.Println(torrent.Title)
//		return true
//	})
//
// A token is made on the site, under your name. Routes without a method of their own are reached by Call,
// with types that you declare; docs/generated/api.md describes them. What is refused is a *Problem.
package swarmkeep

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const api = "/api/v1"

// Problem is what was refused: Status of HTTP, Code for programs, Errors by field.
type Problem struct {
	Status int
	Code   string       `json:"code"`
	Detail string       `json:"detail"`
	Errors []FieldError `json:"errors"`
}

// FieldError says which field of path, query or body is wrong.
type FieldError struct {
	In     string `json:"in"`
	Field  string `json:"field"`
	Detail string `json:"detail"`
}

func (problem *Problem) Error() string {
	if problem.Detail != "" {
		return problem.Detail
	}
	return fmt.Sprintf("the server answered %d", problem.Status)
}

// Client calls one site for one member.
type Client struct {
	base  string
	token string
	// HTTP may be replaced before the first call.
	HTTP *http.Client
}

// New makes a client; an empty token asks as a stranger.
func New(base, token string) *Client {
	client := &http.Client{
		Timeout: time.Minute,
		// The token is for this site alone.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return &Client{base: strings.TrimRight(base, "/"), token: token, HTTP: client}
}

// Me is who the token acts for.
type Me struct {
	Name            string   `json:"name"`
	Role            string   `json:"role"`
	Permissions     []string `json:"permissions"`
	UploadedBytes   int64    `json:"uploadedBytes"`
	DownloadedBytes int64    `json:"downloadedBytes"`
}

// Torrent is one of the catalogue; in lists, what only one has is empty. Times are Unix milliseconds.
type Torrent struct {
	ID          int64    `json:"id"`
	InfoHash    string   `json:"infoHash"`
	Title       string   `json:"title"`
	Category    string   `json:"category"`
	Tags        []string `json:"tags"`
	SizeBytes   int64    `json:"sizeBytes"`
	FileCount   int64    `json:"fileCount"`
	CreatedMs   int64    `json:"createdMs"`
	Swarm       Swarm    `json:"swarm"`
	Name        string   `json:"name"`
	Description string   `json:"description"`
	Uploader    *string  `json:"uploader"`
}

// Swarm counts who has a torrent now.
type Swarm struct {
	Seeders   int64 `json:"seeders"`
	Leechers  int64 `json:"leechers"`
	Completed int64 `json:"completed"`
}

// Added is a new torrent. When HashChanged, seed with the file of TorrentFile.
type Added struct {
	Torrent     Torrent  `json:"torrent"`
	HashChanged bool     `json:"hashChanged"`
	Notes       []string `json:"notes"`
}

// ShareItem is a torrent, or the file or folder at the position Entry of one.
type ShareItem struct {
	InfoHash string `json:"infoHash"`
	Entry    *int64 `json:"entry,omitempty"`
}

// NewShare lasts Days; empty fields set no bound.
type NewShare struct {
	Items        []ShareItem `json:"items"`
	Days         int         `json:"days"`
	Label        string      `json:"label,omitempty"`
	Password     string      `json:"password,omitempty"`
	DownloadsMax *int64      `json:"downloadsMax,omitempty"`
}

// MadeShare has the link, which is told here and nowhere else.
type MadeShare struct {
	ID  int64  `json:"id"`
	URL string `json:"url"`
}

// Share is one of the member's.
type Share struct {
	ID        int64  `json:"id"`
	Label     string `json:"label"`
	State     string `json:"state"`
	ExpiresMs int64  `json:"expiresMs"`
	Downloads int64  `json:"downloads"`
}

// Me tells who the token acts for, what they gave and took.
func (client *Client) Me(ctx context.Context) (me Me, err error) {
	err = client.Call(ctx, "GET", api+"/me", Sent{}, &me)
	return me, err
}

// Torrents gives every torrent that fits, page after page, until it returns false. Filters: q, category, tags,
// sort, seeds, mine, limit.
func (client *Client) Torrents(ctx context.Context, filters url.Values, each func(Torrent) bool) error {
	return pages(ctx, client, api+"/torrents", filters, each)
}

// Torrent is one by its info hash.
func (client *Client) Torrent(ctx context.Context, infoHash string) (torrent Torrent, err error) {
	err = client.Call(ctx, "GET", api+"/torrents/"+url.PathEscape(infoHash), Sent{}, &torrent)
	return torrent, err
}

// AddTorrent uploads a .torrent. Words: title, category, tags (with commas between), description.
func (client *Client) AddTorrent(ctx context.Context, file []byte, words url.Values) (added Added, err error) {
	sent := Sent{Query: words, Body: file, Type: "application/x-bittorrent"}
	err = client.Call(ctx, "POST", api+"/torrents", sent, &added)
	return added, err
}

// TorrentFile is the .torrent with the member's own announce URLs.
func (client *Client) TorrentFile(ctx context.Context, infoHash string) (file []byte, err error) {
	err = client.Call(ctx, "GET", api+"/torrents/"+url.PathEscape(infoHash)+"/file", Sent{}, &file)
	return file, err
}

// RemoveTorrent removes one; members read the reason.
func (client *Client) RemoveTorrent(ctx context.Context, infoHash, reason string) error {
	sent := Sent{Query: url.Values{"reason": {reason}}}
	return client.Call(ctx, "DELETE", api+"/torrents/"+url.PathEscape(infoHash), sent, nil)
}

// PutBlob stores at most 16 MiB and returns their name; they are on disk then.
func (client *Client) PutBlob(ctx context.Context, content []byte) (string, error) {
	ref := BlobRef(content)
	// A body of no bytes is a body too.
	sent := Sent{Body: append([]byte{}, content...), Type: "application/octet-stream"}
	return ref, client.Call(ctx, "PUT", "/api/store/blobs/"+ref, sent, nil)
}

// GetBlob returns the bytes of that name, compared with it.
func (client *Client) GetBlob(ctx context.Context, ref string) (content []byte, err error) {
	err = client.Call(ctx, "GET", "/api/store/blobs/"+url.PathEscape(ref), Sent{}, &content)
	if err == nil && BlobRef(content) != ref {
		return nil, fmt.Errorf("the bytes are not those of %s", ref)
	}
	return content, err
}

// Shares gives every share of the member until each returns false.
func (client *Client) Shares(ctx context.Context, each func(Share) bool) error {
	return pages(ctx, client, api+"/me/shares", nil, each)
}

// MakeShare makes a link by which people without an account take what the archive keeps.
func (client *Client) MakeShare(ctx context.Context, wanted NewShare) (made MadeShare, err error) {
	body, err := json.Marshal(wanted)
	if err != nil {
		return made, err
	}
	err = client.Call(ctx, "POST", api+"/me/shares", Sent{Body: body}, &made)
	return made, err
}

// RevokeShare ends a share: downloads by it end within a second.
func (client *Client) RevokeShare(ctx context.Context, id int64) error {
	return client.Call(ctx, "DELETE", fmt.Sprintf("%s/me/shares/%d", api, id), Sent{}, nil)
}

// BlobRef is the name of bytes in the store.
func BlobRef(content []byte) string {
	sum := sha256.Sum256(content)
	return "sha256-" + hex.EncodeToString(sum[:])
}

// Sent is what goes with a request; Type is application/json unless given.
type Sent struct {
	Query url.Values
	Body  []byte
	Type  string
}

// Call puts JSON into what answer points to, anything else into a *[]byte; nil throws the answer away.
func (client *Client) Call(ctx context.Context, method, path string, sent Sent, answer any) error {
	target := client.base + path
	if len(sent.Query) > 0 {
		target += "?" + sent.Query.Encode()
	}
	var body io.Reader
	if sent.Body != nil {
		body = bytes.NewReader(sent.Body)
	}
	request, err := http.NewRequestWithContext(ctx, method, target, body)
	if err != nil {
		return err
	}
	if client.token != "" {
		request.Header.Set("Authorization", "Bearer "+client.token)
	}
	if sent.Body != nil {
		kind := sent.Type
		if kind == "" {
			kind = "application/json"
		}
		request.Header.Set("Content-Type", kind)
	}
	response, err := client.HTTP.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode >= 300 {
		return problemOf(response.StatusCode, content)
	}
	if raw, isRaw := answer.(*[]byte); isRaw {
		*raw = content
		return nil
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(content, answer)
}

// CodeOf is the code of a problem, or empty.
func CodeOf(err error) string {
	var problem *Problem
	if errors.As(err, &problem) {
		return problem.Code
	}
	return ""
}

// The site says what is wrong at the top, the store below `error`.
func problemOf(status int, content []byte) *Problem {
	said := struct {
		Problem
		Error *struct {
			Code    string `json:"code"`
			Message string `json:"message"`
		} `json:"error"`
	}{}
	_ = json.Unmarshal(content, &said)
	problem := said.Problem
	problem.Status = status
	if said.Error != nil {
		problem.Code, problem.Detail = said.Error.Code, said.Error.Message
	}
	if problem.Code == "" {
		problem.Code = "failed"
	}
	return &problem
}

func pages[Item any](ctx context.Context, client *Client, path string, filters url.Values, each func(Item) bool) error {
	query := url.Values{}
	for name, values := range filters {
		query[name] = values
	}
	for {
		var page struct {
			Items      []Item  `json:"items"`
			NextCursor *string `json:"nextCursor"`
		}
		if err := client.Call(ctx, "GET", path, Sent{Query: query}, &page); err != nil {
			return err
		}
		for _, item := range page.Items {
			if !each(item) {
				return nil
			}
		}
		if page.NextCursor == nil {
			return nil
		}
		query.Set("cursor", *page.NextCursor)
	}
}
