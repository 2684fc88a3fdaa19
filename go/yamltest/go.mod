module vmwatts.dev/go/yamltest

go 1.19

require (
	gopkg.in/yaml.v3 v3.0.1
	vmwatts.dev/go v0.0.0
)

replace vmwatts.dev/go => ../
