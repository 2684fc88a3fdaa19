module vmwatts.dev/go

go 1.19
