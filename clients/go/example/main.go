// Uploads a .torrent, looks for it, keeps a blob and makes a share.
//
//	SWARMKEEP_URL=http://127.0.0.1:8080 SWARMKEEP_TOKEN=... go run ./example survey.torrent KEPT-HASH
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"net/url"
	"os"
	"strings"

	"swarmkeep"
)

func main() {
	ctx := context.Background()
	client := swarmkeep.New(os.Getenv("SWARMKEEP_URL"), os.Getenv("SWARMKEEP_TOKEN"))
	me, err := client.Me(ctx)
	must(err)
	fmt.Println("name", me.Name)

	file, err := os.ReadFile(os.Args[1])
	must(err)
	words := url.Values{"title": {"Survey by example"}, "tags": {"example"}}
	added, err := client.AddTorrent(ctx, file, words)
	must(err)
	fmt.Println("added", added.Torrent.Title)
	filters := url.Values{"q": {"survey by example"}, "limit": {"1"}}
	must(client.Torrents(ctx, filters, func(torrent swarmkeep.Torrent) bool {
		fmt.Println("found", torrent.Title)
		return true
	}))
	own, err := client.TorrentFile(ctx, added.Torrent.InfoHash)
	must(err)
	fmt.Println("file", truth(bytes.Contains(own, []byte("announce"))))

	ref, err := client.PutBlob(ctx, []byte("hello"))
	must(err)
	content, err := client.GetBlob(ctx, ref)
	must(err)
	fmt.Println("blob", ref, string(content))

	items := []swarmkeep.ShareItem{{InfoHash: os.Args[2]}}
	share, err := client.MakeShare(ctx, swarmkeep.NewShare{Items: items, Days: 7, Password: "open the door"})
	must(err)
	isListed := false
	must(client.Shares(ctx, func(one swarmkeep.Share) bool {
		isListed = one.ID == share.ID
		return !isListed
	}))
	fmt.Println("share", truth(strings.Contains(share.URL, "/s/")), truth(isListed))
	must(client.RevokeShare(ctx, share.ID))

	must(client.RemoveTorrent(ctx, added.Torrent.InfoHash, "it was an example"))
	_, err = client.Torrent(ctx, strings.Repeat("0", 40))
	var problem *swarmkeep.Problem
	if errors.As(err, &problem) {
		fmt.Println("refused", problem.Status, problem.Code)
	}
}

func truth(is bool) string {
	if is {
		return "True"
	}
	return "False"
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
