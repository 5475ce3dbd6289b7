// Command paths answers the cases of a file of x509-limbo's format with crypto/x509, one after the other, and prints
// {"seconds", "results": [{"id", "result", "ms"}]}. It is a second opinion for the tests and the yardstick of the benchmark.
package main

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"strings"
	"time"
)

type peer struct{ Kind, Value string }

type testcase struct {
	ID            string   `json:"id"`
	Kind          string   `json:"validation_kind"`
	Trusted       []string `json:"trusted_certs"`
	Intermediates []string `json:"untrusted_intermediates"`
	Leaf          string   `json:"peer_certificate"`
	Time          *string  `json:"validation_time"`
	Purposes      []string `json:"extended_key_usage"`
	Name          *peer    `json:"expected_peer_name"`
}

type result struct {
	ID     string  `json:"id"`
	Result string  `json:"result"`
	Why    string  `json:"why,omitempty"`
	Ms     float64 `json:"ms"`
}

var usages = map[string]x509.ExtKeyUsage{
	"serverAuth":      x509.ExtKeyUsageServerAuth,
	"clientAuth":      x509.ExtKeyUsageClientAuth,
	"codeSigning":     x509.ExtKeyUsageCodeSigning,
	"emailProtection": x509.ExtKeyUsageEmailProtection,
	"timeStamping":    x509.ExtKeyUsageTimeStamping,
	"OCSPSigning":     x509.ExtKeyUsageOCSPSigning,
}

func main() {
	began := time.Now()
	bytes, err := os.ReadFile(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	var file struct {
		Testcases []testcase `json:"testcases"`
	}
	if err := json.Unmarshal(bytes, &file); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	results := make([]result, 0, len(file.Testcases))
	for _, one := range file.Testcases {
		start := time.Now()
		why := verify(one)
		answer := "SUCCESS"
		if why != "" {
			answer = "FAILURE"
		}
		ms := float64(time.Since(start).Microseconds()) / 1000
		results = append(results, result{one.ID, answer, why, ms})
	}
	seconds := time.Since(began).Seconds()
	json.NewEncoder(os.Stdout).Encode(map[string]any{"seconds": seconds, "results": results})
}

func parse(text string) (*x509.Certificate, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, fmt.Errorf("not PEM")
	}
	return x509.ParseCertificate(block.Bytes)
}

func pool(texts []string) *x509.CertPool {
	all := x509.NewCertPool()
	for _, text := range texts {
		if one, err := parse(text); err == nil {
			all.AddCert(one)
		}
	}
	return all
}

// verify answers why there is no path, or nothing.
func verify(one testcase) string {
	leaf, err := parse(one.Leaf)
	if err != nil {
		return err.Error()
	}
	usage := x509.ExtKeyUsageServerAuth
	if one.Kind == "CLIENT" {
		usage = x509.ExtKeyUsageClientAuth
	}
	options := x509.VerifyOptions{
		Roots:         pool(one.Trusted),
		Intermediates: pool(one.Intermediates),
		KeyUsages:     []x509.ExtKeyUsage{usage},
	}
	if len(one.Purposes) > 0 {
		options.KeyUsages = nil
		for _, name := range one.Purposes {
			options.KeyUsages = append(options.KeyUsages, usages[name])
		}
	}
	if one.Time != nil {
		options.CurrentTime, err = time.Parse(time.RFC3339, *one.Time)
		if err != nil {
			return err.Error()
		}
	}
	if one.Name != nil && (one.Name.Kind == "DNS" || one.Name.Kind == "IP") {
		options.DNSName = strings.TrimSuffix(one.Name.Value, ".")
	}
	if _, err := leaf.Verify(options); err != nil {
		return err.Error()
	}
	return ""
}
