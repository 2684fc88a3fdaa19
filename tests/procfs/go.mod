module vmwatts/tests/procfs

go 1.19

require github.com/prometheus/procfs v0.12.0

require golang.org/x/sync v0.3.0 // indirect
