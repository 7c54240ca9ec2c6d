package object

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// Document is one of the documents of a YAML file, or of the objects of a JSON file.
type Document struct {
	Raw  []byte                       // without the line that separates it from others; nil if the rest of the file cannot be split
	Meta metav1.PartialObjectMetadata // what kind of object it is, and its metadata; zero if Err is set
	Err  error                        // why it cannot be an object; an empty document has none
}

// Documents splits a file. If it cannot be split to its end, the last document has an error and no Raw.
func Documents(raw []byte) []Document {
	if all := objects(raw); all != nil {
		return all
	}
	var all []Document
	reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(raw)))
	for {
		text, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			return append(all, Document{Err: err})
		}
		all = append(all, document(text))
	}
}

// objects splits JSON objects, which follow each other without a separator; nil if the file is not JSON.
func objects(raw []byte) []Document {
	var all []Document
	decoder := json.NewDecoder(bytes.NewReader(raw))
	for {
		var text json.RawMessage
		err := decoder.Decode(&text)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			return nil
		}
		all = append(all, document(text))
	}
}

func document(raw []byte) Document {
	d := Document{Raw: raw}
	if d.Err = yaml.Unmarshal(raw, &d.Meta); d.Err != nil {
		d.Meta = metav1.PartialObjectMetadata{}
	}
	return d
}
