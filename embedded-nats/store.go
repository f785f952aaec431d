package embeddednats

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// The folders and files of the server's store, below the data folder.
const (
	storeName    = "jetstream" // the server adds it to StoreDir itself
	accountName  = "$G"        // there is one account
	messagesName = "msgs"      // of a stream
	durablesName = "obs"       // of a stream
	metaName     = "meta.inf"  // of a stream or a durable
	sumName      = "meta.sum"
	indexName    = "index.db" // in messagesName
	blockSuffix  = ".blk"
)

// streamDir is a stream's folder in the store.
type streamDir struct{ name, path string }

// blockFile is one file of messages.
type blockFile struct {
	number uint32
	path   string
	size   int64
}

func storeDir(dir string) string { return filepath.Join(dir, storeName) }

func streamsDir(dir string) string { return filepath.Join(storeDir(dir), accountName, "streams") }

// streamDirs are the folders of the streams of a data folder; none when there is no store.
func streamDirs(dir string) ([]streamDir, error) {
	entries, err := os.ReadDir(streamsDir(dir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var dirs []streamDir
	for _, e := range entries {
		if e.IsDir() && !strings.HasPrefix(e.Name(), ".") { // with a dot it is being deleted
			dirs = append(dirs, streamDir{e.Name(), filepath.Join(streamsDir(dir), e.Name())})
		}
	}
	return dirs, nil
}

func (d streamDir) messages() string { return filepath.Join(d.path, messagesName) }

// block is the path of the file of messages with a number.
func (d streamDir) block(number uint32) string {
	return filepath.Join(d.messages(), fmt.Sprintf("%d%s", number, blockSuffix))
}

// blocks are the files of messages, by number.
func (d streamDir) blocks() ([]blockFile, error) {
	entries, err := os.ReadDir(d.messages())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var files []blockFile
	for _, e := range entries {
		number, ok := blockNumber(e.Name())
		info, err := e.Info()
		if !ok || errors.Is(err, fs.ErrNotExist) { // the server removed it meanwhile
			continue
		} else if err != nil {
			return nil, err
		}
		files = append(files, blockFile{number, d.block(number), info.Size()})
	}
	slices.SortFunc(files, func(a, b blockFile) int { return cmp.Compare(a.number, b.number) })
	return files, nil
}

// blockNumber is the number in the name of a file of messages, as the server writes it.
func blockNumber(name string) (number uint32, ok bool) {
	text, ok := strings.CutSuffix(name, blockSuffix)
	n, err := strconv.ParseUint(text, 10, 32)
	return uint32(n), ok && err == nil && strconv.FormatUint(n, 10) == text
}
