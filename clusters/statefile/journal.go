package statefile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Journal is a file of records, one JSON object a line, to which several
// goroutines and processes may append.
type Journal struct {
	Path string
	Perm os.FileMode
}

// Append adds records and returns when they are on disk: then no crash loses
// them. What an earlier crash has torn off at the end is cut away first. If
// the disk is full, the journal is as it was.
func (j Journal) Append(records ...any) (err error) {
	var lines bytes.Buffer
	for _, record := range records {
		raw, err := json.Marshal(record)
		if err != nil {
			return fmt.Errorf("appending to %s: %w", j.Path, err)
		}
		lines.Write(append(raw, '\n'))
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("appending to %s: %w", j.Path, err)
		}
	}()
	file, err := os.OpenFile(j.Path, os.O_CREATE|os.O_RDWR, j.Perm)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := lock(file); err != nil { // until file is closed
		return err
	}
	end, err := wholeEnd(file)
	if err != nil {
		return err
	}
	if err := file.Truncate(end); err != nil {
		return err
	}
	_, err = file.WriteAt(lines.Bytes(), end)
	if err == nil {
		err = file.Sync()
	}
	if err != nil {
		return errors.Join(err, file.Truncate(end))
	}
	if end == 0 { // the file may be new
		return SyncFolder(filepath.Dir(j.Path))
	}
	return nil
}

// lock waits until no other Append has the file.
func lock(file *os.File) error {
	for {
		err := unix.Flock(int(file.Fd()), unix.LOCK_EX)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// wholeEnd returns where the last whole line of a journal ends. It reads from
// the end, since journals grow.
func wholeEnd(file *os.File) (int64, error) {
	info, err := file.Stat()
	if err != nil {
		return 0, err
	}
	block := make([]byte, 4096)
	for end := info.Size(); end > 0; {
		start := max(0, end-int64(len(block)))
		part := block[:end-start]
		if _, err := file.ReadAt(part, start); err != nil {
			return 0, err
		}
		if i := bytes.LastIndexByte(part, '\n'); i >= 0 {
			return start + int64(i) + 1, nil
		}
		end = start
	}
	return 0, nil
}

// Read calls take with each record, from the first to the last; take returns
// an error for what is not a record as a whole. A line that is none is passed
// over, and its number is returned, unless its end is a record by itself: that
// is what a torn record and the one behind it make. What a crash has torn off
// at the end of the file was never acknowledged, and is not mentioned. A
// journal that is not there has no records.
func (j Journal) Read(take func(record json.RawMessage) error) (damaged []int, err error) {
	raw, err := os.ReadFile(j.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the journal: %w", err)
	}
	raw = raw[:bytes.LastIndexByte(raw, '\n')+1]
	number := 0
	for line := range bytes.Lines(raw) {
		number++
		line = bytes.Trim(line, "\x00\n") // a power cut leaves zeros
		if len(line) == 0 || json.Valid(line) && take(line) == nil {
			continue
		}
		if !takeEnd(line, take) {
			damaged = append(damaged, number)
		}
	}
	return damaged, nil
}

// takeEnd looks for a record at the end of a damaged line: before journals
// cut off what was torn, the next record was written right behind it.
func takeEnd(line []byte, take func(json.RawMessage) error) bool {
	for at := 1; at < len(line); at++ {
		if line[at] == '{' && json.Valid(line[at:]) && take(line[at:]) == nil {
			return true
		}
	}
	return false
}
